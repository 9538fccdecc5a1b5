import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.data.histories import (
    Log,
    first_rows_at,
    history_rows,
    rows_still_needed,
    window_numbers,
)

# Few users and times, so that ties, repeated arrivals and long histories are common.
impressions = st.tuples(
    st.integers(1, 3), st.integers(0, 12), st.integers(0, 9), st.integers(1, 10**6)
)
logs = st.lists(impressions, max_size=40, unique_by=lambda row: row[3])


def log_of(rows: list[tuple[int, int, int, int]]) -> Log:
    """User, time, delay of arrival, event (which is the post, too)."""
    rows = sorted(rows, key=lambda row: (row[0], row[1], row[3]))
    users, times, delays, events = np.array(rows, np.int64).reshape(-1, 4).T
    zeros = np.zeros(len(rows), np.int64)
    return Log(
        users,
        events,
        events,
        times,
        times + delays,
        zeros,
        zeros,
        zeros,
        zeros,
        np.zeros((len(events), 0)),
        np.ones(len(events)),
    )


def plain_windows(users: np.ndarray, times: np.ndarray, size: int, reach: int) -> list[int]:
    windows: list[list[int]] = []
    for row, (user, time) in enumerate(zip(users, times, strict=True)):
        last = windows[-1] if windows else None
        if (
            last is None
            or users[last[0]] != user
            or len(last) == size
            or time - times[last[0]] > reach
        ):
            windows.append([row])
        else:
            last.append(row)
    return [number for number, window in enumerate(windows) for _ in window]


def plain_history(log: Log, user: int, cutoff: int, length: int) -> list[int]:
    known_rows = [
        row
        for row in range(len(log.user_ids))
        if log.user_ids[row] == user
        and log.shown_at[row] < cutoff
        and log.ingested_at[row] <= cutoff
    ]
    latest = known_rows[-length:]
    return latest + [-1] * (length - len(latest))


@settings(deadline=None)
@given(logs, st.integers(1, 4), st.integers(0, 6))
def test_windows_match_their_definition(
    rows: list[tuple[int, int, int, int]], size: int, reach: int
) -> None:
    log = log_of(rows)
    numbers = window_numbers(log.user_ids, log.shown_at, num_candidates=size, window_ms=reach)
    assert numbers.tolist() == plain_windows(log.user_ids, log.shown_at, size, reach)


@settings(deadline=None)
@given(
    logs,
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 25)), max_size=10),
    st.integers(1, 5),
)
def test_histories_match_their_definition(
    rows: list[tuple[int, int, int, int]], requests: list[tuple[int, int]], length: int
) -> None:
    log = log_of(rows)
    users, cutoffs = np.array(requests, np.int64).reshape(-1, 2).T
    history = history_rows(log, users, cutoffs, length=length)
    assert history.tolist() == [plain_history(log, u, c, length) for u, c in requests]


def test_an_impression_at_the_cutoff_is_not_history() -> None:
    log = log_of([(1, 4, 0, 1), (1, 5, 0, 2), (1, 6, 0, 3)])
    history = history_rows(log, np.array([1]), np.array([5]), length=3)
    assert history.tolist() == [[0, -1, -1]], "history reads a row too far"


def test_an_impression_that_arrived_later_is_not_history() -> None:
    log = log_of([(1, 1, 0, 1), (1, 2, 10, 2), (1, 3, 1, 3), (1, 4, 1, 4)])
    history = history_rows(log, np.array([1]), np.array([4]), length=2)
    assert history.tolist() == [[0, 2]], "the row of time 2 arrives at 12"


@settings(deadline=None)
@given(
    logs,
    st.lists(st.tuples(st.integers(1, 4), st.integers(6, 25)), max_size=10),
    st.integers(1, 5),
)
def test_no_history_to_come_misses_what_is_not_kept(
    rows: list[tuple[int, int, int, int]], requests: list[tuple[int, int]], length: int
) -> None:
    log = log_of(rows)
    users, cutoffs = np.array(requests, np.int64).reshape(-1, 2).T
    short_log = log.rows(rows_still_needed(log, known_at=6, oldest=0, length=length))

    def posts(log: Log) -> list[list[int]]:
        history = history_rows(log, users, cutoffs, length=length)
        return np.append(log.post_ids, 0)[history].tolist()

    assert posts(short_log) == posts(log)


def test_only_what_may_enter_a_history_is_kept() -> None:
    rows = [(1, 0, 0, 1), (1, 2, 9, 2), (1, 3, 0, 3), (1, 4, 0, 4), (1, 5, 0, 5), (2, 1, 0, 6)]
    log = log_of(rows)
    rows_left = rows_still_needed(log, known_at=5, oldest=2, length=1)
    assert log.post_ids[rows_left].tolist() == [2, 4, 5], "not known yet, the latest, not over yet"


def test_the_borders_of_what_is_still_needed() -> None:
    def left(*rows: tuple[int, int, int, int]) -> list[int]:
        log = log_of(list(rows))
        rows_left = rows_still_needed(log, known_at=5, oldest=2, length=1)
        return log.post_ids[rows_left].tolist()

    assert left((1, 3, 0, 3), (1, 4, 1, 4)) == [4], "what arrives at the cutoff is known"
    assert left((1, 3, 0, 3), (1, 4, 2, 4)) == [3, 4], "later it is not"
    assert left((1, 4, 0, 4), (1, 5, 0, 5)) == [4, 5], "what is shown at the cutoff is not over"
    assert left((1, 1, 0, 1), (2, 2, 0, 2)) == [2], "what is shown at the oldest moment may enter"


def test_bisection_finds_what_searchsorted_finds_in_each_stretch() -> None:
    times = np.array([1, 3, 3, 9, 2, 2, 5])
    low, high, targets = np.array([0, 4, 0]), np.array([4, 7, 0]), np.array([3, 6, 1])
    assert first_rows_at(times, low, high, targets).tolist() == [1, 7, 0]
