"""The numbers of one model on one day, which contests measure and the gate compares."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from phoenix.metrics.by_user import UserValues


class UserCalibration(NamedTuple):
    """Predictions and actions by user, as sums over impressions by their weights."""

    user_ids: np.ndarray  # [U] int64, sorted
    predicted: np.ndarray  # [U] float64
    observed: np.ndarray  # [U] float64
    weights: np.ndarray  # [U] float64, of the impressions

    def where(self, is_one: Callable[[np.ndarray], np.ndarray]) -> "UserCalibration":
        """Returns the sums of those users of whom a function of `[U]` ids says that they count."""
        rows = np.flatnonzero(is_one(self.user_ids))
        return UserCalibration(*(each[rows] for each in self))


@dataclass(frozen=True)
class Result:
    """The numbers of one model; every one in `report` is finite or None."""

    report: dict[str, Any]
    by_user: UserValues | None  # of the metric of the gate; None if the model gave no numbers
    # The same in slices, by their names.
    slices: Mapping[str, UserValues] = field(default_factory=dict)
    # Of actions that have a weight in the score.
    calibration: Mapping[str, UserCalibration] = field(default_factory=dict)
    # Grouped AUC of the score for actions of a weight below 0: the higher, the worse.
    negatives: Mapping[str, UserValues] = field(default_factory=dict)
    # Of every metric that orders models, by its name; the gate's among them.
    by_metric: Mapping[str, UserValues] = field(default_factory=dict)
    # The first posts of a few users.
    examples: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """The metric of the gate."""
        return None if self.by_user is None else finite(self.by_user.mean)

    def where(self, is_one: Callable[[np.ndarray], np.ndarray]) -> "Result":
        """Returns the result with the values of some users; the report stays that of all.

        Args:
          is_one: Says of `[N]` users whether they are among them, `[N]` bool.
        """
        if self.by_user is None:
            return self
        return replace(
            self,
            by_user=self.by_user.where(is_one),
            slices={name: each.where(is_one) for name, each in self.slices.items()},
            calibration={name: each.where(is_one) for name, each in self.calibration.items()},
            negatives={name: each.where(is_one) for name, each in self.negatives.items()},
            by_metric={name: each.where(is_one) for name, each in self.by_metric.items()},
        )


def finite(value: float) -> float | None:
    """Returns a number that JSON can hold: None for NaN, the mean of nobody.

    >>> finite(0.5), finite(float("nan"))
    (0.5, None)
    """
    return float(value) if math.isfinite(value) else None
