"""Cutting a log of impressions into windows, and finding what was known before each of them.

Two promises hold for every history: nothing in it was shown at or after the cutoff, and nothing in
it arrived after the cutoff. They are what makes training on the past equal to serving in the past.

An impression of which more became known later has several rows, its states: see
`phoenix.data.states`.

Glossary of shapes: L: impressions in the log, N: windows, S: history length, C: candidates.
"""

from typing import NamedTuple

import numpy as np

_NEVER = np.iinfo(np.int64).max


class Log(NamedTuple):
    """L impressions, sorted by user, then time, then event; every array has L rows.

    Rows of the same user, post and time are the states of one impression, by their arrival.
    """

    user_ids: np.ndarray  # int64
    post_ids: np.ndarray  # int64
    author_ids: np.ndarray  # int64
    shown_at: np.ndarray  # int64, ms UTC
    ingested_at: np.ndarray  # int64, ms UTC
    surfaces: np.ndarray  # int32
    actions: np.ndarray  # uint64
    dwell_seconds: np.ndarray  # float32
    created_at: np.ndarray  # int64, ms UTC: of the post, as known on the day; 0 = unknown
    attributes: np.ndarray  # [L, P] float32: of the post and the context, see `attributes`
    weights: np.ndarray  # float32: for how many impressions it stands

    def rows(self, index: np.ndarray | slice) -> "Log":
        """Returns the impressions at `index`, in its order."""
        return Log(*(array[index] for array in self))


def window_numbers(
    user_ids: np.ndarray, shown_at: np.ndarray, *, num_candidates: int, window_ms: int
) -> np.ndarray:
    """Groups consecutive impressions of a user into windows.

    A window ends after `num_candidates` impressions, or before the first impression that comes more
    than `window_ms` after its first one.

    Args:
      user_ids: `[L]`, sorted.
      shown_at: `[L]` ms, ascending within a user.
      num_candidates: C.
      window_ms: Longest time between the first and the last impression of a window.

    Returns:
      `[L]` int64: the window of each impression, numbered from 0 in order of users, then time.

    >>> users, times = np.array([1, 1, 1, 2]), np.array([0, 5, 6, 0])
    >>> window_numbers(users, times, num_candidates=2, window_ms=5)
    array([0, 0, 1, 2])
    """
    firsts, counts = _stretches(user_ids)
    rows = np.arange(len(user_ids))
    ends = firsts + counts
    # Relative to each row: the end of the window that would begin there.
    too_late = first_rows_at(shown_at, rows, np.repeat(ends, counts), shown_at + window_ms + 1)
    following = np.minimum(too_late, rows + num_candidates)
    is_start = np.zeros(len(user_ids), bool)
    current = firsts
    # Where a window ends depends on where it began, so a user's windows cannot be cut all at once.
    while current.size:  # one round per window of the busiest user, all users side by side
        is_start[current] = True
        current = following[current]
        more = current < ends
        current, ends = current[more], ends[more]
    return np.cumsum(is_start) - 1


def is_later_state(log: Log) -> np.ndarray:
    """Tells which rows say more of the impression of the row before them.

    Args:
      log: L rows.

    Returns:
      `[L]` bool.
    """
    is_later = np.zeros(len(log.user_ids), bool)
    is_later[1:] = log.shown_at[1:] == log.shown_at[:-1]
    # Of few rows the time is that of the row before; the other columns are asked for them alone.
    rows = np.flatnonzero(is_later)
    is_later[rows] = (log.user_ids[rows] == log.user_ids[rows - 1]) & (
        log.post_ids[rows] == log.post_ids[rows - 1]
    )
    return is_later


def _replaced_at(log: Log) -> np.ndarray | None:
    """Returns when the next state of each row's impression arrived; None if there is none at all.

    None is what most logs get: what has no states must not pay for them.
    """
    later = np.flatnonzero(is_later_state(log))
    if not later.size:
        return None
    times = np.full(len(log.user_ids), _NEVER)
    times[later - 1] = log.ingested_at[later]
    return times


