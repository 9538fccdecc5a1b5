"""The gain of one mean over another, of users of whom some are in both.

Glossary of shapes:
  U: users of one mean, V: of both.
"""

import functools
from collections.abc import Iterable

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
    return _combined(later.mean - earlier.mean, ((later, 1.0), (earlier, -1.0)), later.num_days)


def gain_beside(later: Evidence, earlier: Evidence, control: tuple[Evidence, Evidence]) -> Evidence:
    """Returns the evidence that the mean of `later` is above what `earlier` would have had by then.

    Days differ by more than what is compared. Something else that was measured on the days of both,
    the control, changed from e to l, so the mean of `earlier`, m, would have been m l / e: the
    ratio form of a difference in differences. It is linearised as in `gain_over`, in all means.

    Args:
      later: As in `gain_over`.
      earlier: As in `gain_over`.
      control: Of the days of `later` and of those of `earlier`, with means above 0.

    >>> users, ones = np.arange(3), np.ones(3)
    >>> means = (Evidence(users, mean * ones, ones, num_days=1) for mean in (0.4, 0.8, 0.1, 0.2))
    >>> later, earlier, *control = means
    >>> round(gain_beside(later, earlier, tuple(control)).mean, 3)
    0.0
    """
    of_later, of_earlier = control
    change = of_later.mean / of_earlier.mean
    weight = earlier.mean / of_earlier.mean
    parts = (
        *((later, 1.0), (earlier, -change)),
        *((of_later, -weight), (of_earlier, weight * change)),
    )
    return _combined(later.mean - change * earlier.mean, parts, later.num_days)


def _combined(mean: float, parts: Iterable[tuple[Evidence, float]], num_days: int) -> Evidence:
    """Returns evidence of a mean to which each part contributes its moves, times a factor."""
    parts = tuple(parts)
    users = functools.reduce(np.union1d, (part.user_ids for part, _ in parts))
    moves = np.zeros(len(users))
    for part, factor in parts:
        moves[np.searchsorted(users, part.user_ids)] += factor * _moves(part)
    moves -= moves.mean()  # the correction leaves a rest, and the mean must stay what it is
    return Evidence(users, mean + len(users) * moves, np.ones(len(users)), num_days)


def _moves(evidence: Evidence) -> np.ndarray:
    """`[U]` what each user moves the mean by, corrected for their leverage (HC2)."""
    total = evidence.weights.sum()
    moves = (evidence.sums - evidence.weights * evidence.mean) / total
    rest = 1 - evidence.weights / total
    # Of a single user nothing is left to correct: they are the mean.
    return moves / np.sqrt(np.where(rest > 0, rest, 1.0))
