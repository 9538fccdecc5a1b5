"""The gain of one mean over another, of users of whom some are in both.

Glossary of shapes:
  U: users of one mean, V: of both.
"""

import numpy as np

from phoenix.metrics.evidence import Evidence


def gain_over(later: Evidence, earlier: Evidence) -> Evidence:
    """Returns the evidence that the mean of `later` is above that of `earlier`.

    Each mean is a ratio of two sums over users, linearised by what each user moves it by. A user of
    both moves their difference once, by both together: so those who came again are compared with
    themselves, and nobody is left out for having come once.

    Args:
      later: Sums and weights of `[U]` users; at least one user.
      earlier: The same of other days, at least one user.

    Returns:
      Of `[V]` users, all of weight 1, with the days of `later`, on each of which somebody may have
      looked. Its mean is the difference of the two means.

    >>> users, ones = np.arange(3), np.ones(3)
    >>> later = Evidence(users, np.array([0.5, 0.7, 0.6]), ones, num_days=1)
    >>> earlier = Evidence(users, np.array([0.4, 0.6, 0.5]), ones, num_days=2)
    >>> gain = gain_over(later, earlier)
    >>> round(gain.mean, 3), gain.num_days
    (0.1, 1)
    """
    users = np.union1d(later.user_ids, earlier.user_ids)
    moves = np.zeros(len(users))
    moves[np.searchsorted(users, later.user_ids)] += _moves(later)
    moves[np.searchsorted(users, earlier.user_ids)] -= _moves(earlier)
    moves -= moves.mean()  # the correction leaves a rest, and the mean must stay the difference
    sums = later.mean - earlier.mean + len(users) * moves
    return Evidence(users, sums, np.ones(len(users)), later.num_days)


def _moves(evidence: Evidence) -> np.ndarray:
    """`[U]` what each user moves the mean by, corrected for their leverage (HC2)."""
    total = evidence.weights.sum()
    moves = (evidence.sums - evidence.weights * evidence.mean) / total
    rest = 1 - evidence.weights / total
    # Of a single user nothing is left to correct: they are the mean.
    return moves / np.sqrt(np.where(rest > 0, rest, 1.0))
