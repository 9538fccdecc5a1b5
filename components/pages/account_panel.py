"""The part of a day's page that accounts for its rows: by file, by rule, by day."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components import contract
from components.pages.day_facts import DayFacts
from components.rows import late_rows, quarantine, row_kinds
from components.rows.account import FATES
from components.rows.row_texts import RowTexts
from components.tables import data_files
from schemas.rules import RULES

_NUM_FILES = 12  # shown at once; the others unfold
_PER_RULE, _NUM_EXAMPLES = 2, 12


def account(facts: DayFacts) -> Mapping[str, Any] | None:
    """The account by file, the rules with their budgets, late rows, and examples of bad ones."""
    validation = facts.facts(contract.VALIDATE_EVENTS.name)
    if "files" not in validation:
        return None
    # A day without rows has shares of 0.
    rows_in = max(validation["rows_in"], 1)
    budgets = facts.config.validate_events.budgets
    rules = [
        {
            "name": name,
            "meaning": RULES.get(name, ""),
            "count": count,
            "share": count / rows_in,
            "budget": budgets.get(name),
        }
        for name, count in sorted(
            validation["quarantined_by_rule"].items(), key=lambda pair: (-pair[1], pair[0])
        )
    ]
    return {
        "names": ["rows_in", *FATES],
        "files": validation["files"],
        "num_files": _NUM_FILES,
        "rules": rules,
        "has_budgets": any(rule["budget"] is not None for rule in rules),
        "late": _late(facts, validation["late_by_day"]),
        "arrived_late": validation["arrived_late"],
        "row_advice": row_kinds.advice(
            facts.facts(contract.INGEST_EVENTS.name).get("row_kind", {}), facts.config
        ),
        "examples": _examples(facts, [rule["name"] for rule in rules]),
        "shows_ids": facts.config.report.show_user_ids,
    }


def _late(facts: DayFacts, late_by_day: Mapping[str, int]) -> list[Mapping[str, Any]]:
    """Returns how many rows arrived for which earlier day, and whether that day has them."""
    waiting_days = late_rows.days_to_run_again(
        facts.store, facts.config, contract.parse_day(facts.day)
    )
    return [
        {"day": day, "count": count, "is_waiting": day in waiting_days}
        for day, count in sorted(late_by_day.items())
    ]


def _examples(facts: DayFacts, rules: list[str]) -> list[dict[str, object]]:
    """Returns some quarantined rows of each rule, masked, the most frequent rule first."""
    if not rules:
        return []
    path = facts.file(contract.VALIDATE_EVENTS.name, data_files.QUARANTINED_FILE)
    table = pq.read_table(path)
    names = table["rule"].to_numpy()
    parts = [table.take(pa.array((names == rule).nonzero()[0][:_PER_RULE])) for rule in rules]
    # The artifact of the table itself holds the texts of accepted users alone.
    ingested = facts.refs.get(contract.INGEST_EVENTS.name)
    texts = RowTexts.of(facts.store, [] if ingested is None else [ingested])
    examples = pa.concat_tables(parts).slice(0, _NUM_EXAMPLES)
    return quarantine.examples(examples, texts, facts.config)
