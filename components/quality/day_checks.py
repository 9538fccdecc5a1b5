"""Holds the accepted rows of a day against their contract and against the days before."""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from components.drawings import drift as drift_drawings
from components.features import statistics
from components.quality import day_statistics, drift, suites, usual_day
from components.quality.day_statistics import DayStatistics, PastDay
from components.settings.config import Config
from components.tables import data_files
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.events import EVENTS
from schemas.expectations import Expectation, expectations, pair_in_order, with_severities

DRAWING_FILE = "drift.svg"  # of validate_events


@dataclass(frozen=True)
class DayChecks:
    """What was found."""

    results: Sequence[Mapping[str, Any]]  # of all expectations, the worst first
    sections: Sequence[str]  # of the rows, for Data Docs
    not_judged: Sequence[str]  # numbers for which there is too little history
    measured: DayStatistics
    distances: Mapping[str, Any]  # see `drift.recorded`
    drawing: bytes | None  # SVG of the distances over the days

    @property
    def failed(self) -> list[Mapping[str, Any]]:
        """The results of the expectations that do not hold, the worst first."""
        return [result for result in self.results if not result["success"]]

    def reasons(self) -> list[str]:
        """Returns a sentence for each critical expectation that does not hold."""
        return [
            f"the critical expectation {described(result)} fails"
            for result in self.failed
            if result["severity"] == "critical"
        ]

    def save(self, folder: Path) -> None:
        """Writes the files of the artifact that later days and the pages read."""
        text = json.dumps(list(self.results), indent=1, sort_keys=True)
        (folder / data_files.EXPECTATIONS_FILE).write_text(text, encoding="utf-8")
        path = folder / day_statistics.STATISTICS_FILE
        day_statistics.write(path, self.measured, self.distances)
        if self.drawing is not None:
            (folder / DRAWING_FILE).write_bytes(self.drawing)

    def facts(self) -> dict[str, Any]:
        """Returns what the manifest says of the checks."""
        return {
            "expectations": {
                "checked": len(self.results),
                "failed": [
                    f"{result['kind']}: {described(result)} ({result['severity']})"
                    for result in self.failed
                ],
                "not_judged": list(self.not_judged),
            },
            "statistics": dict(self.measured.summary),
        }


def check(
    accepted: pa.Table,
    known: pa.Table | None,
    past: Sequence[PastDay],
    config: Config,
    day: datetime.date,
) -> DayChecks:
    """Measures a day and checks what is expected of it.

    Args:
      accepted: Rows in the schema `EVENTS`.
      known: The posts known by the end of the day before; None if there was none.
      past: The days before, oldest first.
      config: Limits, severities and the engine.
      day: The UTC day.

    Raises:
      BadConfigurationError: If the engine is not there.
    """
    engine, severities = config.engine, config.validate_events.severities.model_dump()
    measured = day_statistics.measure(accepted, known, config, day)
    comparisons = []
    if past:
        reference = statistics.merge([each.histograms for each in past])
        history = [each.distances for each in past]
        comparisons = drift.compare(reference, measured.histograms, history, config.baseline)
    results, sections = [], []
    wanted = with_severities(_of_rows(config, day), severities) if len(accepted) else []
    if wanted:
        rows = suites.check(accepted, wanted, name="events", day=str(day), engine=engine)
        results, sections = rows.results, rows.sections()
    wanted, values = usual_day.expectations(measured, past, comparisons, config.baseline)
    wanted = with_severities(wanted, severities)
    if wanted:
        numbers = pa.table({name: [float(value)] for name, value in values.items()})
        of_day = suites.check(numbers, wanted, name="day", day=str(day), engine=engine)
        results = sorted([*results, *of_day.results], key=suites.order)
    distances = drift.recorded(comparisons)
    curves = [(each.ref.partition, each.distances) for each in past] + [(str(day), distances)]
    return DayChecks(
        results=results,
        sections=sections,
        not_judged=sorted(measured.metrics.keys() - values.keys()),
        measured=measured,
        distances=distances,
        drawing=drift_drawings.over_time(curves),
    )


def described(result: Mapping[str, Any]) -> str:
    """Returns what a result is about, in words and without any value of a row."""
    name = f"{result['expectation']} of {result['column'] or 'the table'}"
    if result["kind"] == "contract" or "observed_value" not in result:
        return name
    limits = result["arguments"]
    low, high = limits.get("min_value"), limits.get("max_value")
    wanted = f"at most {high:g}" if low is None else f"at least {low:g}"
    if low is not None and high is not None:
        wanted = f"{low:g} to {high:g}"
    return f"{result['column']}: expected {wanted}, got {result['observed_value']:g}"


def _of_rows(config: Config, day: datetime.date) -> list[Expectation]:
    limits, start = config.validate_events, midnight_ms(day)
    num_actions = len(config.actions)
    table = EVENTS.bounded(
        shown_at=(start, start + DAY_MS - 1),
        surface=(0, limits.num_surfaces - 1),
        # With 64 actions every set of bits is one of theirs.
        actions=(0, 2**num_actions - 1) if num_actions < 64 else (None, None),
        dwell_seconds=(0.0, limits.max_dwell_seconds),
    )
    wanted = expectations(table, min_rows=limits.min_accepted_rows)
    return [*wanted, pair_in_order("shown_at", "ingested_at")]
