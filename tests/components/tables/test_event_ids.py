import numpy as np

from components.tables.event_ids import event_ids


def test_event_ids_are_unique_positive_and_depend_on_the_row_alone() -> None:
    users, posts = np.array([1, 1, 2, 1]), np.array([5, 5, 5, 6])
    times = np.array([9, 9, 9, 9])
    ids = event_ids(users, posts, times)
    assert len(set(ids.tolist())) == 4
    assert (ids > 0).all()
    assert event_ids(users[2:], posts[2:], times[2:]).tolist() == ids[2:].tolist()
    assert event_ids(users[:1], posts[:1], times[:1])[0] == ids[0], "the first of equal rows"


def test_rows_that_agree_are_told_apart_by_their_order_alone() -> None:
    generator = np.random.default_rng(0)
    others = [generator.integers(1, 2**40, 5_000) for _ in range(3)]
    places = np.sort(generator.choice(5_000, 7, replace=False))
    columns = [
        np.insert(each, places, value) for each, value in zip(others, (7, 1, 9), strict=True)
    ]
    rows = places + np.arange(7)
    assert all((each[rows] == value).all() for each, value in zip(columns, (7, 1, 9), strict=True))
    alone = event_ids(*(each[rows] for each in columns))
    assert event_ids(*columns)[rows].tolist() == alone.tolist()
    assert np.delete(event_ids(*columns), rows).tolist() == event_ids(*others).tolist()
    assert len(np.unique(event_ids(*columns))) == 5_007
