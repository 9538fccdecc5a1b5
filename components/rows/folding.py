"""Impressions of a log of actions: the actions of a user on a post, folded in time.

The first action of a user on a post is an impression, and what follows within `fold_minutes` of it
belongs to it; a later one is an impression of its own. Impressions of one post are therefore
further apart than a window is long, so that none holds a post twice. Rows that arrive late never
move an impression that is known: a late row belongs to the last one before it or, if there is
none, to the next one, so that a day that is run again keeps its impressions.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.rows.rules import KEY, SIGNALS
from components.tables import data_files
from phoenix.data.days import DAY_MS
from phoenix.data.hashing import repeated, row_keys
from phoenix.data.histories import first_rows_at, window_numbers


class Actions(NamedTuple):
    """M rows: who did something to which post, and when."""

    user_ids: np.ndarray  # [M] int64
    post_ids: np.ndarray  # [M] int64
    times: np.ndarray  # [M] int64, ms UTC


def actions_of(table: pa.Table) -> Actions:
    """Returns the users, posts and times of events or accepted rows."""
    columns = data_files.columns(table.select(["user_id", "post_id", "shown_at"]))
    return Actions(*columns.values())


def impression_times(
    actions: Actions, turns: np.ndarray, earlier: Actions, *, fold_ms: int
) -> np.ndarray:
    """Finds the impression to which each action belongs.

    Args:
      actions: M rows in any order.
      turns: `[M]` int64: how many days after its own each arrived. What arrived first makes
        impressions first.
      earlier: Impressions that are known already.
      fold_ms: How long after the first action of an impression its last may come.

    Returns:
      `[M]` int64 ms: the time of the first action of the impression.

    >>> actions = Actions(np.array([1, 1, 1, 1]), np.array([5, 5, 5, 6]), np.array([0, 9, 11, 9]))
    >>> nothing = Actions(*(np.empty(0, np.int64) for _ in range(3)))
    >>> impression_times(actions, np.zeros(4, int), nothing, fold_ms=10).tolist()
    [0, 0, 11, 9]
    """
    both = [np.concatenate(each) for each in zip(actions, earlier, strict=True)]
    # Who has one action on a post has an impression; most have, and the others are few.
    rows = repeated(row_keys(both[0], both[1]))
    users, posts, times = (each[rows] for each in both)
    pairs, num_own = _pair_numbers(users, posts), int(np.searchsorted(rows, len(turns)))
    result = actions.times.copy()
    result[rows[:num_own]] = _fold(
        pairs[:num_own],
        times[:num_own],
        turns[rows[:num_own]],
        (pairs[num_own:], times[num_own:]),
        fold_ms=fold_ms,
    )
    return result


def _fold(
    pairs: np.ndarray,
    times: np.ndarray,
    turns: np.ndarray,
    known: tuple[np.ndarray, np.ndarray],
    *,
    fold_ms: int,
) -> np.ndarray:
    """Returns the times of impressions; pairs of user and post are numbers, see the caller."""
    result = times.copy()
    for turn in np.unique(turns):
        rows = np.flatnonzero(turns == turn)
        matches = _matches(pairs[rows], times[rows], *known, fold_ms=fold_ms, is_late=turn > 0)
        result[rows] = np.where(matches >= 0, matches, times[rows])
        rest = rows[matches < 0]
        rest = rest[np.lexsort((times[rest], pairs[rest]))]
        numbers = window_numbers(
            pairs[rest], times[rest], num_candidates=len(rest) + 1, window_ms=fold_ms
        )
        firsts = rest[np.flatnonzero(np.diff(numbers, prepend=-1))]
        result[rest] = times[firsts][numbers]
        known = np.append(known[0], pairs[firsts]), np.append(known[1], times[firsts])
    return result


def without_copies(rows: pa.Table, places: np.ndarray) -> np.ndarray:
    """Leaves out the places of rows that say the same as one before them.

    Args:
      rows: With the columns of an engine, in the order of the source.
      places: `[k]` int64, rising: the rows that are asked about.
    """
    keys = data_files.columns(rows.select(KEY)).values()
    candidates = places[repeated(row_keys(*(each[places] for each in keys)))]
    of_candidates = rows.select([*KEY, *SIGNALS]).take(pa.array(candidates))
    columns = data_files.columns(of_candidates).values()
    order = np.lexsort([*columns])  # stable: the first of those that are equal stays the first
    is_same = np.all([each[order[1:]] == each[order[:-1]] for each in columns], axis=0)
    return np.setdiff1d(places, candidates[order[1:][is_same]], assume_unique=True)


def with_impression_times(table: pa.Table, earlier: pa.Table, *, fold_ms: int) -> pa.Table:
    """Returns late rows with the time of the impression that they belong to.

    That of a row which belongs to none that is known is the one that its day will make of it.

    Args:
      table: Rows of earlier days with the columns of `EVENTS`.
      earlier: The impressions of these days.
      fold_ms: See `impression_times`.
    """
    late, impressions = actions_of(table), actions_of(earlier)
    turns = np.ones(len(table), np.int64)  # all arrived after what is known
    return with_times(table, impression_times(late, turns, impressions, fold_ms=fold_ms))


def with_times(table: pa.Table, shown_at: np.ndarray) -> pa.Table:
    """Returns rows with other times of their impressions, in ms."""
    index = table.schema.get_field_index("shown_at")
    field = table.schema.field(index)
    values = pa.array(shown_at)
    # In an engine times are whole numbers, in a file they have their own type.
    return table.set_column(index, field, values.view(field.type))


def turns_of(arrivals: np.ndarray, day_start: int) -> np.ndarray:
    """Returns how many days after a day rows arrived, at least 0; times are in ms."""
    return np.maximum((arrivals - day_start) // DAY_MS, 0)


def _pair_numbers(users: np.ndarray, posts: np.ndarray) -> np.ndarray:
    """Returns a number for the pair of user and post of each row."""
    order = np.lexsort((posts, users))
    is_new = np.zeros(len(order), bool)
    is_new[1:] = (np.diff(users[order]) != 0) | (np.diff(posts[order]) != 0)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(is_new)
    return numbers


def _matches(
    pairs: np.ndarray,
    times: np.ndarray,
    known_pairs: np.ndarray,
    known_times: np.ndarray,
    *,
    fold_ms: int,
    is_late: bool,
) -> np.ndarray:
    """Returns the time of the known impression that each row belongs to, -1 for none."""
    if not len(known_pairs):
        return np.full(len(pairs), -1)
    order = np.lexsort((known_times, known_pairs))
    known_pairs, known_times = known_pairs[order], known_times[order]
    low = np.searchsorted(known_pairs, pairs, "left")
    high = np.searchsorted(known_pairs, pairs, "right")
    after = first_rows_at(known_times, low, high, times + 1)
    before = known_times[np.maximum(after - 1, 0)]
    result = np.where((after > low) & (times - before <= fold_ms), before, -1)
    if is_late:
        following = known_times[np.minimum(after, len(known_times) - 1)]
        is_near = (result < 0) & (after < high) & (following - times <= fold_ms)
        result = np.where(is_near, following, result)
    return result


def keys_of_late(late: pa.Table, accepted: pa.Table, fold_ms: int | None) -> pa.Table:
    """Returns the keys of the impressions of late rows, folded where the log is one of actions."""
    if fold_ms is not None:
        late = with_impression_times(late, accepted, fold_ms=fold_ms)
    return late.select(KEY)
