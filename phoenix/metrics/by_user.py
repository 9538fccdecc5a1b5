"""Metrics user by user.

Their means over users are NDCG, grouped AUC, recall and MRR; the values by themselves allow a
comparison of two models on the same users, and `phoenix.metrics.mergeable.WeightedMean` of pieces
of them is that of the whole. A metric that is defined for nobody has the mean NaN.

Glossary of shapes:
  E: impressions, U: users, N: requests, K: retrieved posts.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from phoenix.data import sorted_ids


class UserValues(NamedTuple):
    """One value per user for whom the metric is defined."""

    user_ids: np.ndarray  # [U] int64, sorted
    values: np.ndarray  # [U] float64
    weights: np.ndarray  # [U] float64, > 0

    @property
    def mean(self) -> float:
        """The weighted mean; NaN without a user.

        >>> UserValues(np.array([3, 8]), np.array([0.0, 1.0]), np.array([1.0, 3.0])).mean
        0.75
        """
        if not len(self.values):
            return float("nan")
        return float(np.average(self.values, weights=self.weights))

    def of(self, user_ids: np.ndarray) -> "UserValues":
        """The values of those users that are in `user_ids` `[...]`."""
        return self.where(lambda users: np.isin(users, user_ids))

    def where(self, is_one: Callable[[np.ndarray], np.ndarray]) -> "UserValues":
        """The values of those users of whom a function of `[U]` ids says that they are meant."""
        rows = np.flatnonzero(is_one(self.user_ids))
        return UserValues(*(each[rows] for each in self))


def ndcg(
    user_ids: np.ndarray,
    scores: np.ndarray,
    gains: np.ndarray,
    k: int,
    weights: np.ndarray | None = None,
) -> UserValues:
    """NDCG@k of the impressions of each user who had something to gain and something to order.

    DCG = sum over places i = 1 .. k of gain_i / log2(i + 1), divided by that of the best order.
    A user with one impression has nothing to order. Equal scores are worth the mean over all of
    their orders: a model that cannot tell posts apart has the value of chance, whatever their ids.
    Sources: Järvelin and Kekäläinen 2002, with linear gains; McSherry and Najork 2008, "Computing
    Information Retrieval Performance Measures Efficiently in the Presence of Tied Scores".

    Args:
      user_ids: `[E]` int64.
      scores: `[E]`.
      gains: `[E]`, at least 0.
      k: Cut-off, at least 1.
      weights: `[E]` impressions for which one stands: so many places it takes, and so often it
        gains. A user counts by the mean weight of the impressions that gain. None means 1.

    >>> one = np.array([7, 7])
    >>> ndcg(one, np.array([0.1, 0.9]), np.array([0.0, 1.0]), k=1).mean
    1.0
    >>> ndcg(one, np.array([0.5, 0.5]), np.array([0.0, 1.0]), k=1).mean
    0.5
    """
    users, inverse, counts = np.unique(user_ids, return_inverse=True, return_counts=True)
    width = np.ones(len(user_ids)) if weights is None else weights.astype(np.float64)

    def cumulated_gains(values: np.ndarray) -> np.ndarray:
        """`[U]` DCG of each user's impressions, those with high values first."""
        order = np.lexsort((-values, inverse))
        is_first = np.append(True, np.diff(inverse[order]) != 0)
        starts_tie = is_first | np.append(True, np.diff(values[order]) != 0)
        first = np.flatnonzero(starts_tie)
        widths = np.add.reduceat(width[order], first)
        tied_gains = np.add.reduceat((gains * width)[order], first)
        end = np.cumsum(widths)
        above = end - widths
        user = (np.cumsum(is_first) - 1)[starts_tie]  # of each tie
        above -= above[is_first[starts_tie]][user]
        discounts = _discounts_before(above + widths, k) - _discounts_before(above, k)
        return np.bincount(user, tied_gains * discounts / widths, minlength=len(users))

    if not len(user_ids):
        return UserValues(users, np.empty(0), np.empty(0))
    actual, best = cumulated_gains(scores), cumulated_gains(gains)
    has_value = (best > 0) & (counts > 1)
    values = actual[has_value] / best[has_value]
    gaining = np.flatnonzero(gains > 0)
    return UserValues(
        users[has_value],
        values,
        _mean_weights(inverse[gaining], width[gaining], len(users))[has_value],
    )


def _discounts_before(places: np.ndarray, k: int) -> np.ndarray:
    """Sum of the discounts of the first places, of a broken place its share; from k on, nothing."""
    sums = np.append(0, np.cumsum(1 / np.log2(np.arange(k) + 2)))
    return np.interp(places, np.arange(k + 1), sums)


