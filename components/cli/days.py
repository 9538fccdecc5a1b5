"""The data steps of a range of days, in order and in one process.

A process for each step of each day spends its time on starting: of a log with long pauses, as a
hobby or a small shop has, nearly every day is empty and costs a moment.
"""

import datetime
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components import contract
from components.contract import Dag, ExitCode
from components.errors import BadConfigurationError
from components.settings.config import Config

_STEPS = tuple(step for step in contract.STEPS.values() if step.dag is Dag.DATA)


@dataclass(frozen=True, kw_only=True)
class DayResult:
    """The end of the data steps of one day."""

    day: datetime.date
    status: str  # `done`, `unchanged`, or `failed`
    num_rows: int  # that arrived on the day
    run_again: Sequence[str]  # earlier days for which the day brought news
    error: str = ""  # of the step that failed
    exit_code: ExitCode = ExitCode.DONE


def parse_range(text: str) -> tuple[datetime.date, datetime.date]:
    """Returns the first and the last day of `2026-01-01..2026-03-31`, or of a single day.

    Raises:
      BadConfigurationError: If it is no range of days.
    """
    first, _, last = text.partition("..")
    try:
        days = contract.parse_day(first), contract.parse_day(last or first)
    except ValueError as error:
        raise BadConfigurationError(f"--days: expected DAY..DAY: {error}") from error
    if days[0] > days[1]:
        raise BadConfigurationError(f"--days: {first} is after {last}.")
    return days


def run(config: Config, first: datetime.date, last: datetime.date) -> Iterator[DayResult]:
    """Runs the data steps of the days from the first to the last one, until one fails.

    Raises:
      BadConfigurationError: If the first day is before all history.
    """
    from components import step
    from components.pages import report
    from components.store.artifacts import Store

    step.refuse_early_day(first, config)
    store = Store(config.store)
    try:
        for number in range((last - first).days + 1):
            # A page shows all steps of a day, so it is drawn once after the last of them, ...
            days_to_draw: set[datetime.date] = set()
            result = _run_day(config, first + datetime.timedelta(days=number), days_to_draw)
            for day in sorted(days_to_draw):
                report.refresh_day(store, config, day)
            yield result
            if result.exit_code is not ExitCode.DONE:
                return
    finally:
        # ... and the indices, which read the summary of every day, once after the last day.
        report.refresh_index(store)


def _run_day(config: Config, day: datetime.date, days_to_draw: set[datetime.date]) -> DayResult:
    """Runs the data steps of one day; adds the days whose pages show them to `days_to_draw`."""
    from components import step

    statuses, run_again, num_rows = set[str](), set[str](), 0
    for each in _STEPS:
        module = importlib.import_module(each.module)
        code, result = step.execute(
            each,
            module.run,
            config,
            day,
            unchanged_ok=True,
            draw=lambda _store, _config, changed_day: days_to_draw.add(changed_day),
        )
        if code is not ExitCode.DONE:
            error = f"{each.name} of {day}: {result['error']}"
            return DayResult(
                day=day,
                status="failed",
                num_rows=num_rows,
                run_again=sorted(run_again),
                error=error,
                exit_code=code,
            )
        statuses.add(result["status"])
        run_again.update(result.get("run_again", ()))
        num_rows = result["facts"].get("rows_in", num_rows)
    status = "done" if "done" in statuses else "unchanged"
    return DayResult(day=day, status=status, num_rows=num_rows, run_again=sorted(run_again))
