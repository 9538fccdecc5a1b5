"""What `phoenix quarantine` and `phoenix erasure` do: rows that are held back, and forgotten."""

import contextlib
import datetime
import importlib
import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from components import contract
from components.contract import ExitCode
from components.erasure import forgotten, search
from components.errors import BadConfigurationError, BadDataError, StepError, TryAgainError
from components.rows import account, late_rows, quarantine, repairs, settlement
from components.rows.settlement import Settlement
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Store
from schemas.rules import RULES

_ERRORS = {
    each.exit_code: each for each in (BadDataError, TryAgainError, BadConfigurationError, StepError)
}


def settled(store: Store, config: Config, day: datetime.date) -> Settlement:
    """Puts the rows of a day in their places by the configuration as it is now; writes nothing.

    So the quarantine can be looked at of a day that was refused, and a fix can be tried.

    Raises:
      BadDataError: If the day was not ingested or its artifact is damaged.
    """
    context = Context(contract.VALIDATE_EVENTS, config, day, store)
    ingested = context.read("ingest_events", day)
    account.check_ingested(ingested)
    held = late_rows.holders(store, config, day)
    return settlement.settle(settlement.arrivals(context, ingested, held), config, day)


def rules_of(found: Settlement) -> list[dict[str, Any]]:
    """Returns the broken rules with their number of rows, the most frequent first."""
    return [
        {
            "rule": rule.name,
            "rows": rule.count,
            "expected": rule.expected,
            "for_example": list(rule.places),
        }
        for rule in quarantine.summary(found.quarantined)
    ]


def rows_of(found: Settlement, config: Config, *, rule: str | None, limit: int) -> list[dict]:
    """Returns quarantined rows, with personal values masked unless configured otherwise.

    Raises:
      BadConfigurationError: If there is no such rule.
    """
    table = found.quarantined
    if rule is not None:
        if rule not in RULES:
            raise BadConfigurationError(
                f"--rule: {rule!r} is no rule; the rules are {', '.join(RULES)}."
            )
        table = table.filter(pa.array([each == rule for each in table["rule"].to_pylist()]))
    return quarantine.examples(table.slice(0, limit), config)


def export(found: Settlement, config: Config, file: Path) -> int:
    """Writes the quarantined rows of a day as CSV, to be mended; returns how many there are.

    Rows of users who are to be forgotten are left out: there is nothing to mend.

    Raises:
      BadConfigurationError: If the file can be none.
    """
    if file.is_dir() or not file.parent.is_dir():
        raise BadConfigurationError(f"--to: expected a file in a folder that exists, got {file}.")
    kept = [rule != forgotten.ERASED for rule in found.quarantined["rule"].to_pylist()]
    rows = found.quarantined.filter(pa.array(kept, pa.bool_()))
    repairs.export(file, rows, config)
    return len(rows)


def replay(config_path: Path, store: Store, day: datetime.date) -> dict[str, Any]:
    """Validates a day again and says what has left the quarantine.

    Raises:
      StepError: If the step did not end well, by its exit code; the message is the step's own.
    """
    before = _facts(store, day)
    argv = ["--config", str(config_path), "--day", str(day), "--unchanged-ok"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = importlib.import_module("components.validate_events").main(argv)
    outcome = contract.parse_result(said.getvalue().splitlines()[-1])
    if code != ExitCode.DONE:
        raise _ERRORS[ExitCode(code)](str(outcome.get("error")))
    after = _facts(store, day)
    names = ("rows_in", "accepted", "duplicate", "quarantined")
    return {
        "day": str(day),
        "status": outcome["status"],
        "before": {name: before[name] for name in names} if before else None,
        "after": {name: after[name] for name in names},
        "quarantined_by_rule": after["quarantined_by_rule"],
        "next": f"phoenix step build_features --day {day}",
    }


def erasure_report(store: Store, config: Config) -> dict[str, Any]:
    """Returns where forgotten users still are: in what is current, and in old versions."""
    found = [asdict(trace) for trace in search.traces(store, config)]
    current = [trace for trace in found if trace["is_current"]]
    return {
        "forgotten": len(forgotten.erased_ids(config)),
        "rows_in_current_artifacts": sum(trace["rows"] for trace in current),
        "rows_in_old_artifacts": sum(t["rows"] for t in found if not t["is_current"]),
        "days_to_run_again": sorted({trace["partition"][:10] for trace in current}),
        "traces": found,
    }


def _facts(store: Store, day: datetime.date) -> Mapping[str, Any]:
    ref = store.head("validate_events", str(day))
    return {} if ref is None else store.manifest(ref)["facts"]