def gauc(
    user_ids: np.ndarray,
    days: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
) -> UserValues:
    """AUC within each user and day with positives and negatives, weighted by its positives.

    What separates users, or the days of a user, does not count: over several days at once, whoever
    knows that a user had luck yesterday would lose, because today has less of it. Zhu et al. 2017,
    "Optimized Cost per Click in Taobao Display Advertising", weight users by impressions; positives
    are what an order can bring forward, so a day with one of them in twenty counts once.

    Args:
      user_ids: `[E]` int64.
      days: `[E]` int64, of the impressions; any numbers that differ between days.
      scores: `[E]`; ties count half.
      labels: `[E]` bool.
      weights: `[E]` impressions for which one stands; None means 1.

    Returns:
      Of each user the mean over days, weighted by positives, and their number as the weight: so the
      mean over users is the one over all pairs of a user and a day.

    >>> users, labels = np.array([7, 7, 7, 8]), np.array([True, False, False, True])
    >>> scores, days = np.array([0.5, 0.5, 0.1, 0.9]), np.zeros(4, np.int64)
    >>> gauc(users, days, scores, labels).values.tolist()
    [0.75]
    """
    if not len(user_ids):
        return UserValues(np.empty(0, np.int64), np.empty(0), np.empty(0))
    order = np.lexsort((scores, days, user_ids))
    users, day, score = user_ids[order], days[order], scores[order]
    weight = np.ones(len(order)) if weights is None else weights[order].astype(np.float64)
    positive, negative = (weight * (labels[order] == is_one) for is_one in (True, False))
    is_first = np.append(True, (np.diff(users) != 0) | (np.diff(day) != 0))
    starts_tie = is_first | np.append(True, np.diff(score) != 0)
    tie = np.cumsum(starts_tie) - 1
    good, bad = np.bincount(tie, positive), np.bincount(tie, negative)
    group = (np.cumsum(is_first) - 1)[starts_tie]  # of each tie
    positives, negatives = np.bincount(group, good), np.bincount(group, bad)
    # Of each tie: the negatives with lower scores, of its own group alone.
    below = np.cumsum(bad) - bad - (np.cumsum(negatives) - negatives)[group]
    # Mann and Whitney: pairs in the right order by the product of their weights, ties count half.
    wins = np.bincount(group, good * (below + bad / 2))
    has_both = (positives > 0) & (negatives > 0)
    values = wins[has_both] / (positives * negatives)[has_both]
    return merged([UserValues(users[is_first][has_both], values, positives[has_both])])


def merged(parts: Sequence[UserValues]) -> UserValues:
    """Returns of each user the weighted mean of all values in some parts, and their weight.

    Args:
      parts: Of several days, say; at least one. A user may be in a part more than once.

    >>> days = [UserValues(np.array([3]), np.array([value]), np.ones(1)) for value in (0.0, 1.0)]
    >>> merged(days).values.tolist(), merged(days).weights.tolist()
    ([0.5], [2.0])
    """
    user_ids, values, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    users, inverse = np.unique(user_ids, return_inverse=True)
    total = np.bincount(inverse, weights, minlength=len(users))
    sums = np.bincount(inverse, weights * values, minlength=len(users))
    return UserValues(users, sums / total, total)


class RetrievalValues(NamedTuple):
    """Metrics of retrieved posts, for users who have relevant ones."""

    recall: UserValues  # Share of the relevant posts; with more than K of them it cannot reach 1.
    ndcg: UserValues  # As above, where a relevant post gains 1, or its weight.
    reciprocal_rank: UserValues  # 1 / place of the first relevant post, 0 where there is none.


