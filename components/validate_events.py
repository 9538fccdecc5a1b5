"""Accounts for every row of a day, quarantines what breaks a rule, checks expectations.

Rows in = accepted + duplicate + quarantined + late, always, per day and per file. Writes
`accepted.parquet`, `quarantined.parquet`, `posts.parquet`, `expectations.json`, `statistics.json`
and `drift.svg`; the Data Docs page of the day lies beside the artifacts, because it must be there
for a day that is refused, too.
Run again, a day takes the rows that arrived for it on later days.
"""

import sys
from collections.abc import Sequence
from typing import Any

from components import contract, step
from components.erasure import forgotten
from components.errors import BadDataError
from components.features import known_values
from components.pages import data_docs
from components.quality import day_checks, day_statistics
from components.rows import account as row_account
from components.rows import late_rows, quarantine, repairs, settlement
from components.rows.late_rows import Holder
from components.run.context import Context, Outcome
from components.store.artifacts import Artifact, Unchanged
from components.tables import data_files
from schemas.posts import POSTS


def run(context: Context) -> Outcome:
    """Writes the accepted and the quarantined rows of the day, and names the days with news.

    Days with news are said again by a run that has nothing to write, until they were run.

    Raises:
      BadDataError: If the account of ingest_events is wrong, a limit of the configuration is
        passed, or a critical expectation fails.
    """
    config, store, day = context.config, context.store, context.day
    ingested = context.read("ingest_events", day)
    row_account.check_ingested(ingested)
    held = late_rows.holders(store, config, day)
    run_again = late_rows.days_to_run_again(store, config, day)
    try:
        artifact, is_unchanged = _write(context, ingested, held), False
    except Unchanged as unchanged:
        artifact, is_unchanged = unchanged.artifact, True
    also_changed = [contract.parse_day(each.ref.partition) for each in held]
    return Outcome(artifact, is_unchanged, run_again, also_changed)


def _write(context: Context, ingested: Artifact, held: Sequence[Holder]) -> Artifact:
    config, store, day = context.config, context.store, context.day
    recipe = {
        "validate_events": config.validate_events.model_dump(exclude={"repairs"}),
        "actions": config.action_names,
        "first_day": config.first_day.isoformat(),
        "baseline": config.baseline.model_dump(),
        **forgotten.recipe(config),
    }
    past = day_statistics.read_past_days(context)
    inputs: list[Any] = [ingested.ref, *(each.ref for each in held), *(each.ref for each in past)]
    if (repaired := repairs.path(config, str(day))) is not None:
        inputs.append(repairs.fingerprint(repaired))
    with context.write(inputs=inputs, config=recipe) as draft:
        outcome = _SettledDay(context, ingested, held)
        known = day_statistics.known_posts(context, past)
        checks = day_checks.check(outcome.accepted, known, past, config, day)
        reasons = outcome.reasons() + checks.reasons()
        address = data_docs.publish(
            store,
            day,
            account=outcome.account,
            rules=outcome.rules,
            checks=checks,
            reasons=reasons,
        )
        if reasons:
            details = "".join(f"\n  - {reason}" for reason in reasons)
            raise BadDataError(f"{day} is refused:{details}\nWhat broke which rule: {address}")
        folder = draft.folder
        data_files.write(folder / data_files.ACCEPTED_FILE, outcome.accepted)
        data_files.write(folder / data_files.QUARANTINED_FILE, outcome.settled.quarantined)
        data_files.write(folder / data_files.POSTS_FILE, outcome.posts)
        known_values.carry(ingested.folder, folder, config)
        checks.save(folder)
        draft.facts |= outcome.facts() | checks.facts()
    return context.written_artifact()


class _SettledDay:
    """What became of the rows of one day."""

    def __init__(self, context: Context, ingested: Artifact, held: Sequence[Holder]) -> None:
        self._config, self._day, self._held = context.config, context.day, held
        arrivals = settlement.arrivals(context, ingested, held)
        self.settled = settlement.settle(arrivals, context.config, context.day)
        self.account = self.settled.account
        self.rules = quarantine.summary(self.settled.quarantined)
        self.accepted = self.settled.accepted
        self.posts = data_files.read(ingested.path(data_files.POSTS_FILE), POSTS)

    def reasons(self) -> list[str]:
        """Returns why the day is refused; nothing if it is not."""
        limits, account = self._config.validate_events, self.account
        found = quarantine.breaches(account, self.rules, limits)
        if account["accepted"] < limits.min_accepted_rows:
            found.append(
                f"{account['accepted']:,} rows are accepted; "
                f"`validate_events.min_accepted_rows` asks for {limits.min_accepted_rows:,}"
            )
        return found

    def facts(self) -> dict[str, Any]:
        """Returns the account."""
        repetitions = self.settled.repetitions
        return {
            **self.account,
            "files": list(self.settled.files),
            "duplicate_exact": repetitions.num_exact,
            "duplicate_conflicting": repetitions.num_conflicting,
            "conflicts_resolved": repetitions.num_conflicts,
            "quarantined_by_rule": {rule.name: rule.count for rule in self.rules},
            "late_by_day": dict(self.settled.late_by_day),
            "arrived_late": {each.ref.partition: each.count for each in self._held},
            "posts": len(self.posts),
        }


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line."""
    return step.main(contract.VALIDATE_EVENTS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
