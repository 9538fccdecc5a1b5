"""The windows that a run holds out, and the metrics of its model on them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phoenix.data.window_source import WindowSource, windows_between
from phoenix.data.windows import Windows
from phoenix.metrics.mergeable import merge
from phoenix.recommend.trained import TrainedModel
from phoenix.train.config import VALIDATION_LOSS

# The mean loss of at most a batch of windows, and states of `phoenix.metrics.mergeable` in float64.
LossAndStates = tuple[float, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The windows that are held out, and the model as it is now."""

    source: WindowSource
    start: int  # Number of the first window in the source,
    stop: int  # and of the one after the last.
    batch_size: int
    actions: Sequence[str]
    loss_and_states: Callable[[Windows], LossAndStates]  # By the model as it is now.
    model: Callable[[], TrainedModel]  # As it is now, in buffers of its own.

    def windows(self) -> Iterator[Windows]:
        """Yields them in order, a batch at a time."""
        yield from windows_between(self.source, self.start, self.stop, limit=self.batch_size)

    def metrics(self) -> dict[str, float]:
        """The mean loss over all windows, and every metric of the objective that is defined."""
        losses, counts = [], []
        total: dict[str, Any] = {}
        for windows in self.windows():
            loss, states = self.loss_and_states(windows)
            losses.append(loss)
            counts.append(len(windows.user_ids))
            total = {
                name: merge(total[name], state) if name in total else state
                for name, state in states.items()
            }
        loss = float(np.average(losses, weights=counts))
        return {VALIDATION_LOSS: loss, **finite(validation_metrics(total, self.actions))}


def validation_metrics(states: Mapping[str, Any], actions: Sequence[str]) -> dict[str, float]:
    """Returns the metrics of states, see `metric_values`, by their names in a validation."""
    return {f"validation_{name}": value for name, value in metric_values(states, actions).items()}


def metric_values(
    states: Mapping[str, Any], actions: Sequence[str], only: Sequence[str] | None = None
) -> dict[str, float]:
    """Returns the metrics of states by their names in the curve, NaN where one is not defined.

    Args:
      states: Of `phoenix.metrics.mergeable`, by what was counted.
      actions: The names of the A actions, for metrics that have a value for each.
      only: Names of metrics; None means all.

    >>> from phoenix.metrics.mergeable import WeightedMean
    >>> metric_values({"recall_at_10": WeightedMean.of(np.array([0.5, 1.0]))}, ["like"])
    {'recall_at_10': 0.75}
    """
    values_by_name: dict[str, float] = {}
    for key, state in states.items():
        for metric, values in state.values().items():
            if only is not None and metric not in only:
                continue
            if np.ndim(values):
                names = [f"{metric}/{action}" for action in actions]
            else:
                names = [key if metric == "mean" else f"{key}_{metric}"]
            values_by_name.update(zip(names, np.atleast_1d(values).tolist(), strict=True))
    return values_by_name


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns the metrics that are numbers: others do not fit into JSON and cannot be compared."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
