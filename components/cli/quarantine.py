"""The work behind `phoenix quarantine`: rows of a day that broke a rule, and their next try."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from components import contract
from components.contract import ExitCode
from components.errors import BadConfigurationError, BadDataError, StepError, TryAgainError
from components.rows import quarantine, repairs, settlement
from components.rows.day_parts.settled_counts import SettledCounts
from components.rows.quarantine import RuleReport
from components.rows.row_texts import RowTexts
from components.rows.settlement import Settlement
from components.run.context import Context
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source import rejected_cells
from components.source.layouts import layout
from components.store.artifacts import Store
from schemas.rules import RULES

_ERRORS = {
    error.exit_code: error
    for error in (BadDataError, TryAgainError, BadConfigurationError, StepError)
}
_COUNTS = ("rows_in", "accepted", "duplicate", "quarantined")  # that a replay compares


def counts_of(parts: Iterable[Settlement]) -> SettledCounts:
    """Counts the rows of a day, of which one part is in memory at a time."""
    return SettledCounts.merge(list(map(SettledCounts.of, parts)))


def rejected_posts(store: Store, config: Config, day: datetime.date) -> pa.Table:
    """Returns the rows of post files that could not be read, in the schema `QUARANTINED`.

    Raises:
      BadDataError: If the day was not ingested or its artifact is damaged.
    """
    context = Context(contract.VALIDATE_EVENTS, config, day, store)
    return settlement.rejected_posts(context.read(contract.INGEST_EVENTS.name, day))


def broken_rules(rules: Sequence[RuleReport]) -> list[dict[str, Any]]:
    """Returns what there is to say of broken rules, in their order."""
    return [
        {
            "rule": rule.name,
            "rows": rule.count,
            "expected": f"{rule.expected}{quarantine.advice(rule.name)}",
            "for_example": list(rule.places),
        }
        for rule in rules
    ]


def masked_rows(
    parts: Iterable[Settlement],
    config: Config,
    *,
    rule: str | None,
    limit: int,
    posts: pa.Table | None = None,
) -> list[dict[str, object]]:
    """Returns quarantined rows, with personal values masked unless configured otherwise.

    Args:
      parts: The rows of a day in their places.
      config: Says whether user ids may be shown.
      rule: Rows that break this rule alone; None for those of every rule.
      limit: At most so many rows.
      posts: More rows, of post files; see `rejected_posts`.

    Raises:
      BadConfigurationError: If there is no such rule.
    """
    if rule is not None and rule not in RULES:
        raise BadConfigurationError(
            f"--rule: {rule!r} is no rule; the rules are {', '.join(RULES)}."
        )

    def first(rows: pa.Table) -> pa.Table:
        """Returns a copy of the first rows of the rule, so that the others are let go."""
        places = [n for n, name in enumerate(rows["rule"].to_pylist()) if rule in (None, name)]
        return rows.take(pa.array(places[:limit], pa.int64()))

    texts, broken, others = RowTexts(), list[pa.Table](), list[pa.Table]()
    for part in parts:
        texts = part.texts
        broken.append(first(part.broken))
        others += [first(part.too_late), first(part.erased)]
    tables = [*broken, *others, *([] if posts is None else [first(posts)])]
    table = pa.concat_tables(tables, promote_options="default")
    return quarantine.examples(table.slice(0, limit), texts, config)


def export(parts: Iterable[Settlement], config: Config, file: Path) -> int:
    """Writes the quarantined rows of a day as CSV, to be mended; returns how many there are.

    Rows of users who are to be forgotten are left out: there is nothing to mend.

    Raises:
      BadConfigurationError: If the file can be none.
    """
    # Asked before anything is written, so that the answer names the option and not a system call.
    if file.is_dir() or not file.parent.is_dir():
        raise BadConfigurationError(f"--to: expected a file in a folder that exists, got {file}.")
    if file.exists():  # perhaps with rows that somebody has mended
        raise BadConfigurationError(f"--to: expected a new file, and {file} is there already.")

    def mendable(part: Settlement) -> tuple[pa.Table, RowTexts]:
        """Returns the rows of a part that somebody may mend, and the texts of their ids."""
        return _with_readable_cells(part.mendable, part.texts, config)

    return repairs.export(file, map(mendable, parts), config)


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
        **{n: after[n] for n in (validate_events.UNMENDED,) if n in after},
        # The days after it read its state, and drop what they share with it.
        "next": f"phoenix data --days {day}..{max(store.partitions(contract.INGEST_EVENTS.name))}",
    }


def _validation_facts(store: Store, day: datetime.date) -> Mapping[str, Any]:
    """Returns the facts of the day's accepted version; empty before there is one."""
    ref = store.head(contract.VALIDATE_EVENTS.name, str(day))
    return {} if ref is None else store.manifest(ref)["facts"]
