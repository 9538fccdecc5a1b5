"""The windows that a run holds out, and the metrics of its model on them.

Glossary of shapes:
  N: windows of a source.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from phoenix.data.hashing import user_shares
from phoenix.data.window_source import SelectedWindows, WindowSource, windows_between
from phoenix.data.windows import Windows
from phoenix.metrics.mergeable import merge
from phoenix.recommend.trained import TrainedModel
from phoenix.train.config import VALIDATION_LOSS, ValidationConfig

# The mean loss of at most a batch of windows, and states of `phoenix.metrics.mergeable` in float64.
LossAndStates = tuple[float, Mapping[str, Any]]


class Split(NamedTuple):
    """A source in two parts: to train on, and to validate on."""

    train: WindowSource
    validation: WindowSource
    # ms UTC: no window to validate on starts before it, and nothing from then on is in a history to
    # train on; None where users are apart, or nothing is held out.
    since: int | None

    @classmethod
    def of(cls, source: WindowSource, config: ValidationConfig) -> "Split":
        """Splits a source; reads it once if anything is held out.

        Args:
          source: N windows.
          config: Which of them are held out.
        """
        sizes = list(source.chunk_sizes)
        if not config.fraction:
            nothing = SelectedWindows(source, [np.empty(0, np.int64) for _ in sizes])
            return cls(source, nothing, None)
        fields = [
            (windows.user_ids, windows.starts_at) for windows in map(source.read, range(len(sizes)))
        ]
        no_fields = np.empty(0, np.int64)
        users, starts = (
            np.concatenate([no_fields, *arrays])
            for arrays in (zip(*fields, strict=True) if fields else ((), ()))
        )
        if config.split == "users":
            is_held_out, since = user_shares(users) < config.fraction, None
        else:
            # A model is asked about the day after it was trained. Who is asked about other users of
            # the same days may know what was popular then. Windows of one moment are in two parts
            # if need be: the order of the source decides.
            is_held_out = np.zeros(len(starts), bool)
            latest = np.argsort(starts, kind="stable")[
                len(starts) - int(len(starts) * config.fraction) :
            ]
            is_held_out[latest] = True
            since = int(starts[latest].min()) if len(latest) else None
        chunks = np.split(is_held_out, np.cumsum(sizes)[:-1]) if sizes else []
        train = SelectedWindows(source, [np.flatnonzero(~own) for own in chunks], before=since)
        return cls(train, SelectedWindows(source, [np.flatnonzero(own) for own in chunks]), since)


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
