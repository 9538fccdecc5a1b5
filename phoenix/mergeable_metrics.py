"""Metrics that are counted in pieces and merged: the pieces equal the whole.

A state is a tree of sums. `+` merges two states, in any order; `value` is the metric of all that
was counted, NaN where it is not defined. Rank metrics count scores in bins of equal width on the
logit scale, because the exact ones of `phoenix.metrics` need all scores at once. Where scores fall
into distinct bins, the two agree exactly; else a pair in one bin counts half.

Glossary of shapes:
  N: examples, R: bins, U: groups.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from phoenix import metrics

_NUM_BINS = 8192
_LARGEST_LOGIT = 16.0  # Beyond it, probabilities differ by less than 1e-6.
_SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Sums:
    """Sums over examples, from which the means below follow."""

    weight: float = 0.0
    label: float = 0.0  # weighted, as are all below
    prediction: float = 0.0
    log_loss: float = 0.0
    correct: float = 0.0
    absolute_error: float = 0.0
    squared_error: float = 0.0

    @classmethod
    def of(
        cls, labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None = None
    ) -> Self:
        """Counts `[N]` labels and predictions; log loss and accuracy are those of probabilities.

        Raises:
          ValueError: If the shapes differ or a prediction is not a number.
        """
        if labels.shape != predictions.shape or labels.ndim != 1:
            raise ValueError(f"Expected two [N] arrays, got {labels.shape}, {predictions.shape}.")
        y, p = labels.astype(np.float64), predictions.astype(np.float64)
        if np.isnan(p).any():
            raise ValueError(f"{int(np.isnan(p).sum())} of {len(p)} predictions are NaN.")
        w = np.ones_like(y) if weights is None else weights.astype(np.float64)
        q = np.clip(p, _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
        return cls(
            *(
                float(np.sum(w * value))
                for value in (
                    np.ones_like(y),
                    y,
                    p,
                    -y * np.log(q) - (1 - y) * np.log1p(-q),
                    (p >= 0.5) == (y > 0),
                    np.abs(p - y),
                    np.square(p - y),
                )
            )
        )

    def __add__(self, other: "Sums") -> "Sums":
        pairs = zip(self.__dict__.values(), other.__dict__.values(), strict=True)
        return Sums(*(a + b for a, b in pairs))

    def values(self) -> dict[str, float]:
        """Log loss, RCE, calibration, accuracy, MAE and MSE, by the names of `phoenix.metrics`."""
        w, rate = self.weight, _ratio(self.label, self.weight)
        entropy = float("nan")
        if 0 < rate < 1:
            entropy = -rate * np.log(rate) - (1 - rate) * np.log1p(-rate)
        log_loss = _ratio(self.log_loss, w)
        return {
            "log_loss": log_loss,
            "relative_cross_entropy": float(100 * (entropy - log_loss) / entropy),
            "calibration": _ratio(self.prediction, self.label),
            "accuracy": _ratio(self.correct, w),
            "mean_absolute_error": _ratio(self.absolute_error, w),
            "mean_squared_error": _ratio(self.squared_error, w),
        }


@dataclass(frozen=True)
class ScoreBins:
    """Weights of negatives and positives by score, from which AUC and PR-AUC follow."""

    negatives: np.ndarray = field(default_factory=lambda: np.zeros(_NUM_BINS))  # [R]
    positives: np.ndarray = field(default_factory=lambda: np.zeros(_NUM_BINS))  # [R]

    @classmethod
    def of(
        cls, labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
    ) -> Self:
        """Counts `[N]` labels, 0 or 1, and probabilities."""
        p = np.clip(probabilities.astype(np.float64), 1e-9, 1 - 1e-9)
        logits = np.log(p) - np.log1p(-p)
        place = (logits / _LARGEST_LOGIT + 1) / 2 * _NUM_BINS
        bins = np.clip(place.astype(np.int64), 0, _NUM_BINS - 1)
        w = np.ones(len(bins)) if weights is None else weights.astype(np.float64)
        is_positive = labels > 0
        return cls(
            np.bincount(bins, w * ~is_positive, minlength=_NUM_BINS),
            np.bincount(bins, w * is_positive, minlength=_NUM_BINS),
        )

    def __add__(self, other: "ScoreBins") -> "ScoreBins":
        return ScoreBins(self.negatives + other.negatives, self.positives + other.positives)

    def decayed(self, share: float) -> "ScoreBins":
        """What is left of old counts when newer ones are to count more."""
        return ScoreBins(self.negatives * share, self.positives * share)

    @property
    def auc(self) -> float:
        """See `metrics.auc`; two scores in one bin tie."""
        below = np.cumsum(self.negatives) - self.negatives
        wins = float(np.sum(self.positives * (below + self.negatives / 2)))
        return _ratio(wins, float(self.positives.sum() * self.negatives.sum()))

    @property
    def pr_auc(self) -> float:
        """See `metrics.pr_auc`; two scores in one bin share a threshold."""
        positives, negatives = self.positives[::-1], self.negatives[::-1]
        found = np.cumsum(positives)
        retrieved = found + np.cumsum(negatives)
        precision = np.divide(found, retrieved, out=np.zeros_like(found), where=retrieved > 0)
        return _ratio(float(np.sum(positives * precision)), float(found[-1]))


@dataclass(frozen=True)
class WeightedMean:
    """The mean of a metric that has one value per group: NDCG, recall, MRR, grouped AUC.

    Groups must not be split over pieces: all examples of a user are counted in one.
    """

    total: float = 0.0
    weight: float = 0.0

    @classmethod
    def of(cls, values: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Counts `[U]` values, of which those that are NaN are not defined and left out."""
        w = np.ones(len(values)) if weights is None else weights.astype(np.float64)
        defined = ~np.isnan(values)
        return cls(float(np.sum((values * w)[defined])), float(np.sum(w[defined])))

    def __add__(self, other: "WeightedMean") -> "WeightedMean":
        return WeightedMean(self.total + other.total, self.weight + other.weight)

    @property
    def value(self) -> float:
        """The weighted mean."""
        return _ratio(self.total, self.weight)


