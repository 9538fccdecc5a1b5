"""Metrics that are counted in pieces and merged: the pieces equal the whole.

A state is a tuple of sums over the first axis of what was counted. Sums of states are states, in
any order, and so is a state times a number: that is how older steps of training count less.
`values` are the metrics of all that was counted, NaN where one is not defined. NumPy arrays are
counted in float64, arrays of JAX in float32 and inside of what is compiled.

Rank metrics count scores in bins, because the exact ones of `phoenix.metrics.ordering` need all
scores at once. Where scores fall into distinct bins, the two agree exactly; else a pair in one bin
counts half.

Glossary of shapes:
  N: examples, R: bins, U: groups; a state of [N, A] examples has a last axis A everywhere.
"""

import operator
from functools import reduce
from types import ModuleType
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from phoenix.data import sorted_ids

# An array of NumPy or of JAX: this module does not import JAX, which the light steps do not need.
Array = Any
_NUM_BINS = 2048
_NUM_PAIR_BINS = 128  # R of both axes
_LARGEST_LOGIT = 16.0  # Beyond it, probabilities differ by less than 1e-6.
_SMALLEST_PROBABILITY = 1e-12


class State(Protocol):
    """Sums of what was counted, which can be added up: a tuple of arrays."""

    def values(self) -> dict[str, Array]:
        """The metrics by name, each with the last axes of what was counted."""
        ...


States = TypeVar("States", bound=tuple)


def merge(first: States, *others: States) -> States:
    """Adds states of one kind up to the state of all that was counted in them.

    >>> merge(WeightedMean(1.0, 2.0), WeightedMean(0.5, 1.0))
    WeightedMean(total=1.5, weight=3.0)
    """
    return type(first)(*(reduce(operator.add, parts) for parts in zip(first, *others, strict=True)))


class Sums(NamedTuple):
    """Sums over examples with labels of 0 and 1, from which means follow."""

    weight: Array
    label: Array  # weighted, as are all below
    prediction: Array
    log_loss: Array
    correct: Array
    absolute_error: Array
    squared_error: Array

    @classmethod
    def of(cls, labels: Array, predictions: Array, weights: Array | None = None) -> "Sums":
        """Counts `[N, ...]` labels and probabilities.

        Raises:
          ValueError: If the shapes differ, or a prediction of NumPy is not a number.
        """
        xp, y, p, w = _matching_arrays(labels, predictions, weights)
        # A probability of exactly 0 or 1 that is wrong costs much, but not everything.
        smallest = max(_SMALLEST_PROBABILITY, float(xp.finfo(p.dtype).eps))
        q = xp.clip(p, smallest, 1 - smallest)
        return cls(
            *(
                xp.sum(w * value, axis=0)
                for value in (
                    xp.ones_like(y),
                    y,
                    p,
                    -y * xp.log(q) - (1 - y) * xp.log1p(-q),
                    (p >= 0.5) == (y > 0),
                    xp.abs(p - y),
                    xp.square(p - y),
                )
            )
        )

    def values(self) -> dict[str, Array]:
        """Log loss, RCE, calibration, accuracy, MAE and MSE.

        RCE is the log loss saved against always predicting the base rate, in percent: 100 is
        perfect, 0 no better, negative worse. Calibration is the sum of predictions over the number
        of positives: 1 is calibrated, 2 predicts twice too much.

        >>> metrics = Sums.of(np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.4, 0.5])).values()
        >>> float(metrics["calibration"]), float(metrics["accuracy"])
        (1.0, 0.5)
        """
        weight, rate = np.asarray(self.weight), _ratio(self.label, self.weight)
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = -rate * np.log(rate) - (1 - rate) * np.log1p(-rate)
        entropy = np.where((rate > 0) & (rate < 1), entropy, np.nan)
        log_loss = _ratio(self.log_loss, weight)
        return {
            "log_loss": log_loss,
            "relative_cross_entropy": 100 * (entropy - log_loss) / entropy,
            "calibration": _ratio(self.prediction, self.label),
            "accuracy": _ratio(self.correct, weight),
            "mean_absolute_error": _ratio(self.absolute_error, weight),
            "mean_squared_error": _ratio(self.squared_error, weight),
        }


