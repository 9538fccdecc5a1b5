"""What a plain model can count for each impression from what happened before its window.

Glossary of shapes:
  E: impressions, T: actions that are counted, F: features.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_PRIOR = 20.0  # Impressions at the overall rate that every count starts with, as in `MostPopular`.
_HOUR_MS = 3_600_000


class Impressions(NamedTuple):
    """E impressions, in any order."""

    user_ids: np.ndarray  # int64
    post_ids: np.ndarray  # int64
    author_ids: np.ndarray  # int64
    surfaces: np.ndarray  # int
    shown_at: np.ndarray  # int64, ms
    known_at: np.ndarray  # int64, ms: what happened before may be counted
    done: np.ndarray  # [E, T] 0 or 1


def features(log: Impressions) -> np.ndarray:
    """Counts and rates of user, post, author and surface, and of pairs of them.

    For each of these keys: the number of impressions before `known_at`, and with n_t of them with
    action t, (n_t + 20 g_t) / (n + 20), where g_t is the rate of t among all impressions before.

    Args:
      log: E impressions; each counts those of the same key that were shown before its `known_at`.

    Returns:
      `[E, F]` float32; the last two columns are the surface and the hour of the day, UTC.
    """
    users, posts, authors, surfaces = log[:4]
    keys = [[users], [posts], [authors], [surfaces]]
    keys += [[users, authors], [users, surfaces], [posts, surfaces]]
    everything = [np.zeros_like(users)]
    shown, done = counts_before(everything, log.shown_at, log.known_at, log.done)
    overall = (done + 1) / (shown + 2)[:, None]
    columns = [overall]
    for key in keys:
        shown, done = counts_before(key, log.shown_at, log.known_at, log.done)
        columns += [shown[:, None], (done + _PRIOR * overall) / (shown + _PRIOR)[:, None]]
    columns += [surfaces[:, None], (log.shown_at // _HOUR_MS % 24)[:, None]]
    return np.concatenate(columns, axis=1).astype(np.float32)


def counts_before(
    key: Sequence[np.ndarray], shown_at: np.ndarray, known_at: np.ndarray, done: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Counts what the same key had before a moment.

    Args:
      key: Arrays `[E]`; impressions with equal values in all of them have the same key.
      shown_at: `[E]` int64 at least 0.
      known_at: `[E]` int64 at least 0.
      done: `[E, T]` 0 or 1.

    Returns:
      `[E]` impressions of the key with `shown_at` below the `known_at` of the row, and `[E, T]` how
      many of them have each action.
    """
    _, group = np.unique(np.stack(key, axis=1), axis=0, return_inverse=True)
    span = int(max(shown_at.max(initial=0), known_at.max(initial=0))) + 1
    earliest = int(min(shown_at.min(initial=span), known_at.min(initial=span)))
    moments = group * (span - earliest) + shown_at - earliest
    order = np.argsort(moments, kind="stable")
    total = np.concatenate([np.zeros((1, done.shape[1])), np.cumsum(done[order], axis=0)])
    stop = np.searchsorted(moments[order], group * (span - earliest) + known_at - earliest)
    start = np.searchsorted(moments[order], group * (span - earliest))
    return stop - start, total[stop] - total[start]
