"""A release beside the one before it: whether it surely earns less.

Compared is what their users did per impression of their feeds, on all days on which each of them
was measured. Releases that keep the models of the day before are one with it, so evidence adds up
over them; and because somebody may look every day, the interval is that of a confidence sequence.
Days differ by themselves, too: impressions that no feed showed are a control, where there are some.
"""

import datetime
import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.erasure import forgotten
from components.run.context import Context
from components.settings.config import Config
from components.settings.steps import MeasureConfig
from components.store.artifacts import Ref
from components.tables import data_files
from phoenix.metrics.evidence import Evidence
from phoenix.metrics.mean_gain import gain_beside, gain_over
from schemas.earnings import FEW, LESS, MORE, NO_FEED, UNSURE, USER_EARNINGS

USERS_FILE = "user_earnings.parquet"  # of measure_feeds


@dataclass(frozen=True)
class MeasuredDay:
    """What the releases of one day earned, by user."""

    facts: Sequence[Mapping[str, Any]]  # of each release: its digest, models, and the one before
    rows: pa.Table  # in the schema `USER_EARNINGS`

    def of_models(self, models: str) -> Evidence:
        """Returns the sums by user of the releases with some models; nobody without one."""
        return self._of_releases(
            [each["release"] for each in self.facts if each["models"] == models]
        )

    def control_of(self, models: str) -> Evidence:
        """Returns the sums by user of what no feed showed, of a day on which models were live."""
        is_measured = any(each["models"] == models for each in self.facts)
        return self._of_releases([NO_FEED] if is_measured else [])

    def _of_releases(self, digests: Sequence[str]) -> Evidence:
        own = self.rows.filter(pc.field("release").isin(pa.array(digests, pa.string())))
        columns = (own[name].to_numpy() for name in ("user_id", "engagement", "impressions"))
        days = 1 if len(own) else 0
        # A user may have been shown posts by two releases of the same models.
        return Evidence.none() + Evidence(*columns, num_days=days)


def earlier_measures(context: Context, summed: Mapping[str, Any]) -> list[Ref]:
    """Returns the measures of the days before, as far back as a comparison looks, that hold any.

    Args:
      context: The run.
      summed: The actions and their weights, as recipes have them: what was summed with others
        cannot be compared until its day is measured again.
    """
    days = context.config.measure_feeds.comparison_days
    window = [context.day - datetime.timedelta(days=back) for back in range(days, 0, -1)]
    measures = []
    for ref in (context.head(context.step.name, day) for day in window):
        if ref is not None:
            manifest = context.store.manifest(ref)
            config = manifest["recipe"]["config"]
            is_alike = all(config[name] == value for name, value in summed.items())
            measures += [ref] if is_alike and manifest["facts"]["releases"] else []
    return measures


def read(context: Context, ref: Ref) -> MeasuredDay:
    """Reads a measure, without users who are to be forgotten.

    Raises:
      BadDataError: If it is damaged.
    """
    artifact = context.store.read(ref)
    rows = data_files.read(artifact.path(USERS_FILE), USER_EARNINGS)
    return MeasuredDay(artifact.facts["releases"], remaining(rows, context.config))


def remaining(rows: pa.Table, config: Config) -> pa.Table:
    """Returns the rows of users who are not to be forgotten."""
    is_erased = np.isin(rows["user_id"].to_numpy(), forgotten.erased_ids(config))
    return rows.filter(pa.array(~is_erased))


def compare(
    release: Mapping[str, Any], days: Sequence[MeasuredDay], section: MeasureConfig
) -> dict[str, Any] | None:
    """Compares a release with the one before it.

    Args:
      release: Its facts.
      days: That were measured, the newest last.
      section: The settings.

    Returns:
      Keys: days (on which the release was measured), users, gain, low, high (per impression), share
      (gain as a share of what would have been earned before), control (by which part what no feed
      showed changed between the days of both, which is taken out of the gain; None: too few users
      tell), verdict. None if the one before it was measured on none of the days.
    """
    before = release["before"]
    both = (release["models"], before["models"] if before else "")
    own, other = (_sum([day.of_models(models) for day in days]) for models in both)
    if not len(own.user_ids) or not len(other.user_ids):
        return None
    control, control_before = (_sum([day.control_of(models) for day in days]) for models in both)
    change = _change(control, control_before, section)
    gain = gain_over(own, other)
    if change is not None:
        gain = gain_beside(own, other, (control, control_before))
    interval = gain.sequence(section.confidence)
    low, high = interval or (None, None)
    expected = other.mean * (1 + (change or 0.0))
    num_users = min(len(own.user_ids), len(other.user_ids))
    return {
        "days": own.num_days,
        "users": num_users,
        "gain": gain.mean,
        "share": gain.mean / expected if expected > 0 else None,
        "low": low,
        "high": high,
        "control": change,
        "verdict": FEW if num_users < section.min_users else _verdict(interval),
    }


def sentence(release: Mapping[str, Any]) -> str:
    """Returns how a release stands beside the one before it, as the end of a sentence."""
    against = release["comparison"]
    if against is None:
        return ""
    numbers = f"{against['gain']:+.4f}"
    if against["low"] is not None:
        numbers += f" ({against['low']:+.4f} to {against['high']:+.4f})"
    before, days = release["before"]["partition"], against["days"]
    over = f" over {days} days" if days > 1 else ""
    words = of_days(against)
    return f", {numbers}{over} beside that of {before}, {words}: {against['verdict']}"


def of_days(against: Mapping[str, Any]) -> str:
    """Returns what a comparison knows of the days themselves, in words."""
    change = against.get("control")  # formats before 2 had none
    if change is None:
        return "the days taken as they were"
    return f"the {change:+.1%} of what no feed showed taken out"


def _change(own: Evidence, before: Evidence, section: MeasureConfig) -> float | None:
    """Returns by which part the control changed, or None where it says too little."""
    num_users = min(len(own.user_ids), len(before.user_ids))
    if not section.has_control or num_users < section.min_users:
        return None
    is_above_0 = min(own.mean, before.mean) > 0
    return own.mean / before.mean - 1 if is_above_0 else None


def _verdict(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return FEW
    if interval[1] < 0:
        return LESS
    return MORE if interval[0] > 0 else UNSURE


def _sum(parts: Sequence[Evidence]) -> Evidence:
    return functools.reduce(operator.add, parts, Evidence.none())
