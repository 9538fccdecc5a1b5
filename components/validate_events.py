"""Accounts for every row of a day, quarantines what breaks a rule, checks expectations.

Rows in = accepted + duplicate + quarantined + late, always, per day and per file. Writes
`accepted.parquet`, `quarantined.parquet`, `posts.parquet` and `expectations.json`; the Data Docs
page of the day lies beside the artifacts, because it must be there for a day that is refused, too.
Run again, a day takes the rows that arrived for it on later days.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from components import (
    contract,
    data_docs,
    data_files,
    erasure,
    late_rows,
    quarantine,
    repairs,
    row_account,
    settlement,
    step,
    suites,
)
from components.artifacts import Artifact
from components.config import Config
from components.errors import BadDataError
from components.known_posts import Columns
from components.late_rows import Holder
from components.layouts import DAY_MS, EPOCH
from components.step import Context
from phoenix.windows import unpack_actions
from schemas.events import EVENTS
from schemas.expectations import expectations, pair_in_order
from schemas.posts import POSTS


def run(context: Context) -> Artifact:
    """Writes the accepted and the quarantined rows of the day.

    Raises:
      BadDataError: If the account of ingest_events is wrong, a limit of the configuration is
        passed, or a critical expectation fails.
    """
    config, store, day = context.config, context.store, context.day
    ingested = context.read("ingest_events", day)
    row_account.check_ingested(ingested)
    held = late_rows.holders(store, config, day)
    context.run_again.extend(late_rows.days_to_run_again(store, config, day))
    context.also_changed.extend(contract.parse_day(each.ref.partition) for each in held)
    recipe = {
        "validate_events": config.validate_events.model_dump(exclude={"repairs"}),
        "actions": config.action_names,
        "first_day": config.first_day.isoformat(),
        **erasure.recipe(config),
    }
    inputs: list[Any] = [ingested.ref, *(each.ref for each in held)]
    if (repaired := repairs.path(config, str(day))) is not None:
        inputs.append(repairs.fingerprint(repaired))
    with context.write(inputs=inputs, config=recipe) as draft:
        outcome = _Outcome(context, ingested, held)
        reasons = outcome.reasons()
        address = data_docs.publish(
            store,
            day,
            account=outcome.account,
            rules=outcome.rules,
            checks=(outcome.results, outcome.sections),
            reasons=reasons,
        )
        if reasons:
            details = "".join(f"\n  - {reason}" for reason in reasons)
            raise BadDataError(f"{day} is refused:{details}\nWhat broke which rule: {address}")
        folder = draft.folder
        data_files.write(folder / data_files.ACCEPTED_FILE, outcome.accepted)
        data_files.write(folder / data_files.QUARANTINED_FILE, outcome.settled.quarantined)
        data_files.write(folder / data_files.POSTS_FILE, outcome.posts)
        text = json.dumps(outcome.results, indent=1, sort_keys=True)
        (folder / data_files.EXPECTATIONS_FILE).write_text(text, encoding="utf-8")
        draft.facts |= outcome.facts()
    return context.written()


class _Outcome:
    """What became of the rows of one day."""

    def __init__(self, context: Context, ingested: Artifact, held: Sequence[Holder]) -> None:
        self._config, self._day, self._held = context.config, context.day, held
        arrivals = settlement.arrivals(context, ingested, held)
        self.settled = settlement.settle(arrivals, context.config, context.day)
        self.account = self.settled.account
        self.rules = quarantine.summary(self.settled.quarantined)
        self.accepted = data_files.arrow_table(EVENTS, self.settled.merged.events)
        self.posts = data_files.read(ingested.path(data_files.POSTS_FILE), POSTS)
        self.results, self.sections = self._check()

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
        limits, account = self._config.validate_events, self.account
        found = quarantine.breaches(account, self.rules, limits)
        if account["accepted"] < limits.min_accepted_rows:
            found.append(
                f"{account['accepted']:,} rows are accepted; "
                f"`validate_events.min_accepted_rows` asks for {limits.min_accepted_rows:,}"
            )
        return found + [
            f"the critical expectation {result['expectation']} of "
            f"{result['column'] or 'the table'} fails"
            for result in self.results
            if result["severity"] == "critical" and not result["success"]
        ]

    def facts(self) -> dict[str, Any]:
        """Returns the account and the statistics with which later days compare theirs."""
        merged = self.settled.merged
        return {
            **self.account,
            "files": list(self.settled.files),
            "duplicate_exact": merged.num_exact,
            "duplicate_conflicting": merged.num_conflicting,
            "conflicts_resolved": merged.num_conflicts,
            "quarantined_by_rule": {rule.name: rule.count for rule in self.rules},
            "late_by_day": dict(self.settled.late_by_day),
            "arrived_late": {each.ref.partition: each.count for each in self._held},
            "posts": len(self.posts),
            "expectations": {
                "checked": len(self.results),
                "failed": [r["expectation"] for r in self.results if not r["success"]],
            },
            "statistics": _statistics(merged.events, self._config),
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


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line."""
    return step.main(contract.VALIDATE_EVENTS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
