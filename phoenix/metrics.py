"""Metrics of orders and retrieved sets, exact; plain functions on whole NumPy arrays.

Means over examples, and what is counted in pieces, are in `phoenix.mergeable_metrics`.

A metric that is not defined for its input (no positive, one class only) is NaN, never a number
that looks like a result. All sums are in float64.

Glossary of shapes:
  N: examples or users, C: candidates, K: retrieved posts, P: relevant posts.
"""

import numpy as np


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Probability that a random positive scores above a random negative, ties counting half.

    Exact, not binned. NaN with one class only.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`, any monotone function of the probability.

    >>> auc(np.array([1, 0, 0]), np.array([0.5, 0.5, 0.1]))
    0.75
    """
    return grouped_auc(labels, scores, np.zeros(len(labels), np.int64))


def grouped_auc(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> float:
    """Mean of the AUC within each group, weighted by the examples of the group.

    With users as groups it asks whether each user's own candidates are in the right order; what
    separates users does not count. Groups with one class only are left out; NaN without a group.
    Source: Zhu et al. 2017, "Optimized Cost per Click in Taobao Display Advertising".

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`.
      groups: `[N]` int64, e.g. user ids.

    >>> grouped_auc(np.array([1, 0, 1, 0]), np.array([2, 1, 4, 3]), np.array([7, 7, 8, 8]))
    1.0
    """
    labels, scores = _checked(labels, scores)
    if len(groups) != len(labels):
        raise ValueError(f"`groups` must have {len(labels)} values, got {len(groups)}.")
    if not len(labels):
        return float("nan")
    order = np.lexsort((scores, groups))
    scores, groups, is_positive = scores[order], groups[order], labels[order] > 0

    # A tie is a run of equal scores in a group; a positive beats the negatives before its run and
    # half of those in it.
    starts_group = np.concatenate([[True], groups[1:] != groups[:-1]])
    starts_tie = starts_group | np.concatenate([[True], scores[1:] != scores[:-1]])
    tie_starts = np.flatnonzero(starts_tie)
    positives = np.add.reduceat(is_positive.astype(np.float64), tie_starts)
    negatives = np.add.reduceat((~is_positive).astype(np.float64), tie_starts)
    group_starts = np.flatnonzero(starts_group[tie_starts])
    below = np.cumsum(negatives) - negatives
    below -= np.repeat(below[group_starts], np.diff(group_starts, append=len(below)))
    wins = np.add.reduceat(positives * (below + negatives / 2), group_starts)
    num_positives = np.add.reduceat(positives, group_starts)
    num_negatives = np.add.reduceat(negatives, group_starts)
    pairs = num_positives * num_negatives
    return _mean(
        wins / np.where(pairs > 0, pairs, 1), np.where(pairs > 0, num_positives + num_negatives, 0)
    )


def pr_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Average precision: the sum over thresholds of (recall gained) * precision.

    Equal scores share one threshold, so the order of ties does not matter. Not interpolated. NaN
    without a positive; the value of random scores is the base rate.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`.

    >>> pr_auc(np.array([1, 0, 1]), np.array([0.9, 0.8, 0.7])) == (1 + 2 / 3) / 2
    True
    """
    labels, scores = _checked(labels, scores)
    is_positive = labels > 0
    if not is_positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends_tie = np.concatenate([ordered[1:] != ordered[:-1], [True]])
    found = np.cumsum(is_positive[order])[ends_tie].astype(np.float64)
    precision = found / (np.flatnonzero(ends_tie) + 1)
    return float(np.sum(np.diff(found, prepend=0) * precision) / found[-1])