@dataclass(frozen=True)
class Seen:
    """Which posts somebody got to see, from which the coverage of a corpus follows."""

    posts: frozenset[int] = frozenset()

    @classmethod
    def of(cls, retrieved: np.ndarray) -> Self:
        """Counts `[...]` int64 post ids; 0 is none."""
        return cls(frozenset(np.unique(retrieved[retrieved != 0]).tolist()))

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(self.posts | other.posts)

    def coverage(self, corpus: np.ndarray) -> float:
        """See `metrics.coverage`."""
        return metrics.coverage(np.fromiter(self.posts, np.int64, len(self.posts)), corpus)


class Decayed:
    """AUC and recall of the last steps of training: a step counts half after `half_life` more."""

    def __init__(self, half_life: float) -> None:
        """Takes the number of steps, > 0, after which a step counts half."""
        if not half_life > 0:
            raise ValueError(f"`half_life` must be > 0, got {half_life}.")
        self._share = 0.5 ** (1 / half_life)
        self._bins: dict[str, ScoreBins] = {}
        self._means: dict[str, WeightedMean] = {}

    def add_scores(self, name: str, labels: np.ndarray, probabilities: np.ndarray) -> None:
        """Counts the `[N]` examples of one step for the AUC called `name`."""
        old = self._bins.get(name, ScoreBins()).decayed(self._share)
        self._bins[name] = old + ScoreBins.of(labels, probabilities)

    def add_values(self, name: str, values: np.ndarray) -> None:
        """Counts the `[U]` values of one step, e.g. recall of each user, for the mean `name`."""
        old = self._means.get(name, WeightedMean())
        faded = WeightedMean(old.total * self._share, old.weight * self._share)
        self._means[name] = faded + WeightedMean.of(values)

    def values(self) -> dict[str, float]:
        """All of them, by name."""
        found = {name: bins.auc for name, bins in self._bins.items()}
        found |= {name: mean.value for name, mean in self._means.items()}
        return dict(sorted(found.items()))


def _ratio(total: float, weight: float) -> float:
    return total / weight if weight else float("nan")
