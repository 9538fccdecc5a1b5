"""The cut of a feed: author diversity, and the best candidates up to its length.

Glossary of shapes:
  N: users, C: candidates, L: length of a feed.
"""

from typing import NamedTuple

import numpy as np


class Feed(NamedTuple):
    """The best candidates of each user, best first, each position explained."""

    candidates: np.ndarray  # [N, L] int64 places among the candidates, -1 where there are no more
    scores: np.ndarray  # [N, L] float32: base score times multiplier
    base_scores: np.ndarray  # [N, L] float32
    multipliers: np.ndarray  # [N, L] float32, from author diversity


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