def xauc(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Probability that two examples with different targets are predicted in the right order.

    The AUC of a continuous target, e.g. of seconds watched; equal predictions count half. Over all
    pairs, not a sample of them. NaN where all targets are equal.
    Source: Zhan et al. 2022, "Deconfounding Duration Bias in Watch-time Prediction".

    Args:
      targets: `[N]`.
      predictions: `[N]`.

    >>> xauc(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.2])) == 2 / 3
    True
    """
    targets, predictions = _checked(targets, predictions)
    pairs = _num_pairs(np.array([len(targets)])) - _num_pairs(_counts(targets))
    if not pairs:
        return float("nan")
    # Within equal targets by falling prediction, so that no such pair counts as in order.
    ordered = predictions[np.lexsort((-predictions, targets))]
    both = np.unique(np.stack([targets, predictions]), axis=1, return_counts=True)[1]
    ties = _num_pairs(_counts(predictions)) - _num_pairs(both)
    return (_num_ascending(ordered) + ties / 2) / pairs


def _counts(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_counts=True)[1]


def _num_pairs(counts: np.ndarray) -> int:
    return int(np.sum(counts * (counts - 1) // 2))


def _num_ascending(values: np.ndarray) -> int:
    """The number of pairs i < j with values[i] < values[j], by halves."""
    if len(values) < 2:
        return 0
    half = len(values) // 2
    left, right = values[:half], values[half:]
    across = int(np.searchsorted(np.sort(left), right, side="left").sum())
    return across + _num_ascending(left) + _num_ascending(right)


def ndcg_at_k(
    scores: np.ndarray, relevance: np.ndarray, k: int, *, where: np.ndarray | None = None
) -> float:
    """Normalised discounted cumulative gain, averaged over the rows that have a relevant post.

    DCG = sum over places i = 1 .. k of gain_i / log2(i + 1), divided by that of the best order.
    NaN without such a row. Source: Järvelin and Kekäläinen 2002, with linear gains.

    Args:
      scores: `[N, C]`; ties keep the order of the list.
      relevance: `[N, C]` gains, at least 0.
      k: Cut-off, at least 1; values above C mean the whole list.
      where: `[N, C]` bool: true where a candidate is real; None means everywhere.

    Raises:
      ValueError: If `k` is not positive or the shapes differ.

    >>> ndcg_at_k(np.array([[0.1, 0.9]]), np.array([[0, 1]]), k=1)
    1.0
    """
    _check_k(k)
    if scores.shape != relevance.shape or scores.ndim != 2:
        raise ValueError(f"Expected two [N, C] arrays, got {scores.shape}, {relevance.shape}.")
    exists = np.ones(scores.shape, bool) if where is None else where
    gains = np.where(exists, relevance, 0).astype(np.float64)
    # Last the padding, before it by falling score: two stable sorts keep the order of ties.
    order = np.lexsort((-scores.astype(np.float64), ~exists), axis=1)[:, :k]
    discounts = 1 / np.log2(np.arange(order.shape[1]) + 2)
    actual = np.take_along_axis(gains, order, axis=1) @ discounts
    best = -np.sort(-gains, axis=1)[:, :k] @ discounts
    return _mean(actual / np.where(best > 0, best, 1), best > 0)


def recall_at_k(retrieved: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Share of a user's relevant posts among the first k retrieved, averaged over users.

    Users without a relevant post are left out; NaN without a user. With more than k relevant posts
    it cannot reach 1.

    Args:
      retrieved: `[N, K]` int64 post ids, best first, distinct in a row; 0 = none.
      relevant: `[N, P]` int64 post ids in any order; 0 = none, duplicates count once.
      k: Cut-off, at least 1.

    Raises:
      ValueError: If `k` is not positive or the numbers of rows differ.

    >>> recall_at_k(np.array([[5, 7, 9]]), np.array([[7, 8]]), k=2)
    0.5
    """
    _check_k(k)
    distinct = _distinct(retrieved, relevant)
    hits = np.zeros(len(retrieved))
    for column in distinct.T:
        hits += ((retrieved[:, :k] == column[:, None]) & (column != 0)[:, None]).any(axis=1)
    counts = np.sum(distinct != 0, axis=1)
    return _mean(hits / np.maximum(counts, 1), counts > 0)


def mean_reciprocal_rank(retrieved: np.ndarray, relevant: np.ndarray) -> float:
    """Mean of 1 / (place of the first relevant post), 0 where none was retrieved.

    Users without a relevant post are left out; NaN without a user.

    Args:
      retrieved: `[N, K]` int64 post ids, best first; 0 = none.
      relevant: `[N, P]` int64 post ids; 0 = none.

    >>> mean_reciprocal_rank(np.array([[5, 7, 9]]), np.array([[7, 8]]))
    0.5
    """
    distinct = _distinct(retrieved, relevant)
    is_hit = np.zeros(retrieved.shape, bool)
    for column in distinct.T:
        is_hit |= (retrieved == column[:, None]) & (column != 0)[:, None]
    places = np.arange(1, retrieved.shape[1] + 1)
    reciprocal = np.max(is_hit / places, axis=1, initial=0.0)
    return _mean(reciprocal, np.any(distinct != 0, axis=1))


def _distinct(retrieved: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """`relevant` with duplicates in a row set to 0, after checking the rows."""
    if retrieved.ndim != 2 or relevant.ndim != 2 or len(retrieved) != len(relevant):
        raise ValueError(f"Expected [N, K] and [N, P], got {retrieved.shape} and {relevant.shape}.")
    ordered = np.sort(relevant, axis=1)
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = 0
    return ordered


def _checked(labels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if labels.shape != values.shape or labels.ndim != 1:
        raise ValueError(f"Expected two [N] arrays, got {labels.shape} and {values.shape}.")
    values = values.astype(np.float64)
    if np.isnan(values).any():
        raise ValueError(f"{int(np.isnan(values).sum())} of {len(values)} predictions are NaN.")
    return labels, values


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"`k` must be at least 1, got {k}.")


def _mean(values: np.ndarray, weights: np.ndarray | None) -> float:
    total = len(values) if weights is None else float(np.sum(weights, dtype=np.float64))
    if total == 0:
        return float("nan")
    return float(np.sum(values if weights is None else values * weights) / total)
