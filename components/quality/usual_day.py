"""What a day is expected to be like, told from the days before it."""

import statistics
from collections.abc import Mapping, Sequence

from components.quality.day_statistics import DayStatistics, PastDay
from components.quality.drift import Comparison
from components.settings.quality import BaselineConfig
from phoenix.data import prediction
from phoenix.data.prediction import Scale
from schemas.expectations import Expectation, measured_between

_SHARES = frozenset({"action_rates", "surfaces", "unseen_posts"})
_FIXED = {"author_stable/changed_posts": (None, 0.0)}  # what holds without any history


def expectations(
    measured: DayStatistics,
    past: Sequence[PastDay],
    drift: Sequence[Comparison],
    baseline: BaselineConfig,
) -> tuple[list[Expectation], dict[str, float]]:
    """Returns what is expected of the numbers of a day, and those numbers.

    Every number lies between limits that follow from the days before. With fewer than
    `baseline.min_days` of them nothing is expected of it but what holds without any history.

    Args:
      measured: Of the day.
      past: Of the days before, oldest first.
      drift: The distances of the day to them.
      baseline: How much may change.

    Returns:
      The expectations, and the value of every metric that they are about.
    """
    wanted, values = [], {}
    for name, value in _with_absent(measured.metrics, past).items():
        kind = name.partition("/")[0]
        limits = _FIXED.get(name) or _limits(kind, _history(name, past), baseline)
        if limits is not None:
            values[name] = value
            wanted.append(measured_between(name, *limits, kind=kind))
    for each in drift:
        if each.limit is not None:
            name = f"drift/{each.name}"
            values[name] = each.value
            wanted.append(measured_between(name, None, each.limit, kind="drift"))
    return wanted, values


def _with_absent(metrics: Mapping[str, float], past: Sequence[PastDay]) -> dict[str, float]:
    """Returns the metrics, and 0 for a surface or an action that only earlier days had."""
    before = {name for day in past for name in day.metrics if name.partition("/")[1]}
    absent = {name for name in before - metrics.keys() if name.partition("/")[0] in _SHARES}
    return {**metrics, **dict.fromkeys(sorted(absent), 0.0)}


def _history(name: str, past: Sequence[PastDay]) -> list[float]:
    """Returns the earlier values; a share of what did not occur was 0."""
    is_part = name.partition("/")[0] in _SHARES and "/" in name
    values = [day.metrics.get(name, 0.0 if is_part else None) for day in past]
    return [value for value in values if value is not None]


def _limits(
    kind: str, history: Sequence[float], baseline: BaselineConfig
) -> tuple[float | None, float] | None:
    if len(history) < baseline.min_days:
        return None
    is_share = kind in _SHARES
    scale: Scale = prediction.SHARE if is_share else prediction.COUNT
    low, high = prediction.interval(history, scale, false_alarms=baseline.false_alarm_rate)
    if kind == "freshness":  # rows that come sooner than usual are no trouble
        return None, float(f"{max(high, baseline.min_freshness_minutes):.6g}")
    middle = statistics.median(history)
    margin = baseline.min_share_change if is_share else middle * baseline.min_count_change
    low, high = max(0.0, min(low, middle - margin)), max(high, middle + margin)
    return float(f"{low:.6g}"), float(f"{min(high, 1.0) if is_share else high:.6g}")