def retrieval(
    user_ids: np.ndarray,
    retrieved: np.ndarray,
    relevant: tuple[np.ndarray, np.ndarray],
    weights: np.ndarray | None = None,
    *,
    standing: tuple[np.ndarray, np.ndarray] | None = None,
) -> RetrievalValues:
    """Recall@K, NDCG@K and the reciprocal rank of each user's relevant posts.

    Where posts have equal scores, one order of them was retrieved, and the last place cuts through
    them by an accident of their ids. With `standing`, each metric is its mean over all orders.

    Args:
      user_ids: `[N]` int64, distinct.
      retrieved: `[N, K]` int64 post ids, best first, distinct in a row; 0 = none.
      relevant: Users and posts, two int64 arrays of one length, no post 0; users not in `user_ids`
        are ignored, repeated pairs count once.
      weights: `[pairs]` impressions for which a relevant pair stands: recall is a share of them,
        and they are what NDCG gains; a user counts by the mean of them. None means 1.
      standing: Of each relevant pair, `[pairs]` the posts with a higher score, at least K where it
        cannot be retrieved, and `[pairs]` those with the same score, itself among them. None: as
        they were retrieved, one after the other.

    >>> liked = (np.array([7, 7]), np.array([4, 9]))
    >>> retrieval(np.array([7]), np.array([[5, 4, 3]]), liked).reciprocal_rank.mean
    0.5
    """
    order = np.argsort(user_ids)
    rows, is_there = sorted_ids.find(user_ids[order], relevant[0])
    # [pairs, 2], also where there is none: a pair that is relevant twice is one thing to retrieve.
    pairs, first_pair = np.unique(
        np.stack([order[rows[is_there]], relevant[1][is_there]], axis=1).reshape(-1, 2),
        axis=0,
        return_index=True,
    )
    row, post = pairs.T
    weight = np.ones(len(row))
    if weights is not None:
        weight = weights[is_there][first_pair].astype(np.float64)
    k = retrieved.shape[1]
    if standing is None:
        is_hit = retrieved[row] == post[:, None]  # [pairs, K]
        # What was not retrieved has K above, and gains nothing in any of the metrics.
        above = np.where(is_hit.any(axis=1), is_hit.argmax(axis=1), k)
        tied = np.ones(len(above), np.int64)
    else:
        above, tied = (each[is_there][first_pair] for each in standing)
    inside = np.minimum(above + tied, k) - np.minimum(above, k)  # places that its ties take
    num_relevant = np.bincount(row, weight, minlength=len(user_ids))
    num_hits = np.bincount(row, inside / tied * weight, minlength=len(user_ids))
    discounts = (_discounts_before(above + tied, k) - _discounts_before(above, k)) / tied
    gain = np.bincount(row, weight * discounts, minlength=len(user_ids))
    # The best order has the heaviest first, as many as can be retrieved.
    best_order = np.lexsort((-weight, row))
    place = np.arange(len(row)) - np.searchsorted(row[best_order], row[best_order])
    best_gain = np.where(place < retrieved.shape[1], 1 / np.log2(place + 2), 0)
    best = np.bincount(row[best_order], weight[best_order] * best_gain, minlength=len(user_ids))
    reciprocal = _reciprocal_ranks(row, above, tied, k, len(user_ids))
    own = order[num_relevant[order] > 0]  # Rows of users with relevant posts, by ascending id.
    ratios = (num_hits[own] / num_relevant[own], gain[own] / best[own], reciprocal[own])
    means = _mean_weights(row, weight, len(user_ids))[own]
    return RetrievalValues(*(UserValues(user_ids[own], values, means) for values in ratios))


def _reciprocal_ranks(
    row: np.ndarray, above: np.ndarray, tied: np.ndarray, k: int, num_users: int
) -> np.ndarray:
    """`[num_users]` float64: the mean of 1 / place of the first relevant post, over orders of ties.

    Args:
      row: `[pairs]` place of the user.
      above: `[pairs]` posts above a relevant one.
      tied: `[pairs]` posts of its score.
      k: Places.
      num_users: U.
    """
    # The first is among those with the fewest above, which have one score.
    fewest = np.full(num_users, k, np.int64)
    np.minimum.at(fewest, row, above)
    is_first = (above == fewest[row]) & (above < k)
    users, num_first = np.unique(row[is_first], return_counts=True)
    size = np.ones(num_users, np.int64)
    size[row[is_first]] = tied[is_first]
    means = np.zeros(num_users)
    # Place by place: the chance that none of them came yet, and that one comes now.
    none_yet, place = np.ones(len(users)), 0
    while len(users):
        left = size[users] - place  # posts of the tie that are not placed yet
        means[users] += none_yet * num_first / left / (fewest[users] + place + 1)
        none_yet = none_yet * (1 - num_first / left)
        place += 1
        goes_on = (none_yet > 0) & (fewest[users] + place < k)
        users, num_first, none_yet = users[goes_on], num_first[goes_on], none_yet[goes_on]
    return means


def _mean_weights(users: np.ndarray, weights: np.ndarray, num_users: int) -> np.ndarray:
    """`[U]` float64: the mean weight of each user's impressions, 1 where there is none.

    Args:
      users: `[E]` places from 0 to U - 1.
      weights: `[E]`.
      num_users: U.
    """
    # A log that keeps a share of its users has one weight per user, by which the mean over users is
    # that of all of them, also where a metric, as the reciprocal rank, has no weight of its own.
    counts = np.bincount(users, minlength=num_users)
    totals = np.bincount(users, weights.astype(np.float64), minlength=num_users)
    return np.where(counts > 0, totals / np.maximum(counts, 1), 1.0)
