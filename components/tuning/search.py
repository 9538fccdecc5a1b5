"""The search: the present settings, every other value alone, and then what helped together.

Each setting is judged on the same past days and users as the present ones, by differences user by
user. It is better by evidence where the interval of its gain in the metric of the gate is above 0
and no other metric is surely worse; the more settings are asked, the wider the intervals, since the
best of many is above 0 by luck alone (Bonferroni).
"""

import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from components.errors import BadConfigurationError, BadDataError
from components.settings.config import Config
from components.training import check
from components.tuning import space as spaces
from components.tuning.outcome import NO_TIME, Judged, Outcome
from components.tuning.space import Changes, Space
from components.tuning.trials import Trial
from phoenix.metrics.evidence import Evidence

_MINUTE = 60.0


class Trials(Protocol):
    """Where trials come from: `components.tuning.trials.Trials`."""

    def find(self, config: Config, day: datetime.date) -> Trial | None:
        """Returns the trial of an earlier search, or None."""
        ...

    def run(self, config: Config, day: datetime.date) -> Trial:
        """Makes a trial."""
        ...


@dataclass
class Search:
    """A search among the settings of one role.

    Attributes:
      config: The deployment, with numbers in place of `auto`.
      role: retrieval or ranker.
      days: On which settings are judged, oldest first.
      trials: Whence trials come.
      minutes: The budget; a trial that would not end within it is not begun.
      tell: Is given a line of progress after every trial.
      clock: Seconds, of which differences count.
    """

    config: Config
    role: str
    days: Sequence[datetime.date]
    trials: Trials
    minutes: float
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        """Starts the clock."""
        self._start = self.clock()
        self._longest = 0.0  # seconds of a trial

    def run(self, space: Space) -> Outcome:
        """Tries the values of a space, each alone first, and then what helped together.

        Raises:
          BadConfigurationError: If a setting is none or cannot be trained with, or the budget ends
            before one other setting was judged.
          BadDataError: If the present settings cannot be judged.
        """
        singles = list(spaces.single_changes(self.config, self.role, space))
        if not singles:
            raise BadConfigurationError(
                "--try: every value is the present one: name others to compare with."
            )
        for changes in singles:  # before the first training
            check.check(spaces.with_changes(self.config, self.role, changes), self.role)
        self._refuse_small_budget(singles[0])
        present = self._judge(Judged({}), None, name="the present settings")
        if present.end is not None:
            raise BadDataError(f"The present settings cannot be judged: {present.end}.")
        others: list[Judged] = []
        for changes in self._all_changes(singles, others):
            name = f"{len(others) + 1} of at least {len(singles)}: {spaces.words(changes)}"
            others.append(self._judge(Judged(changes), present, name=name))
        section = self.config.evaluate_models
        return Outcome(
            role=self.role,
            days=self.days,
            metrics=list(present.trials[0].values),
            present=present,
            others=others,
            confidence=1 - (1 - section.confidence) / len(others),
            min_users=section.min_users,
        )

    def _all_changes(self, singles: Sequence[Changes], others: list[Judged]) -> Iterator[Changes]:
        """Yields single changes, and then those that helped together, one more at a time.

        Args:
          singles: In order.
          others: Those that were judged; the caller appends each before it asks for the next.
        """
        yield from singles
        helpful = sorted((each for each in others if _gain(each) > 0), key=_gain, reverse=True)
        if not helpful:
            return
        best = helpful[0]
        for each in helpful[1:]:
            if not each.changes.keys() & best.changes.keys():  # one value of a setting at a time
                yield {**best.changes, **each.changes}
                best = max(best, others[-1], key=_gain)

    def _judge(self, judged: Judged, present: Judged | None, *, name: str) -> Judged:
        """Makes the trials of a setting, day by day, until it is surely worse or time is over."""
        config = spaces.with_changes(self.config, self.role, judged.changes)
        for place, day in enumerate(self.days):
            trial = self.trials.find(config, day)
            if trial is None:
                # Without the present settings there is nothing to say, so they are always judged.
                if present is not None and self._seconds_left < self._longest:
                    judged.end = NO_TIME
                    break
                trial = self.trials.run(config, day)
            self._longest = max(self._longest, trial.seconds)
            judged.trials.append(trial)
            if trial.failure is not None:
                judged.end = f"failed on {day}: {trial.failure}"
                break
            if present is not None:
                _add_evidence(judged, trial, present.trials[place])
            self._tell(name, day, judged)
            if place + 1 < len(self.days) and self._is_surely_worse(judged):
                judged.end = f"surely worse on {place + 1} of {len(self.days)} days"
                break
        return judged

    @property
    def _seconds_left(self) -> float:
        return self.minutes * _MINUTE - (self.clock() - self._start)

    def _refuse_small_budget(self, first: Changes) -> None:
        """Refuses a budget that ends before the first other setting was judged.

        One trial says how long the others would take.

        Raises:
          BadConfigurationError: If it is too small.
        """
        changed = spaces.with_changes(self.config, self.role, first)
        missing = [
            (config, day)
            for config in (self.config, changed)
            for day in self.days
            if self.trials.find(config, day) is None
        ]
        if not missing:
            return
        seconds = self.trials.run(*missing[0]).seconds
        needed = seconds * len(missing)
        if seconds * (len(missing) - 1) > self._seconds_left:
            raise BadConfigurationError(
                f"--minutes {self.minutes:g}: too few to judge one other setting: a training and "
                f"its judgement took {seconds:.0f} s, and {len(missing)} are needed: "
                f"{needed / _MINUTE:.1f} minutes, or fewer --days. What was done is kept."
            )

    def _is_surely_worse(self, judged: Judged) -> bool:
        if not judged.evidence:
            return False
        interval = next(iter(judged.evidence.values())).interval(
            self.config.evaluate_models.confidence
        )
        return interval is not None and interval[1] < 0

    def _tell(self, name: str, day: datetime.date, judged: Judged) -> None:
        trial = judged.trials[-1]
        metric, values = next(iter(trial.values.items()))
        gain = f", gain {judged.evidence[metric].mean:+.4f} so far" if judged.evidence else ""
        took = f"{trial.seconds:.0f} s{' earlier' if trial.is_known else ''}"
        minutes = (self.clock() - self._start) / _MINUTE
        self.tell(
            f"{name} on {day}: {metric} {values.mean:.4f}{gain} ({took}; {minutes:.1f} of "
            f"{self.minutes:g} minutes)"
        )


def _add_evidence(judged: Judged, trial: Trial, present: Trial) -> None:
    """Adds the differences of a day."""
    for metric, values in trial.values.items():
        earlier = judged.evidence.get(metric, Evidence.none())
        judged.evidence[metric] = earlier + Evidence.of_day(values, present.values[metric])


def _gain(judged: Judged) -> float:
    """The gain in the metric of the gate; none of a setting that was not judged on all days."""
    if not judged.is_whole:
        return float("-inf")
    return next(iter(judged.evidence.values())).mean