class ScoreBins(NamedTuple):
    """Weights of negatives and positives by score, on the logit scale."""

    negatives: Array  # [R, ...]
    positives: Array  # [R, ...]

    @classmethod
    def of(cls, labels: Array, probabilities: Array, weights: Array | None = None) -> "ScoreBins":
        """Counts `[N, ...]` labels, 0 or 1, and probabilities.

        Raises:
          ValueError: If the shapes differ, or a prediction of NumPy is not a number.
        """
        xp, y, p, w = _matching_arrays(labels, probabilities, weights)
        p = xp.clip(p, 1e-7, 1 - 2e-7)  # float32 knows no number closer to 1
        # On the logit scale, because most probabilities of rare actions lie close to 0.
        place = ((xp.log(p) - xp.log1p(-p)) / _LARGEST_LOGIT + 1) / 2
        bins = _bins(xp, place, _NUM_BINS)
        return cls(*(_bin_weights(xp, bins, w * is_own, _NUM_BINS) for is_own in (y <= 0, y > 0)))

    def values(self) -> dict[str, Array]:
        """AUC and PR-AUC, see `phoenix.metrics.ordering`; two scores in one bin tie.

        >>> bins = ScoreBins.of(np.array([1, 0, 0]), np.array([0.5, 0.5, 0.1]))
        >>> float(bins.values()["auc"])
        0.75
        """
        negatives, positives = np.asarray(self.negatives), np.asarray(self.positives)
        wins = np.sum(positives * _at_most_half(negatives), axis=0)
        # Thresholds from the highest bin down: the positives above, and their share of all above.
        hits = np.cumsum(positives[::-1], axis=0)
        precision = _ratio(hits, hits + np.cumsum(negatives[::-1], axis=0))
        area = np.sum(np.where(hits > 0, positives[::-1] * precision, 0), axis=0)
        return {
            "auc": _ratio(wins, positives.sum(axis=0) * negatives.sum(axis=0)),
            "pr_auc": _ratio(area, hits[-1]),
        }


class Deviations(NamedTuple):
    """Distances of predictions from numbers, and how well the orders of both agree."""

    weight: Array
    absolute_error: Array  # weighted, as are all below
    squared_error: Array
    pairs: Array  # [R, R] by target and by prediction

    @classmethod
    def of(
        cls, targets: Array, predictions: Array, weights: Array | None = None, *, largest: float
    ) -> "Deviations":
        """Counts `[N]` targets and predictions from 0 to `largest`.

        Raises:
          ValueError: If the shapes differ, or a prediction of NumPy is not a number.
        """
        xp, y, p, w = _matching_arrays(targets, predictions, weights)
        row, column = (_bins(xp, x / largest, _NUM_PAIR_BINS) for x in (y, p))
        cells = _bin_weights(xp, row * _NUM_PAIR_BINS + column, w, _NUM_PAIR_BINS**2)
        return cls(
            xp.sum(w),
            xp.sum(w * xp.abs(p - y)),
            xp.sum(w * xp.square(p - y)),
            cells.reshape(_NUM_PAIR_BINS, _NUM_PAIR_BINS),
        )

    def values(self) -> dict[str, Array]:
        """MAE, MSE, and XAUC as in `phoenix.metrics.ordering`; two predictions in one bin tie."""
        pairs = np.asarray(self.pairs)
        lower = np.cumsum(pairs, axis=0) - pairs  # of smaller targets, by prediction
        return {
            "mean_absolute_error": _ratio(self.absolute_error, self.weight),
            "mean_squared_error": _ratio(self.squared_error, self.weight),
            "xauc": _ratio(
                np.sum(pairs * _at_most_half(lower.T).T),
                np.sum(pairs.sum(axis=1) * lower.sum(axis=1)),
            ),
        }


