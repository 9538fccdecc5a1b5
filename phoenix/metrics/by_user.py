"""Metrics user by user.

Their means over users are NDCG, grouped AUC, recall and MRR; the values by themselves allow a
comparison of two models on the same users, and `phoenix.metrics.mergeable.WeightedMean` of pieces
of them is that of the whole. A metric that is defined for nobody has the mean NaN.

Glossary of shapes:
  E: impressions, U: users, N: requests, K: retrieved posts.
"""

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
        is_one = np.isin(self.user_ids, user_ids)
        return UserValues(self.user_ids[is_one], self.values[is_one], self.weights[is_one])


def ndcg(
    user_ids: np.ndarray, post_ids: np.ndarray, scores: np.ndarray, gains: np.ndarray, k: int
) -> UserValues:
    """NDCG@k of the impressions of each user who had something to gain and something to order.

    DCG = sum over places i = 1 .. k of gain_i / log2(i + 1), divided by that of the best order.
    A user with one impression has nothing to order. Equal scores go by lower post id.
    Source: Järvelin and Kekäläinen 2002, with linear gains.

    Args:
      user_ids: `[E]` int64.
      post_ids: `[E]` int64.
      scores: `[E]`.
      gains: `[E]`, at least 0.
      k: Cut-off, at least 1.

    >>> one = np.array([7, 7])
    >>> ndcg(one, np.array([1, 2]), np.array([0.1, 0.9]), np.array([0.0, 1.0]), k=1).mean
    1.0
    """
    users, inverse, counts = np.unique(user_ids, return_inverse=True, return_counts=True)

    def cumulated_gains(order: np.ndarray) -> np.ndarray:
        """`[U]` DCG of each user's impressions in an order that has users one after the other."""
        starts = np.cumsum(counts) - counts
        place = np.arange(len(order)) - np.repeat(starts, counts)
        discount = np.where(place < k, 1 / np.log2(place + 2), 0)
        return np.bincount(inverse[order], gains[order] * discount, minlength=len(users))

    actual = cumulated_gains(np.lexsort((post_ids, -scores, inverse)))
    best = cumulated_gains(np.lexsort((-gains, inverse)))
    has_value = (best > 0) & (counts > 1)
    values = actual[has_value] / best[has_value]
    return UserValues(users[has_value], values, np.ones(len(values)))


def auc(user_ids: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> UserValues:
    """AUC within each user who has positives and negatives, weighted by impressions.

    What separates users does not count. Its mean is the grouped AUC of Zhu et al. 2017, "Optimized
    Cost per Click in Taobao Display Advertising".

    Args:
      user_ids: `[E]` int64.
      scores: `[E]`; ties count half.
      labels: `[E]` bool.

    >>> users, labels = np.array([7, 7, 7, 8]), np.array([True, False, False, True])
    >>> auc(users, np.array([0.5, 0.5, 0.1, 0.9]), labels).values.tolist()
    [0.75]
    """
    users, inverse, counts = np.unique(user_ids, return_inverse=True, return_counts=True)
    order = np.lexsort((scores, inverse))
    group, value, positive = inverse[order], scores[order], labels[order].astype(np.float64)
    if not len(order):
        return UserValues(users, np.empty(0), np.empty(0))
    # Equal scores of a user share the mean of their places, which makes each such pair half a win.
    new_tie = np.concatenate([[True], (np.diff(group) != 0) | (np.diff(value) != 0)])
    tie = np.cumsum(new_tie) - 1
    place = np.arange(len(order), dtype=np.float64) - np.repeat(np.cumsum(counts) - counts, counts)
    mean_place = (np.bincount(tie, place) / np.bincount(tie))[tie]
    positives = np.bincount(group, positive, minlength=len(users))
    negatives = counts - positives
    # Mann and Whitney: the sum of the ranks of the positives, less their ranks among themselves.
    ranks = np.bincount(group, positive * mean_place, minlength=len(users))
    wins = ranks - positives * (positives - 1) / 2
    has_both = (positives > 0) & (negatives > 0)
    values = wins[has_both] / (positives * negatives)[has_both]
    return UserValues(users[has_both], values, counts[has_both].astype(np.float64))


class RetrievalValues(NamedTuple):
    """Metrics of retrieved posts, for users who have relevant ones."""

    recall: UserValues  # Share of the relevant posts; with more than K of them it cannot reach 1.
    ndcg: UserValues  # As above, where a relevant post gains 1.
    reciprocal_rank: UserValues  # 1 / place of the first relevant post, 0 where there is none.


def retrieval(
    user_ids: np.ndarray, retrieved: np.ndarray, relevant: tuple[np.ndarray, np.ndarray]
) -> RetrievalValues:
    """Recall@K, NDCG@K and the reciprocal rank of each user's relevant posts.

    Args:
      user_ids: `[N]` int64, distinct.
      retrieved: `[N, K]` int64 post ids, best first, distinct in a row; 0 = none.
      relevant: Users and posts, two int64 arrays of one length, no post 0; users not in `user_ids`
        are ignored, repeated pairs count once.

    >>> liked = (np.array([7, 7]), np.array([4, 9]))
    >>> retrieval(np.array([7]), np.array([[5, 4, 3]]), liked).reciprocal_rank.mean
    0.5
    """
    order = np.argsort(user_ids)
    rows, is_there = sorted_ids.find(user_ids[order], relevant[0])
    # [pairs, 2], also where there is none: a pair that is relevant twice is one thing to retrieve.
    pairs = np.unique(
        np.stack([order[rows[is_there]], relevant[1][is_there]], axis=1).reshape(-1, 2), axis=0
    )
    row, post = pairs.T
    is_hit = retrieved[row] == post[:, None]  # [pairs, K]
    # A post that was not retrieved has an infinite rank, which gains nothing in any of the metrics.
    rank = np.where(is_hit.any(axis=1), is_hit.argmax(axis=1) + 1.0, np.inf)
    num_relevant = np.bincount(row, minlength=len(user_ids))
    num_hits = np.bincount(row, np.isfinite(rank), minlength=len(user_ids))
    gain = np.bincount(row, 1 / np.log2(rank + 1), minlength=len(user_ids))
    best = np.cumsum(1 / np.log2(np.arange(retrieved.shape[1]) + 2))
    first = np.full(len(user_ids), np.inf)
    np.minimum.at(first, row, rank)
    own = order[num_relevant[order] > 0]  # Rows of users with relevant posts, by ascending id.
    ideal = best[np.minimum(num_relevant[own], len(best)) - 1]
    users, weights = user_ids[own], np.ones(len(own))
    return RetrievalValues(
        *(
            UserValues(users, values, weights)
            for values in (num_hits[own] / num_relevant[own], gain[own] / ideal, 1 / first[own])
        )
    )
