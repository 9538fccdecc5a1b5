"""The score of a post, from the probabilities of actions.

Glossary of shapes:
  A: actions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# A score is moved above 0, so that multipliers below 1 always lower it, and kept in order.
_OFFSET = 0.001


class WeightedScores(NamedTuple):
    """Scores, and what could not be used for them."""

    scores: np.ndarray  # [...] float32
    num_not_finite: np.ndarray  # [A] int64: probabilities that were NaN or infinite, by action


def weighted_scores(
    probabilities: np.ndarray, weights: Sequence[float], is_real: np.ndarray | None = None
) -> WeightedScores:
    """Combines the probabilities of all actions by the published formula.

    With c = sum of weight * probability, P the sum of the positive weights and N the sum of the
    sizes of the negative ones, the score is (c + N) / (P + N) * 0.001 if c < 0 and c + 0.001
    otherwise: negative sums shrink into (0, 0.001), the order stays. Without any weight the score
    is max(c, 0). A probability that is not finite counts as 0 and is reported.

    Args:
      probabilities: `[..., A]`.
      weights: A numbers.
      is_real: `[...]` bool; false marks padding, which is scored but not reported.

    >>> weighted_scores(np.array([[0.5, 0.0], [0.0, 0.5]]), [2.0, -2.0]).scores.round(5).tolist()
    [1.0010000467300415, 0.0002500000118743628]
    """
    weight = np.asarray(weights, np.float64)
    is_finite = np.isfinite(probabilities)
    combined = np.zeros(probabilities.shape[:-1], np.float64)
    for action, value in enumerate(weight):  # one action after the other: a fixed rounding order
        combined += value * np.where(is_finite[..., action], probabilities[..., action], 0.0)
    positive, negative = weight[weight > 0].sum(), -weight[weight < 0].sum()
    if positive + negative == 0:
        scores = np.maximum(combined, 0.0)
    else:
        shrunk = (combined + negative) / (positive + negative) * _OFFSET
        scores = np.where(combined < 0, shrunk, combined + _OFFSET)
    is_broken = ~is_finite if is_real is None else ~is_finite & is_real[..., None]
    axes = tuple(range(probabilities.ndim - 1))
    return WeightedScores(scores.astype(np.float32), is_broken.sum(axis=axes, dtype=np.int64))
