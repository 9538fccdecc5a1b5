"""States of impressions: what was known of a post that was shown, from each arrival on.

An action may become known long after its impression, so an impression may have several states. In a
log they stand side by side - rows of the same user, post and time - in the order of their arrival,
and each holds all that had arrived by then. A state counts at a moment when it has arrived and the
next one has not; so an impression is in every history from its own arrival on, with the actions
that were known then.

Glossary of shapes: L: rows of a log, M: rows that say more of an impression, N, C: windows and
their candidates.
"""

from typing import NamedTuple

import numpy as np

from phoenix.data.histories import Log, first_rows_at, is_later_state


class LabelRows(NamedTuple):
    """M rows that say more of impressions, which they name by user, post and time."""

    user_ids: np.ndarray  # int64
    post_ids: np.ndarray  # int64
    shown_at: np.ndarray  # int64, ms UTC: of the impression
    ingested_at: np.ndarray  # int64, ms UTC: when the row arrived
    actions: np.ndarray  # uint64
    dwell_seconds: np.ndarray  # float32

    def rows(self, index: np.ndarray | slice) -> "LabelRows":
        """Returns the rows at `index`, in its order."""
        return LabelRows(*(array[index] for array in self))


class States(NamedTuple):
    """States of things, by the rows from which they follow; see `cumulative_states`."""

    rows: np.ndarray  # [K] int64, ascending: the last row that each state needs
    actions: np.ndarray  # [K] uint64
    dwell_seconds: np.ndarray  # [K] float32


def cumulative_states(
    groups: np.ndarray, arrivals: np.ndarray, actions: np.ndarray, dwell_seconds: np.ndarray
) -> States:
    """Makes states of rows: of each arrival the union of all actions and the longest dwell so far.

    Args:
      groups: `[M]`, ascending: whose row it is.
      arrivals: `[M]` ms, ascending within a group.
      actions: `[M]` uint64.
      dwell_seconds: `[M]` float32.

    Returns:
      One state for each arrival of a group that says more than the one before it, and always one
      for the first.

    >>> groups, arrivals = np.array([0, 0, 0, 0, 1]), np.array([1, 1, 2, 3, 5])
    >>> bits, dwell = np.array([1, 2, 1, 4, 0], np.uint64), np.zeros(5, np.float32)
    >>> states = cumulative_states(groups, arrivals, bits, dwell)
    >>> states.rows.tolist(), states.actions.tolist()
    ([1, 3, 4], [3, 7, 0])
    """
    actions, dwell_seconds = actions.copy(), dwell_seconds.copy()
    distance = 1
    # Doubling: after each round a row holds the 2, 4, 8, ... rows up to it, so that a group of a
    # million rows - a player that reports every second - needs 20 rounds.
    while True:
        is_same = groups[distance:] == groups[:-distance]
        if not is_same.any():
            break
        # Of copies: a row must be added as it was before the round.
        actions[distance:] |= np.where(is_same, actions[:-distance], np.uint64(0))
        before = np.where(is_same, dwell_seconds[:-distance], -np.inf)
        dwell_seconds[distance:] = np.maximum(dwell_seconds[distance:], before)
        distance *= 2
    is_last = np.ones(len(groups), bool)  # of its arrival
    is_last[:-1] = (groups[1:] != groups[:-1]) | (arrivals[1:] != arrivals[:-1])
    rows = np.flatnonzero(is_last)
    of_rows = groups[rows], actions[rows], dwell_seconds[rows]
    is_news = np.ones(len(rows), bool)
    is_news[1:] = np.any([values[1:] != values[:-1] for values in of_rows], axis=0)
    rows = rows[is_news]
    return States(rows, actions[rows], dwell_seconds[rows])


def with_labels(log: Log, labels: LabelRows) -> tuple[Log, np.ndarray]:
    """Adds to a log the states that follow from labels of its impressions.

    Labels of impressions that are not in the log are left out. A row that says nothing new makes
    no state, so labels may be added again.

    Args:
      log: L rows in the order of a log.
      labels: M rows in any order.

    Returns:
      The log with all states, and for each of its rows, `[K]` int64, the row of `log` with the
      first state of its impression.
    """
    untouched = np.arange(len(log.user_ids))
    if not len(labels.user_ids) or not len(log.user_ids):
        is_later = is_later_state(log)
        # Most logs have one state of each impression, and must not pay for others.
        return log, untouched - _places(is_later) if is_later.any() else untouched
    rows = np.flatnonzero(np.isin(log.user_ids, labels.user_ids))
    count = len(rows)
    users, posts, times, arrivals, actions, dwell = (
        np.concatenate((getattr(log, name)[rows], getattr(labels, name)))
        for name in LabelRows._fields
    )
    # By impression and arrival; of one arrival what the log says comes first.
    order = np.lexsort((np.arange(len(users)), arrivals, posts, times, users))
    is_new = np.ones(len(order), bool)
    keys = users[order], times[order], posts[order]
    is_new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    groups = np.cumsum(is_new) - 1
    # The row of the log with which an impression begins; none for labels of no impression.
    num_groups = int(groups[-1]) + 1
    is_label = order >= count
    heads = np.full(num_groups, len(log.user_ids))
    np.minimum.at(heads, groups[~is_label], rows[order[~is_label]])
    has_label = np.zeros(num_groups, bool)
    has_label[groups[is_label]] = True
    is_wanted = ((heads < len(log.user_ids)) & has_label)[groups]
    order, groups = order[is_wanted], groups[is_wanted]
    states = cumulative_states(groups, arrivals[order], actions[order], dwell[order])
    heads_of_states = heads[groups[states.rows]]
    own_heads = untouched - _places(is_later_state(log))
    is_kept = ~np.isin(own_heads, heads_of_states)
    first_rows = np.concatenate((own_heads[is_kept], heads_of_states))
    changed = log.rows(heads_of_states)._replace(
        ingested_at=arrivals[order][states.rows],
        actions=states.actions,
        dwell_seconds=states.dwell_seconds,
    )
    parts = log.rows(is_kept), changed
    joined = Log(*(np.concatenate(pair) for pair in zip(*parts, strict=True)))
    # Stable: the states of an impression are in the order of their arrival already.
    places = np.argsort(first_rows, kind="stable")
    return joined.rows(places), first_rows[places]


def label_rows(log: Log, candidates: np.ndarray, known_by: np.ndarray) -> np.ndarray:
    """Finds the last state of impressions that had arrived by some moment.

    Args:
      log: L rows.
      candidates: `[...]` int64: the row of the first state of each, -1 for none.
      known_by: `[...]` ms: what arrived later does not count.

    Returns:
      `[...]` int64: rows of the log; the first state if none had arrived by then, -1 for none.
    """
    is_later = is_later_state(log)
    if not is_later.any():
        return candidates
    # Of each row: one past the last state of its impression.
    firsts = np.flatnonzero(~is_later)
    ends = np.append(firsts[1:], len(log.user_ids))[
        np.searchsorted(firsts, candidates, "right") - 1
    ]
    low = np.maximum(candidates, 0)
    late = first_rows_at(
        log.ingested_at, low.ravel(), np.maximum(ends, low).ravel(), (known_by + 1).ravel()
    ).reshape(candidates.shape)
    return np.where(candidates < 0, -1, np.maximum(late - 1, candidates))


def _places(is_later: np.ndarray) -> np.ndarray:
    """Returns the place of each row among the states of its impression, from 0."""
    rows = np.arange(len(is_later))
    return rows - np.maximum.accumulate(np.where(is_later, 0, rows))
