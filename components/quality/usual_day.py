"""Expectations of the numbers of a day, from those of the days before it."""

from collections.abc import Mapping, Sequence
from statistics import median

from components.quality.day_statistics import DayStatistics, PastDay
from components.quality.drift import Comparison
from components.settings.quality import BaselineConfig
from phoenix.data import prediction
from phoenix.data.prediction import Scale
from schemas.expectations import Expectation, measured_between

_OF_ACTIONS = "action_rates"
_SHARES = frozenset({_OF_ACTIONS, "surfaces", "unseen_posts"})
# What holds without any history. A day on which nobody did anything is a mapping that reads no
# action, or an export that lost them: models would learn that nobody likes anything.
_FIXED: Mapping[str, tuple[float | None, float | None]] = {
    "author_stable/changed_posts": (None, 0.0),
    "any_action": (1.0, None),
}


def expectations(
    statistics: DayStatistics,
    past_days: Sequence[PastDay],
    comparisons: Sequence[Comparison],
    baseline: BaselineConfig,
) -> tuple[list[Expectation], dict[str, float]]:
    """Returns the expectations of the numbers of a day, and those numbers.

    Every number lies between limits that follow from the days before. With fewer than
    `baseline.min_days` of them nothing is expected of it but what holds without any history.

    Args:
      statistics: Of the day.
      past_days: The days before, oldest first.
      comparisons: The distances of the day to them.
      baseline: How much may change.

    Returns:
      The expectations, and the value of every metric that they are about.
    """
    day_expectations, values = [], {}
    for name, value in _with_absent_categories(statistics, past_days).items():
        kind = name.partition("/")[0]
        limits = _FIXED.get(name) or _limits(kind, _history(name, past_days), baseline)
        if limits is not None:
            values[name] = value
            day_expectations.append(measured_between(name, *limits, kind=kind))
    for comparison in comparisons:
        if comparison.limit is not None:
            name = f"drift/{comparison.name}"
            values[name] = comparison.value
            day_expectations.append(measured_between(name, None, comparison.limit, kind="drift"))
    return day_expectations, values


def _with_absent_categories(
    statistics: DayStatistics, past_days: Sequence[PastDay]
) -> dict[str, float]:
    """Returns the metrics, and 0 for a surface or an action that only earlier days had.

    Without it, a surface that disappears would not be missed. An action that is not in the list of
    the day any more has not disappeared: nobody asks for it.
    """
    metrics = statistics.metrics
    earlier_names = {name for day in past_days for name in day.metrics if "/" in name}
    absent = {name for name in earlier_names - metrics.keys() if name.partition("/")[0] in _SHARES}
    absent = {name for name in absent if _is_known(name, statistics.actions)}
    return {**metrics, **dict.fromkeys(sorted(absent), 0.0)}


def _is_known(name: str, actions: frozenset[str]) -> bool:
    """Whether a metric is of no action, or of one of those that a day knew."""
    kind, _, detail = name.partition("/")
    return kind != _OF_ACTIONS or detail in actions


def _history(name: str, past_days: Sequence[PastDay]) -> list[float]:
    """Returns the earlier values; a share of what did not occur was 0."""
    is_part = name.partition("/")[0] in _SHARES and "/" in name
    days = [day for day in past_days if _is_known(name, day.actions)]
    values = [day.metrics.get(name, 0.0 if is_part else None) for day in days]
    return [value for value in values if value is not None]


def _limits(
    kind: str, history: Sequence[float], baseline: BaselineConfig
) -> tuple[float | None, float | None] | None:
    if len(history) < baseline.min_days:
        return None
    is_share = kind in _SHARES
    scale: Scale = prediction.SHARE if is_share else prediction.COUNT
    low, high = prediction.interval(history, scale, false_alarms=baseline.false_alarm_rate)
    if kind == "freshness":  # rows that come sooner than usual are no trouble
        return None, float(f"{max(high, baseline.min_freshness_minutes):.6g}")
    # A quiet history makes a narrow interval: a change too small to matter stays inside.
    middle = median(history)
    margin = baseline.min_share_change if is_share else middle * baseline.min_count_change
    low, high = max(0.0, min(low, middle - margin)), max(high, middle + margin)
    return float(f"{low:.6g}"), float(f"{min(high, 1.0) if is_share else high:.6g}")
