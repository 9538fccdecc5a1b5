"""From the probabilities of actions to one score per post, and from scores to a feed.

Glossary of shapes:
  N: users, C: candidates, A: actions, L: length of a feed.
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


class Feed(NamedTuple):
    """The best candidates of each user, best first, each position explained."""

    candidates: np.ndarray  # [N, L] int64 places among the candidates, -1 where there are no more
    scores: np.ndarray  # [N, L] float32: base score times multiplier
    base_scores: np.ndarray  # [N, L] float32
    multipliers: np.ndarray  # [N, L] float32, from author diversity


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


def diversity_multipliers(
    scores: np.ndarray,
    post_ids: np.ndarray,
    author_ids: np.ndarray,
    *,
    decay: float,
    floor: float,
) -> np.ndarray:
    """The factor by which each candidate is lowered because its author was seen above it.

    (1 - floor) * decay ** r + floor, with r the rank of the candidate among those of the same user
    and author by score; equal scores rank by lower post id. An author of id 0 is unknown, and
    unknown authors are not the same author.

    Args:
      scores: `[N, C]` base scores.
      post_ids: `[N, C]` int64, 0 = padding.
      author_ids: `[N, C]` int64.
      decay: In (0, 1]; published 0.5.
      floor: In [0, 1]; published 0.25.

    Returns:
      `[N, C]` float32.

    >>> diversity_multipliers(
    ...     np.array([[3.0, 2.0, 1.0]]), np.array([[1, 2, 3]]), np.array([[7, 7, 7]]),
    ...     decay=0.5, floor=0.25,
    ... )
    array([[1.    , 0.625 , 0.4375]], dtype=float32)
    """
    num_users, num_candidates = scores.shape
    user = np.repeat(np.arange(num_users), num_candidates)
    post = post_ids.reshape(-1)
    author = np.where(post == 0, 0, author_ids.reshape(-1))  # padding is nobody's post
    order = np.lexsort((post, -scores.reshape(-1), author, user))
    is_first = np.ones(len(order), bool)
    is_first[1:] = (np.diff(user[order]) != 0) | (np.diff(author[order]) != 0)
    is_first |= author[order] == 0
    place = np.arange(len(order))
    rank = np.empty(len(order), np.float64)
    rank[order] = place - np.maximum.accumulate(np.where(is_first, place, 0))
    factors = (1 - floor) * decay**rank + floor
    return factors.astype(np.float32).reshape(scores.shape)


def feed(
    base_scores: np.ndarray,
    post_ids: np.ndarray,
    author_ids: np.ndarray,
    *,
    length: int,
    author_decay: float,
    author_floor: float,
) -> Feed:
    """Applies author diversity and cuts the best `length` candidates of each user.

    Equal scores go by lower post id: the order of the candidates does not matter.

    Args:
      base_scores: `[N, C]` from `weighted_scores`.
      post_ids: `[N, C]` int64, 0 = padding, which is never returned.
      author_ids: `[N, C]` int64.
      length: L, at least 1; a user with fewer candidates gets fewer.
      author_decay: See `diversity_multipliers`.
      author_floor: See `diversity_multipliers`.
    """
    multipliers = diversity_multipliers(
        base_scores, post_ids, author_ids, decay=author_decay, floor=author_floor
    )
    scores = np.asarray(base_scores, np.float32) * multipliers
    is_padding = post_ids == 0
    order = np.lexsort((post_ids, -scores, is_padding), axis=-1)[:, :length]

    def top(values: np.ndarray) -> np.ndarray:
        """The values `[N, L]` of the feed's candidates, of those `[N, C]` of all."""
        return np.take_along_axis(values, order, axis=1)

    return Feed(
        candidates=np.where(top(is_padding), -1, order),
        scores=top(scores),
        base_scores=top(np.asarray(base_scores, np.float32)),
        multipliers=top(multipliers),
    )