class WeightedMean(NamedTuple):
    """The mean of a metric that has one value per group: NDCG, recall, MRR, grouped AUC.

    Groups must not be split over pieces: all examples of a user are counted in one.
    """

    total: Array
    weight: Array

    @classmethod
    def of(cls, values: Array, weights: Array | None = None) -> "WeightedMean":
        """Counts `[U]` values, of which those that are NaN are not defined and left out."""
        xp = values.__array_namespace__()
        w = xp.where(xp.isnan(values), 0.0, 1.0 if weights is None else weights)
        return cls(xp.sum(xp.where(w > 0, values, 0) * w), xp.sum(w))

    def values(self) -> dict[str, Array]:
        """The weighted mean; NaN where no group has a value.

        >>> float(WeightedMean.of(np.array([0.5, np.nan, 1.0])).values()["mean"])
        0.75
        """
        return {"mean": _ratio(self.total, self.weight)}


class Coverage(NamedTuple):
    """Counts of the posts of a corpus, by how often each was retrieved."""

    counts: Array  # [M]

    @classmethod
    def of(cls, retrieved: np.ndarray, corpus: np.ndarray) -> "Coverage":
        """Counts `[...]` int64 post ids, 0 being none, of a corpus of `[M]` distinct ones."""
        order = np.argsort(corpus)
        rows, is_there = sorted_ids.find(corpus[order], retrieved)
        is_there &= retrieved != 0
        counts = np.bincount(order[rows[is_there]], minlength=len(corpus))
        return cls(counts.astype(np.float64))

    def values(self) -> dict[str, Array]:
        """Share of the corpus that somebody got to see.

        >>> coverage = Coverage.of(np.array([[5, 5], [0, 3]]), np.array([3, 4, 5, 6]))
        >>> float(coverage.values()["coverage"])
        0.5
        """
        return {"coverage": _ratio(np.sum(self.counts > 0), len(self.counts))}


def _matching_arrays(
    labels: Array, values: Array, weights: Array | None
) -> tuple[ModuleType, Array, Array, Array]:
    """The namespace of the arrays, and labels, values and weights as its numbers."""
    if labels.shape != values.shape or not labels.ndim:
        raise ValueError(f"Expected two [N, ...] arrays, got {labels.shape}, {values.shape}.")
    xp = values.__array_namespace__()
    dtype = np.float64 if xp is np else np.float32
    y, p = xp.asarray(labels, dtype=dtype), xp.asarray(values, dtype=dtype)
    if xp is np and np.isnan(p).any():
        raise ValueError(f"{int(np.isnan(p).sum())} of {p.size} predictions are NaN.")
    w = xp.ones_like(y) if weights is None else xp.broadcast_to(weights, y.shape).astype(dtype)
    return xp, y, p, w


def _bins(xp: ModuleType, place: Array, size: int) -> Array:
    """The bins of places in [0, 1]; what is outside belongs to the first or the last."""
    return xp.clip(place * size, 0, size - 1).astype(np.int32)


def _bin_weights(xp: ModuleType, bins: Array, weights: Array, size: int) -> Array:
    """`[size, ...]` the sum of the weights in each of `[N, ...]` bins, each last axis by itself."""
    num_columns = int(np.prod(bins.shape[1:]))
    columns = np.arange(num_columns).reshape(bins.shape[1:])
    length = size * num_columns
    # A bin of a column is one of a long row of bins, so that one count serves all columns.
    # JAX wants the length to be fixed, NumPy calls it the smallest.
    size_option = {"minlength": length} if xp is np else {"length": length}
    index = (bins * num_columns + columns).reshape(-1)
    counts = xp.bincount(index, weights.reshape(-1), **size_option)
    return counts.reshape(size, *bins.shape[1:])


def _at_most_half(counts: np.ndarray) -> np.ndarray:
    """The sum of the bins below each bin, and half of its own: a tie is half a win."""
    return np.cumsum(counts, axis=0) - counts / 2


def _ratio(total: Array, weight: Array) -> Array:
    """`total / weight` in float64, NaN where there is no weight."""
    total, weight = np.asarray(total, np.float64), np.asarray(weight, np.float64)
    return np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)[()]
