"""What a search found: every setting beside the present ones, and whether one is surely better."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from components.tuning import space as spaces
from components.tuning.space import Changes
from components.tuning.trials import Trial
from phoenix.metrics.evidence import Evidence

NO_TIME = "not judged on all days: the budget ended"


@dataclass
class Judged:
    """One setting, and what is known of it."""

    changes: Changes
    trials: list[Trial] = field(default_factory=list)  # day by day, as far as it came
    evidence: dict[str, Evidence] = field(default_factory=dict)  # against the present, by metric
    end: str | None = None  # why it was not judged on all days

    @property
    def is_whole(self) -> bool:
        """Whether it was judged on all days."""
        return self.end is None

    @property
    def seconds(self) -> float:
        """The time that its trials took, also in an earlier search."""
        return sum(trial.seconds for trial in self.trials)

    def mean(self, metric: str) -> float | None:
        """The metric in the mean of all users and days; None of a failed one."""
        values = [trial.values[metric] for trial in self.trials if metric in trial.values]
        total = sum(float(each.weights.sum()) for each in values)
        return (
            sum(each.mean * float(each.weights.sum()) for each in values) / total if total else None
        )


@dataclass(frozen=True)
class Outcome:
    """The end of a search."""

    role: str
    days: Sequence[datetime.date]
    metrics: Sequence[str]  # that of the gate first
    present: Judged
    others: Sequence[Judged]  # in the order in which they were tried
    confidence: float  # of each interval, so that all together have that of the gate
    min_users: int  # without whom there is no evidence

    @property
    def is_whole(self) -> bool:
        """Whether the budget was enough for everything."""
        return all(each.end != NO_TIME for each in self.others)

    @property
    def best(self) -> Judged | None:
        """The setting with the largest gain of those that are better by evidence, or None."""
        better = [each for each in self.others if self._is_better(each)]
        return max(better, key=lambda each: each.evidence[self.metrics[0]].mean, default=None)

    def interval(self, judged: Judged, metric: str) -> tuple[float, float] | None:
        """The interval of a setting's gain over the present ones."""
        evidence = judged.evidence.get(metric)
        return None if evidence is None else evidence.interval(self.confidence)

    @property
    def sentence(self) -> str:
        """What is to be done."""
        number = len(self.others)
        settings = "1 other setting" if number == 1 else f"{number} other settings"
        asked = f"{settings}, {self.days[0]} to {self.days[-1]}"
        if self.best is None:
            return f"The present settings stay: none of {asked}, is surely better."
        metric, interval = self.metrics[0], self.interval(self.best, self.metrics[0])
        assert interval is not None, "what is better has an interval"
        return (
            f"Surely better of {asked}: {spaces.words(self.best.changes)}, {metric} "
            f"{self.best.evidence[metric].mean:+.4f} ({interval[0]:+.4f} to {interval[1]:+.4f})."
        )

    def rows(self) -> list[dict[str, Any]]:
        """Returns the settings as JSON: the present ones, and then the best first."""

        def order(judged: Judged) -> tuple[bool, float]:
            evidence = judged.evidence.get(self.metrics[0])
            return (not judged.is_whole, 0.0 if evidence is None else -evidence.mean)

        return [self._row(each) for each in (self.present, *sorted(self.others, key=order))]

    def _row(self, judged: Judged) -> dict[str, Any]:
        return {
            "settings": spaces.words(judged.changes),
            "changes": dict(judged.changes),
            "metrics": {
                metric: {
                    "mean": judged.mean(metric),
                    "gain": judged.evidence[metric].mean if metric in judged.evidence else None,
                    "interval": self.interval(judged, metric),
                }
                for metric in self.metrics
            },
            "days": len(judged.trials),
            "seconds": round(judged.seconds, 1),
            "end": judged.end,
            "is_best": judged is self.best,
        }

    def _is_better(self, judged: Judged) -> bool:
        ends = [self.interval(judged, metric) for metric in self.metrics]
        if not judged.is_whole or ends[0] is None or ends[0][0] <= 0:
            return False
        num_users = len(judged.evidence[self.metrics[0]].user_ids)
        return num_users >= self.min_users and all(each is None or each[1] >= 0 for each in ends)
