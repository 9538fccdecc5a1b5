"""Metrics of an order over all examples, exact; plain functions on whole NumPy arrays.

Orders and retrieved posts within users are in `phoenix.metrics.by_user`; means over examples, and
what is counted in pieces, in `phoenix.metrics.mergeable`.

A metric that is not defined for its input (no positive, one class only) is NaN, never a number
that looks like a result. All sums are in float64.

Glossary of shapes:
  N: examples.
"""

import numpy as np

from phoenix.metrics import by_user

_SMALL = 32  # Examples of which all pairs are compared.


def auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Probability that a random positive scores above a random negative, ties counting half.

    Exact, not binned. NaN with one class only. Within users it is `phoenix.metrics.by_user.gauc`.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`, any monotone function of the probability.
      weights: `[N]` examples for which one stands; None means 1.

    >>> auc(np.array([1, 0, 0]), np.array([0.5, 0.5, 0.1]))
    0.75
    """
    labels, scores = _matching_arrays(labels, scores)
    # One user who saw everything on one day: the same definition, ties included.
    zeros = np.zeros(len(labels), np.int64)
    return by_user.gauc(zeros, zeros, scores, labels > 0, weights).mean


def pr_auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Average precision: the sum over thresholds of (gain of recall) * precision.

    Equal scores share one threshold, so the order of ties does not matter. Not interpolated. NaN
    without a positive; the value of random scores is the base rate.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`.
      weights: `[N]` examples for which one stands; None means 1.

    >>> pr_auc(np.array([1, 0, 1]), np.array([0.9, 0.8, 0.7])) == (1 + 2 / 3) / 2
    True
    """
    labels, scores = _matching_arrays(labels, scores)
    is_positive = labels > 0
    if not is_positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends_tie = np.concatenate([ordered[1:] != ordered[:-1], [True]])
    weight = np.ones(len(order)) if weights is None else weights[order].astype(np.float64)
    hits = np.cumsum(is_positive[order] * weight)[ends_tie]
    precision = hits / np.cumsum(weight)[ends_tie]
    return float(np.sum(np.diff(hits, prepend=0) * precision) / hits[-1])


def xauc(targets: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Probability that two examples with different targets are predicted in the right order.

    The AUC of a continuous target, e.g. of seconds watched; equal predictions count half. Over all
    pairs, not a sample of them. NaN where all targets are equal.
    Source: Zhan et al. 2022, "Deconfounding Duration Bias in Watch-time Prediction".

    Args:
      targets: `[N]`.
      predictions: `[N]`.
      weights: `[N]` examples for which one stands: a pair counts by the product of both, since so
        many pairs it stands for. None means 1.

    >>> xauc(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.2])) == 2 / 3
    True
    """
    targets, predictions = _matching_arrays(targets, predictions)
    weight = np.ones(len(targets)) if weights is None else weights.astype(np.float64)
    if len(np.unique(targets)) < 2:
        return float("nan")
    # Pairs of different targets are all pairs, less those within a target. Those of an example
    # with itself are in both, and leave the difference.
    pairs = weight.sum() ** 2 / 2 - _within(weight, targets)
    # Within equal targets by falling prediction, so that no such pair counts as in order.
    order = np.lexsort((-predictions, targets))
    # Pairs with equal predictions, less those that are equal in both: half of them is in order.
    ties = _within(weight, predictions) - _within(weight, targets, predictions)
    return float((_ascending(predictions[order], weight[order]) + ties / 2) / pairs)


def _within(weights: np.ndarray, *keys: np.ndarray) -> float:
    """The weight of the pairs of examples with equal keys; with itself, one is half a pair.

    >>> _within(np.array([1.0, 2.0, 3.0]), np.array([5, 5, 6])) == (3**2 + 3**2) / 2
    True
    """
    order = np.lexsort(keys)
    is_new = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
    groups = np.cumsum(np.concatenate([[False], is_new]))
    return float(np.sum(np.bincount(groups, weights[order]) ** 2) / 2)


def _ascending(values: np.ndarray, weights: np.ndarray) -> float:
    """The weight of the pairs i < j with values[i] < values[j], by halves."""
    if len(values) <= _SMALL:  # Below it, halves cost more than what they save.
        is_ascending = np.triu(values[:, None] < values)
        return float(weights @ is_ascending @ weights)
    half = len(values) // 2
    first = np.argsort(values[:half], kind="stable")
    below = np.concatenate([[0.0], np.cumsum(weights[first])])
    places = np.searchsorted(values[first], values[half:], side="left")
    across = float(weights[half:] @ below[places])
    return (
        across
        + _ascending(values[:half], weights[:half])
        + _ascending(values[half:], weights[half:])
    )


def _matching_arrays(labels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`[N]` labels and `[N]` values as float64.

    Raises:
      ValueError: If the shapes differ or a value is not a number.
    """
    if labels.shape != values.shape or labels.ndim != 1:
        raise ValueError(f"Expected two [N] arrays, got {labels.shape} and {values.shape}.")
    values = values.astype(np.float64)
    if np.isnan(values).any():
        raise ValueError(f"{int(np.isnan(values).sum())} of {len(values)} predictions are NaN.")
    return labels, values
