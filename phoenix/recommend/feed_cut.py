"""The cut of a feed: author diversity, and the best candidates up to its length.

Glossary of shapes:
  N: users, C: candidates, L: length of a feed.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class AuthorDiversity(NamedTuple):
    """How an author who is there again is lowered: see `diversity_multipliers`."""

    decay: float
    floor: float


class Limit(NamedTuple):
    """A number of places that no group of candidates has more of in a feed."""

    groups: np.ndarray  # [N, C] int64: of the candidates, 0 = of none
    most: int


class Quotas(NamedTuple):
    """Places that groups of candidates have at least, where they have so many candidates."""

    groups: np.ndarray  # [N, C] int64: of the candidates
    least: Mapping[int, int]  # by group


class Places(NamedTuple):
    """How many places groups of candidates have in a feed."""

    limits: Sequence[Limit] = ()  # at most; what one leaves out is not counted by the next
    quotas: Quotas | None = None  # at least; the first ones if they ask for more than there are


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
    rank = group_ranks(scores, post_ids, author_ids)
    factors = (1 - floor) * decay ** rank.astype(np.float64) + floor
    return factors.astype(np.float32)


def group_ranks(scores: np.ndarray, post_ids: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """`[N, C]` int64: how many candidates of its group stand above each one, by score.

    Args:
      scores: `[N, C]`.
      post_ids: `[N, C]` int64, 0 = padding; equal scores go by lower post id.
      groups: `[N, C]` int64, such as authors; 0 is no group, and nobody's rank is counted.
    """
    num_users, num_candidates = scores.shape
    user = np.repeat(np.arange(num_users), num_candidates)
    post = post_ids.reshape(-1)
    group = np.where(post == 0, 0, groups.reshape(-1))  # padding is of no group
    order = np.lexsort((post, -scores.reshape(-1), group, user))
    is_first = np.ones(len(order), bool)
    is_first[1:] = (np.diff(user[order]) != 0) | (np.diff(group[order]) != 0)
    is_first |= group[order] == 0
    place = np.arange(len(order))
    rank = np.empty(len(order), np.int64)
    rank[order] = place - np.maximum.accumulate(np.where(is_first, place, 0))
    return rank.reshape(scores.shape)


def feed(
    base_scores: np.ndarray,
    post_ids: np.ndarray,
    author_ids: np.ndarray,
    *,
    length: int,
    diversity: AuthorDiversity,
    places: Places | None = None,
) -> Feed:
    """Applies author diversity and cuts the best `length` candidates of each user.

    The best of each group, as many as it has places at least, are among them, and stand by their
    scores as all others do: at the end if need be. Equal scores go by lower post id: the order of
    the candidates does not matter.

    Args:
      base_scores: `[N, C]` from `weighted_scores`.
      post_ids: `[N, C]` int64, 0 = padding, which is never returned.
      author_ids: `[N, C]` int64.
      length: L, at least 1; a user with fewer candidates gets fewer.
      diversity: How an author who is there again is lowered.
      places: At most and at least so many of some groups.
    """
    multipliers = diversity_multipliers(
        base_scores, post_ids, author_ids, decay=diversity.decay, floor=diversity.floor
    )
    scores = np.asarray(base_scores, np.float32) * multipliers
    is_padding = post_ids == 0
    places = places or Places()
    for limit in places.limits:
        left = np.where(is_padding, 0, post_ids)
        is_padding = is_padding | (group_ranks(base_scores, left, limit.groups) >= limit.most)
    order = np.lexsort((post_ids, -scores, is_padding), axis=-1)
    if places.quotas is not None:
        order = _with_quotas(order, is_padding, places.quotas, length)
    order = order[:, :length]

    def top(values: np.ndarray) -> np.ndarray:
        """The values `[N, L]` of the feed's candidates, of those `[N, C]` of all."""
        return np.take_along_axis(values, order, axis=1)

    return Feed(
        candidates=np.where(top(is_padding), -1, order),
        scores=top(scores),
        base_scores=top(np.asarray(base_scores, np.float32)),
        multipliers=top(multipliers),
    )


def _with_quotas(
    order: np.ndarray, is_padding: np.ndarray, quotas: Quotas, length: int
) -> np.ndarray:
    """Returns an order whose first `length` candidates hold the best of each group.

    Args:
      order: `[N, C]` candidates by score, padding last.
      is_padding: `[N, C]` bool.
      quotas: At least so many of some groups.
      length: Of the feed.

    Returns:
      `[N, C]`: the first ones are in their old order, and so are the others.
    """
    groups = np.take_along_axis(np.where(is_padding, -1, quotas.groups), order, axis=1)
    is_reserved = np.zeros(order.shape, bool)
    for group, least in quotas.least.items():
        is_of_group = groups == group
        is_reserved |= is_of_group & (np.cumsum(is_of_group, axis=1) <= least)
    # Reserved ones and then the best others fill the feed, which is put in order again.
    rank = np.argsort(np.argsort(~is_reserved, axis=1, kind="stable"), axis=1)
    is_in = rank < length
    return np.take_along_axis(order, np.argsort(~is_in, axis=1, kind="stable"), axis=1)
