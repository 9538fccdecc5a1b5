"""Accounts for every row of a day, quarantines what breaks a rule, checks expectations.

Rows in = accepted + duplicate + quarantined + late, always. Writes `accepted.parquet`,
`quarantined.parquet`, `posts.parquet` and `expectations.json`; the Data Docs page of the day lies
beside the artifacts, because it must be there for a day that is refused, too.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components import contract, data_docs, data_files, row_rules, step, suites
from components.artifacts import Artifact
from components.config import Config
from components.data_docs import RuleReport
from components.errors import BadDataError
from components.known_posts import DAY_MS, EPOCH, Columns
from components.step import Context
from phoenix.windows import unpack_actions
from schemas.events import EVENTS, INGESTED, QUARANTINED, REJECTED
from schemas.expectations import expectations, pair_in_order
from schemas.posts import POSTS

_NUM_PLACES = 3  # examples per rule on the page


def run(context: Context) -> Artifact:
    """Writes the accepted and the quarantined rows of the day.

    Raises:
      BadDataError: If a limit of the configuration is passed or a critical expectation fails.
    """
    ingested = context.read("ingest_events", context.day)
    recipe = {
        "validate_events": context.config.validate_events.model_dump(),
        "actions": context.config.action_names,
    }
    with context.write(inputs=[ingested.ref], config=recipe) as draft:
        outcome = _Outcome(context, ingested)
        reasons = outcome.reasons()
        address = data_docs.publish(
            context.store,
            context.day,
            account=outcome.account,
            rules=outcome.rule_reports(),
            checks=(outcome.results, outcome.sections),
            reasons=reasons,
        )
        if reasons:
            details = "".join(f"\n  - {reason}" for reason in reasons)
            raise BadDataError(
                f"{context.day} is refused:{details}\nWhat broke which rule: {address}"
            )
        folder = draft.folder
        data_files.write(folder / data_files.ACCEPTED_FILE, outcome.accepted)
        data_files.write(folder / data_files.QUARANTINED_FILE, outcome.quarantined)
        data_files.write(folder / data_files.POSTS_FILE, outcome.posts)
        text = json.dumps(outcome.results, indent=1, sort_keys=True)
        (folder / data_files.EXPECTATIONS_FILE).write_text(text, encoding="utf-8")
        draft.facts |= outcome.facts()
    return context.written()


class _Outcome:
    """What became of the rows of one day."""

    def __init__(self, context: Context, ingested: Artifact) -> None:
        self._config, self._day = context.config, context.day
        events = data_files.columns(
            data_files.read(ingested.path(data_files.EVENTS_FILE), INGESTED)
        )
        rejected = data_files.read(ingested.path(data_files.REJECTED_FILE), REJECTED)
        rejected = rejected.filter(pc.field("table") == "events")
        self.posts = data_files.read(ingested.path(data_files.POSTS_FILE), POSTS)
        num_in = len(events["event_id"]) + len(rejected)
        is_good, broken = self._judge(events)
        self._merged = row_rules.merged({name: events[name][is_good] for name in EVENTS.names})
        self.accepted = data_files.arrow_table(EVENTS, self._merged.events)
        self.quarantined = pa.concat_tables([_rejected_rows(rejected), broken])
        self.account = {
            "rows_in": num_in,
            "accepted": len(self.accepted),
            "duplicate": self._merged.num_exact + self._merged.num_conflicting,
            "quarantined": len(self.quarantined),
            "late": 0,
        }
        if num_in != sum(self.account.values()) - num_in:
            raise AssertionError(f"Rows were lost or invented: {self.account}.")
        self.results, self.sections = self._check()

    def _judge(self, events: Columns) -> tuple[np.ndarray, pa.Table]:
        """Returns a mask of the rows that keep all rules, and those that break one."""
        rule_of = np.full(len(events["event_id"]), "", object)
        detail_of = rule_of.copy()
        for broken in row_rules.rules(events, self._config, self._day):
            for row in np.flatnonzero(broken.is_broken & (rule_of == "")):
                rule_of[row] = broken.rule
                value = events[broken.column][row]
                detail_of[row] = f"{broken.column}: expected {broken.expected}, got {value}"
        is_broken = rule_of != ""
        columns = {name: values[is_broken] for name, values in events.items()}
        columns |= {
            "rule": rule_of[is_broken],
            "detail": detail_of[is_broken],
            "raw": np.full(int(is_broken.sum()), None, object),
        }
        return ~is_broken, data_files.arrow_table(QUARANTINED, columns)

    def _check(self) -> tuple[list[dict[str, Any]], list[str]]:
        if not len(self.accepted):
            return [], []
        limits, start = self._config.validate_events, (self._day - EPOCH).days * DAY_MS
        table = EVENTS.bounded(
            shown_at=(start, start + DAY_MS - 1),
            surface=(0, limits.num_surfaces - 1),
            actions=(0, 2 ** len(self._config.actions) - 1),
            dwell_seconds=(0.0, limits.max_dwell_seconds),
        )
        wanted = expectations(table, min_rows=limits.min_accepted_rows)
        wanted.append(pair_in_order("shown_at", "ingested_at"))
        return suites.check(self.accepted, wanted, name="events", day=str(self._day))

    def reasons(self) -> list[str]:
        """Returns why the day is refused; nothing if it is not."""
        limits, found = self._config.validate_events, []
        rows_in = max(self.account["rows_in"], 1)
        for name, limit in (
            ("quarantined", limits.max_quarantined_share),
            ("duplicate", limits.max_duplicate_share),
        ):
            number = self.account[name]
            if number / rows_in > limit:
                found.append(
                    f"{number:,} of {rows_in:,} rows ({number / rows_in:.2%}) are {name}; "
                    f"`validate_events.max_{name}_share` allows {limit:.2%}"
                )
        if found and self.account["quarantined"]:
            found += [f"{r.name}: {r.count:,} rows, {r.expected}" for r in self.rule_reports()]
        if self.account["accepted"] < limits.min_accepted_rows:
            found.append(
                f"{self.account['accepted']:,} rows are accepted; "
                f"`validate_events.min_accepted_rows` asks for {limits.min_accepted_rows:,}"
            )
        return found + [
            f"the critical expectation {result['expectation']} of "
            f"{result['column'] or 'the table'} fails"
            for result in self.results
            if result["severity"] == "critical" and not result["success"]
        ]

    def rule_reports(self) -> list[RuleReport]:
        """Returns the broken rules, the most frequent first, without any value of a row."""
        rules: dict[str, list[dict[str, Any]]] = {}
        for row in self.quarantined.select(["rule", "detail", "file", "line"]).to_pylist():
            rules.setdefault(row["rule"], []).append(row)
        reports = [
            RuleReport(
                name=name,
                count=len(rows),
                expected=rows[0]["detail"].split(", got ")[0],
                places=[
                    f"{row['file']}:{row['line']}" for row in rows[:_NUM_PLACES] if row["file"]
                ],
            )
            for name, rows in rules.items()
        ]
        return sorted(reports, key=lambda report: (-report.count, report.name))

    def facts(self) -> dict[str, Any]:
        """Returns the account and the statistics with which later days compare theirs."""
        rules = Counter(self.quarantined["rule"].to_pylist())
        return {
            **self.account,
            "duplicate_exact": self._merged.num_exact,
            "duplicate_conflicting": self._merged.num_conflicting,
            "conflicts_resolved": self._merged.num_conflicts,
            "quarantined_by_rule": dict(sorted(rules.items())),
            "posts": len(self.posts),
            "expectations": {
                "checked": len(self.results),
                "failed": [r["expectation"] for r in self.results if not r["success"]],
            },
            "statistics": _statistics(self._merged.events, self._config),
        }


def _statistics(events: Columns, config: Config) -> dict[str, Any]:
    actions = unpack_actions(events["actions"], len(config.actions))
    surfaces, counts = np.unique(events["surface"], return_counts=True)
    hours = np.bincount(events["shown_at"] % DAY_MS // 3_600_000, minlength=24)
    num_rows = max(len(actions), 1)
    return {
        "rows": len(actions),
        "users": len(np.unique(events["user_id"])),
        "posts": len(np.unique(events["post_id"])),
        "authors": len(np.unique(events["author_id"])),
        "action_rates": {
            name: round(float(rate), 6)
            for name, rate in zip(
                config.action_names, actions.sum(axis=0, dtype=np.float64) / num_rows, strict=True
            )
        },
        "surfaces": {
            str(surface): int(count) for surface, count in zip(surfaces, counts, strict=True)
        },
        "hours": [int(count) for count in hours],
        "mean_dwell_seconds": round(float(events["dwell_seconds"].sum(dtype=float)) / num_rows, 4),
    }


def _rejected_rows(rejected: pa.Table) -> pa.Table:
    """Returns rows that could not be read as quarantined rows, of which nothing else is known."""
    schema = QUARANTINED.schema()
    return pa.Table.from_arrays(
        [
            rejected[f.name].combine_chunks()
            if f.name in rejected.column_names
            else pa.nulls(len(rejected), f.type)
            for f in schema
        ],
        schema=schema,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line."""
    return step.main(contract.VALIDATE_EVENTS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
