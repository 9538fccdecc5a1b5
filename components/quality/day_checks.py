"""Holds the accepted rows of a day against their contract and against the days before."""

import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from components.features import statistics as feature_statistics
from components.quality import day_counts, day_statistics, drift, suites, usual_day
from components.quality.common_actions import of_common_actions
from components.quality.day_counts import DayCounts
from components.quality.day_statistics import DayStatistics, PastDay
from components.quality.suites import SuiteResult
from components.settings.config import Config
from components.tables import data_files
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.columns import Table
from schemas.events import EVENTS
from schemas.expectations import Expectation, expectations, pair_in_order, with_severities

_ID = "event_id"


@dataclass(frozen=True)
class DayChecks:
    """The results of the checks of one day, and the statistics that it leaves to later days."""

    results: Sequence[Mapping[str, Any]]  # of all expectations, the worst first
    sections: Sequence[str]  # of the rows, for Data Docs
    not_judged: Sequence[str]  # numbers for which there is too little history
    statistics: DayStatistics
    distances: Mapping[str, Any]  # see `drift.to_dict`
    earlier_distances: Sequence[tuple[str, Mapping[str, Any]]]  # by day, oldest first

    @property
    def failed(self) -> list[Mapping[str, Any]]:
        """The results of the expectations that do not hold, the worst first."""
        return [result for result in self.results if not result["success"]]

    def reasons(self) -> list[str]:
        """Returns a sentence for each critical expectation that does not hold."""
        return [
            f"the critical expectation {description(result)} fails"
            for result in self.failed
            if result["severity"] == "critical"
        ]

    def save(self, folder: Path) -> None:
        """Writes the files of the artifact that later days and the pages read."""
        text = json.dumps(list(self.results), indent=1, sort_keys=True)
        (folder / data_files.EXPECTATIONS_FILE).write_text(text, encoding="utf-8")
        path = folder / day_statistics.STATISTICS_FILE
        day_statistics.write(path, self.statistics, self.distances)

    def facts(self) -> dict[str, Any]:
        """Returns what the manifest says of the checks: counts and sentences, no value of a row."""
        return {
            "expectations": {
                "checked": len(self.results),
                "failed": [
                    f"{result['kind']}: {description(result)} ({result['severity']})"
                    for result in self.failed
                ],
                "not_judged": list(self.not_judged),
            },
            "statistics": dict(self.statistics.summary),
        }


@dataclass(frozen=True)
class RowChecks:
    """All that the checks of a day need to know of its accepted rows."""

    counts: DayCounts
    suite: SuiteResult | None  # of what is expected of each row; None where nothing is


def check_rows(
    accepted: pa.Table,
    labels: pa.Table,
    config: Config,
    day: datetime.date,
    *,
    unknown: Collection[str] = (),
) -> RowChecks:
    """Counts rows and checks what is expected of each.

    Args:
      accepted: Rows in the schema `EVENTS`, all that the day has of their users.
      labels: Rows in the schema `LABELS` that arrived on the day.
      config: Limits, severities and the engine.
      day: The UTC day.
      unknown: The configured actions that the day could not know.

    Raises:
      BadConfigurationError: If the engine is not there.
    """
    # Nothing can be expected of the columns of no rows; their number is a metric of the day.
    table = EVENTS.with_optional(accepted.column_names)
    of_rows = _row_expectations(table, config, day) if len(accepted) else []
    severities = config.validate_events.severities.model_dump()
    suite = None
    if expected := with_severities(of_rows, severities):
        suite = suites.check(accepted, expected, name="events", day=str(day), engine=config.engine)
    counts = day_counts.count(accepted, labels, config.action_names, day, unknown)
    return RowChecks(counts, suite)


def merge(parts: Sequence[RowChecks], num_shared_ids: int = 0) -> RowChecks:
    """Returns the checks of the rows of all parts, which are of different users.

    Args:
      parts: At least one.
      num_shared_ids: Rows whose event id is theirs alone in their part, and is in another one.
    """
    checked = [part.suite for part in parts if part.suite is not None]
    return RowChecks(
        day_counts.merge([part.counts for part in parts]),
        suites.merge(checked, {_ID: num_shared_ids}) if checked else None,
    )


def check(
    rows: RowChecks,
    earlier_posts: pa.Table | None,
    past_days: Sequence[PastDay],
    config: Config,
    day: datetime.date,
) -> DayChecks:
    """Measures a day and checks what is expected of it.

    Args:
      rows: Of its accepted rows.
      earlier_posts: The posts known by the end of the day before; None if there was none.
      past_days: The days before, oldest first.
      config: Limits, severities and the engine.
      day: The UTC day.

    Raises:
      BadConfigurationError: If the engine is not there.
    """
    severities = config.validate_events.severities.model_dump()
    statistics = day_statistics.measure(rows.counts, earlier_posts, config, day)
    comparisons = []
    if past_days:
        *earlier, current = of_common_actions(
            [*(each.measured for each in past_days), statistics.measured]
        )
        reference = feature_statistics.merge(earlier)
        history = [each.distances for each in past_days]
        comparisons = drift.compare(reference, current, history, config.baseline)
    of_day, values = usual_day.expectations(statistics, past_days, comparisons, config.baseline)
    results, sections = [], []
    if rows.suite is not None:
        results, sections = rows.suite.results, rows.suite.sections()
    if expected_of_day := with_severities(of_day, severities):
        numbers = pa.table({name: [float(value)] for name, value in values.items()})
        suite = suites.check(
            numbers, expected_of_day, name="day", day=str(day), engine=config.engine
        )
        results = sorted([*results, *suite.results], key=suites.order)
    distances = drift.to_dict(comparisons)
    return DayChecks(
        results=results,
        sections=sections,
        not_judged=sorted(statistics.metrics.keys() - values.keys()),
        statistics=statistics,
        distances=distances,
        earlier_distances=[(each.ref.partition, each.distances) for each in past_days],
    )


def description(result: Mapping[str, Any]) -> str:
    """Returns the expectation of a result in words, without any value of a row.

    >>> limits = {"min_value": 10, "max_value": 20}
    >>> result = {"expectation": "ExpectColumnMaxToBeBetween", "column": "volume", "kind": "volume"}
    >>> description({**result, "arguments": limits, "observed_value": 7.0})
    'volume: expected 10 to 20, got 7'
    """
    name = f"{result['expectation']} of {result['column'] or 'the table'}"
    if result["kind"] == "contract" or "observed_value" not in result:
        return name
    limits = result["arguments"]
    low, high = limits.get("min_value"), limits.get("max_value")
    span = f"at most {high:g}" if low is None else f"at least {low:g}"
    if low is not None and high is not None:
        span = f"{low:g} to {high:g}"
    return f"{result['column']}: expected {span}, got {result['observed_value']:g}"


def _row_expectations(table: Table, config: Config, day: datetime.date) -> list[Expectation]:
    limits, start = config.validate_events, midnight_ms(day)
    num_actions = len(config.actions)
    bounded = table.bounded(
        shown_at=(start, start + DAY_MS - 1),
        surface=(0, limits.num_surfaces - 1),
        # With 64 actions every set of bits is one of theirs.
        actions=(0, 2**num_actions - 1) if num_actions < 64 else (None, None),
        dwell_seconds=(0.0, limits.max_dwell_seconds),
    )
    return [
        *expectations(bounded, min_rows=limits.min_accepted_rows),
        pair_in_order("shown_at", "ingested_at"),
    ]
