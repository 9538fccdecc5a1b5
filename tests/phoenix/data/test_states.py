"""States of impressions, held against a definition with two times for every action."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.data.histories import Log, history_rows, rows_still_needed
from phoenix.data.states import LabelRows, cumulative_states, label_rows, with_labels

# User, shown at, post; so few that ties are common and most impressions have several actions.
keys = st.tuples(st.integers(1, 2), st.integers(0, 6), st.integers(1, 3))
# An impression, or an action on one: the key, when it was known, what was done, the dwell.
rows = st.lists(
    st.tuples(keys, st.integers(0, 12), st.integers(0, 7), st.integers(0, 3)), max_size=25
)
requests = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 20)), max_size=8)

Row = tuple[tuple[int, int, int], int, int, int]


def labels_of(given_rows: list[Row]) -> LabelRows:
    users = np.array([row[0][0] for row in given_rows], np.int64)
    times = np.array([row[0][1] for row in given_rows], np.int64)
    posts = np.array([row[0][2] for row in given_rows], np.int64)
    arrivals, actions, dwell = np.array([row[1:] for row in given_rows], np.int64).reshape(-1, 3).T
    return LabelRows(
        users, posts, times, arrivals, actions.astype(np.uint64), dwell.astype(np.float32)
    )


def log_of(given_rows: list[Row]) -> Log:
    """The first row of every impression; post 3 comes before post 1 of the same moment."""
    firsts: dict[tuple, Row] = {}
    for row in given_rows:
        firsts.setdefault(row[0], row)
    ordered = sorted(firsts.values(), key=lambda row: (row[0][0], row[0][1], -row[0][2]))
    labels = labels_of(ordered)
    zeros = np.zeros(len(ordered), np.int64)
    return Log(
        labels.user_ids, labels.post_ids, labels.post_ids + 10, labels.shown_at,
        labels.ingested_at, zeros, labels.actions, labels.dwell_seconds, zeros,
        np.zeros((len(ordered), 0)), np.ones(len(ordered), np.float32),
    )  # fmt: skip


def plain_state(given_rows: list[Row], key: tuple, at: int) -> tuple[int, int] | None:
    """The definition: all that had arrived by then, together."""
    known = [row for row in given_rows if row[0] == key and row[1] <= at]
    if not known:
        return None
    actions = 0
    for row in known:
        actions |= row[2]
    return actions, max(row[3] for row in known)


def plain_history(given_rows: list[Row], user: int, cutoff: int, length: int) -> list[tuple]:
    found = []
    for key in sorted({row[0] for row in given_rows}, key=lambda key: (key[1], -key[2])):
        state = plain_state(given_rows, key, cutoff)
        if key[0] == user and key[1] < cutoff and state is not None:
            found.append((key[2], key[1], *state))
    return found[-length:]


def histories(log: Log, asked: list[tuple[int, int]], length: int) -> list[list[tuple]]:
    users, cutoffs = np.array(asked, np.int64).reshape(-1, 2).T
    found = history_rows(log, users, cutoffs, length=length)
    columns = log.post_ids, log.shown_at, log.actions, log.dwell_seconds
    return [
        [tuple(int(column[row]) for column in columns) for row in line if row >= 0]
        for line in found
    ]


@settings(deadline=None)
@given(rows, requests, st.integers(1, 4))
def test_a_history_holds_every_impression_as_it_was_known_then(
    given_rows: list[Row], asked: list[tuple[int, int]], length: int
) -> None:
    log, _ = with_labels(log_of(given_rows), labels_of(given_rows))
    expected = [plain_history(given_rows, user, cutoff, length) for user, cutoff in asked]
    assert histories(log, asked, length) == expected


@settings(deadline=None)
@given(rows, rows, requests, st.integers(0, 9), st.integers(1, 3))
def test_a_state_and_the_labels_of_a_day_give_what_all_rows_together_give(
    given_rows: list[Row],
    later_rows: list[Row],
    asked: list[tuple[int, int]],
    now: int,
    length: int,
) -> None:
    shown = {row[0] for row in given_rows}
    # What was not known by then is a label of the next day, whenever it was written down.
    later_rows = [(key, now + 1 + late, *more) for key, late, *more in later_rows if key in shown]
    asked = [(user, now + cutoff) for user, cutoff in asked]
    log, _ = with_labels(log_of(given_rows), labels_of(given_rows))
    kept = log.rows(rows_still_needed(log, known_at=now, oldest=0, length=length))
    joined, _ = with_labels(kept, labels_of(later_rows))
    everything = [*given_rows, *later_rows]
    expected = [plain_history(everything, user, cutoff, length) for user, cutoff in asked]
    assert histories(joined, asked, length) == expected


@settings(deadline=None)
@given(rows, st.integers(0, 15))
def test_a_label_is_all_that_had_arrived_by_its_moment(given_rows: list[Row], at: int) -> None:
    plain = log_of(given_rows)
    log, heads = with_labels(plain, labels_of(given_rows))
    firsts = np.flatnonzero(np.diff(heads, prepend=-1))
    assert plain.post_ids[heads].tolist() == log.post_ids.tolist()
    found = label_rows(log, firsts, np.full(len(firsts), at))
    for first, row in zip(firsts.tolist(), found.tolist(), strict=True):
        key = int(log.user_ids[row]), int(log.shown_at[row]), int(log.post_ids[row])
        expected = plain_state(given_rows, key, max(at, int(log.ingested_at[first])))
        assert (int(log.actions[row]), int(log.dwell_seconds[row])) == expected
    again, _ = with_labels(log, labels_of(given_rows))
    for before, after in zip(log, again, strict=True):
        np.testing.assert_array_equal(before, after, "labels that are added again change a log")


def test_padding_has_no_label() -> None:
    given_rows: list[Row] = [((1, 0, 1), 0, 0, 0), ((1, 0, 1), 2, 1, 0), ((1, 1, 2), 1, 4, 0)]
    log, _ = with_labels(log_of(given_rows), labels_of(given_rows))
    candidates = np.array([[0, 2, -1]])
    assert label_rows(log, candidates, np.full((1, 3), 1)).tolist() == [[0, 2, -1]]
    assert label_rows(log, candidates, np.full((1, 3), 2)).tolist() == [[1, 2, -1]]


def test_labels_of_what_is_not_in_the_log_are_left_out() -> None:
    log = log_of([((1, 0, 1), 0, 0, 0)])
    others: list[Row] = [((1, 0, 2), 5, 1, 0), ((2, 0, 1), 5, 1, 0), ((1, 1, 1), 5, 1, 0)]
    joined, heads = with_labels(log, labels_of(others))
    assert (joined.actions.tolist(), heads.tolist()) == ([0], [0])


def test_a_group_of_many_rows_is_the_union_of_all_of_them() -> None:
    count = 1_000
    bits = np.uint64(1) << np.arange(count, dtype=np.uint64) // np.uint64(16)
    states = cumulative_states(
        np.zeros(count), np.arange(count), bits, np.arange(count).astype(np.float32)
    )
    assert len(states.rows) == count, "every row has a longer dwell than those before"
    assert int(states.actions[-1]) == 2 ** (count // 16 + 1) - 1
    assert states.dwell_seconds.tolist() == list(range(count))