def rows_still_needed(log: Log, *, known_at: int, oldest: int, length: int) -> np.ndarray:
    """Finds the impressions that may enter a history at `known_at` or any later moment.

    Of what is over and known by then only the latest can; what is not known yet, or not over, will
    be one day.

    Args:
      log: The impressions.
      known_at: ms. The earliest cutoff to come.
      oldest: ms. Nothing shown before may enter a history any more.
      length: S.

    Returns:
      `[K]` int64: rows of the log, ascending.
    """
    # A row is late enough if at most `length` known ones of its user stand from it on.
    is_known = (log.shown_at < known_at) & (log.ingested_at <= known_at)
    is_needed = log.shown_at >= oldest
    replaced_at = _replaced_at(log)
    if replaced_at is not None:
        # Of an impression the state of then counts once, and those before it never again.
        is_replaced = replaced_at <= known_at
        is_needed &= ~is_replaced
        is_known &= ~is_replaced
    firsts, counts = _stretches(log.user_ids)
    through = np.cumsum(is_known)  # known rows from the start of the log through each row
    at_end = np.repeat(through[firsts + counts - 1], counts)
    is_late_enough = at_end - through + is_known <= length
    return np.flatnonzero((is_late_enough | ~is_known) & is_needed)


def _stretches(user_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first row and the number of rows of each user of a sorted log."""
    is_first = np.append(True, user_ids[1:] != user_ids[:-1])[: len(user_ids)]
    firsts = np.flatnonzero(is_first)
    return firsts, np.diff(np.append(firsts, len(user_ids)))


def history_rows(log: Log, user_ids: np.ndarray, cutoffs: np.ndarray, *, length: int) -> np.ndarray:
    """Finds the latest impressions of each user that were over and known at a cutoff.

    Args:
      log: The impressions; `shown_at` and `ingested_at` decide.
      user_ids: `[N]` whose history.
      cutoffs: `[N]` ms. Shown strictly before, ingested not after.
      length: S.

    Returns:
      `[N, S]` int64: rows of the log, oldest first, left-aligned, padded with -1.
    """
    rows = np.full((len(user_ids), length), -1, np.int64)
    if not len(log.user_ids):
        return rows
    lowest = np.searchsorted(log.user_ids, user_ids, "left")
    ends = first_rows_at(
        log.shown_at, lowest, np.searchsorted(log.user_ids, user_ids, "right"), cutoffs
    )
    replaced_at = _replaced_at(log)
    pending, reach = np.arange(len(user_ids)), length
    while pending.size:
        grid = ends[pending, None] + np.arange(-reach, 0)  # [n, reach], ascending in time
        is_real = grid >= lowest[pending, None]
        has_arrived = log.ingested_at[np.maximum(grid, 0)] <= cutoffs[pending, None]
        is_known = is_real & has_arrived
        if replaced_at is not None:
            is_known &= replaced_at[np.maximum(grid, 0)] > cutoffs[pending, None]
        # Rows that arrived late make us look further back, twice as far each time.
        is_done = (is_known.sum(axis=1) >= length) | ~is_real[:, 0]
        rows[pending[is_done]] = _latest_rows(grid[is_done], is_known[is_done], length)
        pending, reach = pending[~is_done], reach * 2
    return rows


def _latest_rows(grid: np.ndarray, is_known: np.ndarray, length: int) -> np.ndarray:
    """Returns the last `length` known rows of each line, left-aligned."""
    num_from_here = np.cumsum(is_known[:, ::-1], axis=1)[:, ::-1]
    is_latest = is_known & (num_from_here <= length)
    places = np.cumsum(is_latest, axis=1) - 1
    lines = np.nonzero(is_latest)[0]
    rows = np.full((len(grid), length), -1, np.int64)
    rows[lines, places[is_latest]] = grid[is_latest]
    return rows


def first_rows_at(
    times: np.ndarray, low: np.ndarray, high: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """Bisects many sorted stretches of one array at once.

    Args:
      times: `[L]`, ascending within each stretch.
      low: `[N]` first row of each stretch.
      high: `[N]` one past its last row.
      targets: `[N]` what to look for.

    Returns:
      `[N]` int64: the first row in `[low, high)` with `times >= target`, or `high`.

    >>> times = np.array([1, 5, 9, 2, 4])
    >>> first_rows_at(times, np.array([0, 3]), np.array([3, 5]), np.array([6, 6])).tolist()
    [2, 5]
    """
    low, high = low.astype(np.int64), high.astype(np.int64)
    while True:
        is_open = low < high
        if not is_open.any():
            return low
        # Row 0 of a closed stretch is read in vain, which is cheaper than to shrink the arrays.
        middle = np.where(is_open, (low + high) // 2, 0)
        is_before = is_open & (times[middle] < targets)
        low = np.where(is_before, middle + 1, low)
        high = np.where(is_open & ~is_before, middle, high)
