"""Folding of actions, held against going through them one by one."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.rows.folding import Actions, impression_times, without_copies
from components.rows.rules import KEY, SIGNALS
from phoenix.data.histories import window_numbers
from tests.components.plain_folding import Row, plain_times

# So few that most actions share user and post.
rows_of_a_day = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(1, 2),
        st.integers(100, 140),
        st.sampled_from([0, 0, 0, 1, 2]),
    ),
    max_size=30,
)
starts_before = st.lists(
    st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(91, 99)), max_size=4
)


def folded(rows: list[Row], earlier: list[tuple[int, int, int]], fold: int) -> list[int]:
    users, posts, times, turns = np.array(rows, np.int64).reshape(-1, 4).T
    known = Actions(*np.array(earlier, np.int64).reshape(-1, 3).T)
    return impression_times(Actions(users, posts, times), turns, known, fold_ms=fold).tolist()


@settings(deadline=None, max_examples=200)
@given(rows_of_a_day, starts_before, st.integers(1, 12))
def test_every_action_belongs_to_the_impression_of_the_definition(
    rows: list[Row], earlier: list[tuple[int, int, int]], fold: int
) -> None:
    assert folded(rows, earlier, fold) == plain_times(rows, earlier, fold)


@settings(deadline=None, max_examples=100)
@given(rows_of_a_day, st.integers(1, 12), st.integers(2, 5), st.data())
def test_no_window_holds_a_post_twice(
    rows: list[Row], fold: int, num_candidates: int, data: st.DataObject
) -> None:
    window = data.draw(st.integers(1, fold))
    starts = sorted(
        {(row[0], time, row[1]) for row, time in zip(rows, folded(rows, [], fold), strict=True)}
    )
    users, times, posts = np.array(starts, np.int64).reshape(-1, 3).T
    numbers = window_numbers(users, times, num_candidates=num_candidates, window_ms=window)
    pairs = list(zip(numbers.tolist(), posts.tolist(), strict=True))
    assert len(pairs) == len(set(pairs))


@settings(deadline=None, max_examples=100)
@given(rows_of_a_day, st.integers(1, 12))
def test_late_actions_move_no_impression(rows: list[Row], fold: int) -> None:
    on_time = [row for row in rows if not row[3]]
    together = folded(rows, [], fold)
    of_on_time = [time for row, time in zip(rows, together, strict=True) if not row[3]]
    assert of_on_time == folded(on_time, [], fold)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(*[st.integers(1, 2)] * 7, st.booleans()), max_size=30))
def test_of_actions_that_say_the_same_the_first_is_kept(rows: list[tuple]) -> None:
    names = (*KEY, *SIGNALS)
    values = np.array([row[:7] for row in rows], np.int64).reshape(-1, 7)
    places = [place for place, row in enumerate(rows) if row[7]]
    expected = [p for n, p in enumerate(places) if rows[p] not in [rows[q] for q in places[:n]]]
    table = pa.table(dict(zip(names, values.T, strict=True)))
    assert without_copies(table, np.array(places, np.int64)).tolist() == expected
