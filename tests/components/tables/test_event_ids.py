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
