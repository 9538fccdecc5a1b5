"""The progress of a run: the part of a training state that is no array."""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self


@dataclass
class RunProgress:
    """The past of a run as it must know it; saved and restored whole, field by field.

    A field that is added here is saved and restored from then on: there is no other list of them.

    >>> progress = RunProgress()
    >>> progress.add_step(0.7, {"temperature": 0.1})
    >>> progress.add_step(0.5, {"temperature": 0.2})
    >>> (progress.step, progress.losses, progress.scalars)
    (0, [0.7, 0.5], {'temperature': 0.2})
    """

    step: int = 0  # Steps started, skipped ones included.
    skipped_steps: int = 0
    skipped_in_a_row: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # Since the last point of the curve.
    scalars: dict[str, float] = field(default_factory=dict)  # Of the last step that counted.
    validation: dict[str, float] = field(default_factory=dict)  # Until it is in the curve.
    best: float | None = None  # Of the monitored metric, among all validations,
    waited: int = 0  # and how many of them came after it.

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns the progress that `to_json` gave, whatever else is in `values`.

        Raises:
          KeyError: If a field is missing.
        """
        return cls(**{each.name: values[each.name] for each in dataclasses.fields(cls)})

    def to_json(self) -> dict[str, Any]:
        """Returns a copy of every field, as JSON values."""
        return dataclasses.asdict(self)

    def add_step(self, loss: float, scalars: Mapping[str, float]) -> None:
        """Counts a step that changed the model."""
        self.skipped_in_a_row = 0
        self.losses.append(loss)
        self.scalars = dict(scalars)

    def add_skipped_step(self) -> None:
        """Counts a step that changed nothing, because it was not finite."""
        self.skipped_steps += 1
        self.skipped_in_a_row += 1

    def add_validation(self, value: float, *, is_best: bool) -> None:
        """Counts a validation, of which `value` is the monitored metric."""
        self.waited = 0 if is_best else self.waited + 1
        if is_best:
            self.best = value

    def add_point(self, point: dict[str, float]) -> None:
        """Adds a point to the curve, unless no step since the last one counted."""
        if self.losses:
            self.curve.append(point)
        self.losses, self.validation = [], {}

    def value_of(self, metric: str) -> float | None:
        """The value of a metric after the last step; None where nobody measured it then.

        >>> RunProgress(step=2, curve=[{"step": 2, "auc": 0.7}]).value_of("auc")
        0.7
        >>> RunProgress(step=3, curve=[{"step": 2, "auc": 0.7}]).value_of("auc")
        """
        point = self.curve[-1] if self.curve and self.curve[-1]["step"] == self.step else {}
        return {**point, **self.validation}.get(metric)


class Progress(NamedTuple):
    """The state of a run at a point of its curve, as `on_progress` hears it."""

    step: int
    total_steps: int
    loss: float  # Mean since the last point.
    windows_per_second: float  # Since the last point.
    eta_seconds: float
    metrics: Mapping[str, float]  # The point of the curve.


class Pace:
    """Steps per second between the moments at which it is asked."""

    def __init__(self, step: int) -> None:
        """Starts the clock at `step`."""
        self._time, self._step = time.monotonic(), step

    def measure(self, step: int) -> float:
        """Steps per second since the last time, of which `step` are done now."""
        since, before = self._time, self._step
        self._time, self._step = time.monotonic(), step
        return (step - before) / max(self._time - since, 1e-9)
