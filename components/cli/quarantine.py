"""The work behind `phoenix quarantine`: rows of a day that broke a rule, and their next try."""

import datetime
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from components import contract
from components.contract import ExitCode
from components.erasure import forgotten
from components.errors import BadConfigurationError, BadDataError, StepError, TryAgainError
from components.rows import account, late_rows, quarantine, repairs, settlement
from components.rows.day_parts.day_arrivals import DayArrivals
from components.rows.row_texts import RowTexts
from components.rows.settlement import Settlement
from components.run.context import Context
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source import rejected_cells
from components.source.layouts import layout
from components.store.artifacts import Store
from schemas.buckets import NUM_SLOTS
from schemas.rules import RULES

_ERRORS = {
    error.exit_code: error
    for error in (BadDataError, TryAgainError, BadConfigurationError, StepError)
}
_COUNTS = ("rows_in", "accepted", "duplicate", "quarantined")  # that a replay compares


def settle_day(store: Store, config: Config, day: datetime.date) -> Settlement:
    """Puts the rows of a day in their places by the configuration as it is now; writes nothing.

    So the quarantine can be looked at of a day that was refused, and a fix can be tried.

    Raises:
      BadDataError: If the day was not ingested or its artifact is damaged.
    """
    context = Context(contract.VALIDATE_EVENTS, config, day, store)
    ingested = context.read(contract.INGEST_EVENTS.name, day)
    account.check_ingested(ingested)
    held = late_rows.holders(store, config, day)
    arrivals = DayArrivals(context, ingested, held)
    rows = arrivals.of_slots(range(NUM_SLOTS))
    arrivals.refuse_unknown_corrections()
    return settlement.settle(rows, config, day)


def rejected_posts(store: Store, config: Config, day: datetime.date) -> pa.Table:
    """Returns the rows of post files that could not be read, in the schema `QUARANTINED`.

    Raises:
      BadDataError: If the day was not ingested or its artifact is damaged.
    """
    context = Context(contract.VALIDATE_EVENTS, config, day, store)
    return settlement.rejected_posts(context.read(contract.INGEST_EVENTS.name, day))


def broken_rules(quarantined: pa.Table) -> list[dict[str, Any]]:
    """Returns the broken rules with their number of rows, the most frequent first.

    Args:
      quarantined: In the schema `QUARANTINED`.
    """
    return [
        {
            "rule": rule.name,
            "rows": rule.count,
            "expected": f"{rule.expected}{quarantine.advice(rule.name)}",
            "for_example": list(rule.places),
        }
        for rule in quarantine.summary(quarantined)
    ]


def masked_rows(
    settled_day: Settlement,
    config: Config,
    *,
    rule: str | None,
    limit: int,
    posts: pa.Table | None = None,
) -> list[dict[str, object]]:
    """Returns quarantined rows, with personal values masked unless configured otherwise.

    Args:
      settled_day: The rows of a day in their places.
      config: Says whether user ids may be shown.
      rule: Rows that break this rule alone; None for those of every rule.
      limit: At most so many rows.
      posts: More rows, of post files; see `rejected_posts`.

    Raises:
      BadConfigurationError: If there is no such rule.
    """
    table = settled_day.quarantined
    if posts is not None:
        table = pa.concat_tables([table, posts], promote_options="default")
    if rule is not None:
        if rule not in RULES:
            raise BadConfigurationError(
                f"--rule: {rule!r} is no rule; the rules are {', '.join(RULES)}."
            )
        table = table.filter(pa.array([name == rule for name in table["rule"].to_pylist()]))
    return quarantine.examples(table.slice(0, limit), settled_day.texts, config)


def export(settled_day: Settlement, config: Config, file: Path) -> int:
    """Writes the quarantined rows of a day as CSV, to be mended; returns how many there are.

    Rows of users who are to be forgotten are left out: there is nothing to mend.

    Raises:
      BadConfigurationError: If the file can be none.
    """
    # Asked before anything is written, so that the answer names the option and not a system call.
    if file.is_dir() or not file.parent.is_dir():
        raise BadConfigurationError(f"--to: expected a file in a folder that exists, got {file}.")
    rules = settled_day.quarantined["rule"].to_pylist()
    is_mendable = pa.array([rule != forgotten.ERASED for rule in rules], pa.bool_())
    rows = settled_day.quarantined.filter(is_mendable)
    rows, texts = _with_readable_cells(rows, settled_day.texts, config)
    repairs.export(file, rows, texts, config)
    return len(rows)


def _with_readable_cells(
    rows: pa.Table, texts: RowTexts, config: Config
) -> tuple[pa.Table, RowTexts]:
    """Returns rows with what can be read of those that could not be, and the texts of all ids."""
    source = config.ingest_events.source
    if isinstance(source, SyntheticSource):
        return rows, texts
    try:
        source_layout = layout(source, config)
    except BadConfigurationError:  # the source is gone, and says nothing any more
        return rows, texts
    rows, more_texts = rejected_cells.complete(rows, source_layout)
    return rows, replace(texts, corrected=[*texts.corrected, *more_texts])


def replay(store: Store, config: Config, day: datetime.date) -> dict[str, Any]:
    """Validates a day again; returns its counts before and after.

    Raises:
      StepError: If the step did not end well, by its exit code; the message is the step's own.
    """
    # A step imports the pages that it draws; those who only look do not wait for that.
    from components import step, validate_events

    step.log_to_stderr()
    step.refuse_early_day(day, config)
    before = _validation_facts(store, day)
    code, result = step.execute(
        contract.VALIDATE_EVENTS, validate_events.run, config, day, unchanged_ok=True
    )
    if code != ExitCode.DONE:
        raise _ERRORS[code](str(result["error"]))
    after = _validation_facts(store, day)
    return {
        "day": str(day),
        "status": result["status"],
        "before": {name: before[name] for name in _COUNTS} if before else None,
        "after": {name: after[name] for name in _COUNTS},
        "quarantined_by_rule": after["quarantined_by_rule"],
        "next": f"phoenix step {contract.BUILD_FEATURES.name} --day {day}",
    }


def _validation_facts(store: Store, day: datetime.date) -> Mapping[str, Any]:
    """Returns the facts of the day's accepted version; empty before there is one."""
    ref = store.head(contract.VALIDATE_EVENTS.name, str(day))
    return {} if ref is None else store.manifest(ref)["facts"]
