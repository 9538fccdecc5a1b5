"""Accounts for every row of a day, quarantines what breaks a rule, checks expectations.

Rows in = accepted + duplicate + quarantined + late, always, per day and per file. Writes
`accepted.parquet` (every impression as it was first known), `labels.parquet` (what became known of
impressions later, of the day and of earlier ones), `quarantined.parquet`, `posts.parquet` (posts
known by the day's end, as files describe them and accepted rows show them: `shown_posts.parquet`),
`expectations.json` and `statistics.json`; where ids are text, the texts of accepted users and of
all posts; where events have ids of their own, `source_ids.parquet`. The Data Docs page of the day
lies beside the artifacts, because it must be there for a day that is refused, too.
Run again, a day takes the rows that arrived for it on later days.
"""

import gc
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components import contract, step
from components.erasure import forgotten
from components.errors import BadDataError
from components.features import known_values
from components.pages import data_docs
from components.quality import day_checks, day_statistics, suites
from components.quality.day_checks import RowChecks
from components.rows import account as row_account
from components.rows import (
    action_logs,
    day_actions,
    known_posts,
    late_rows,
    quarantine,
    repairs,
    settlement,
    source_ids,
)
from components.rows.day_parts import told_ids
from components.rows.day_parts.day_arrivals import DayArrivals
from components.rows.day_parts.id_files import IdFiles
from components.rows.day_parts.settled_counts import SettledCounts
from components.rows.day_parts.settled_files import SettledFiles
from components.rows.known_posts import EarlierPosts
from components.rows.late_rows import Holder
from components.rows.row_texts import RowTexts
from components.rows.settlement import Settlement
from components.rows.shown_posts import ShownCollector
from components.rows.source_ids import EarlierIds
from components.run.context import Context, Outcome
from components.settings.config import Config
from components.settings.steps import ValidateConfig
from components.store.artifacts import Artifact, Unchanged
from components.tables import action_lists, bucket_files
from components.tables.action_lists import UNKNOWN
from components.tables.background import Background

UNMENDED = "unmended"  # a fact
_NUM_TOLD = 5  # rows in it
logger = logging.getLogger(__name__)


def run(context: Context) -> Outcome:
    """Writes the accepted and the quarantined rows of the day, and names the days with news.

    Days with news are said again by a run that has nothing to write, until they were run.

    Raises:
      BadDataError: If the account of ingest_events is wrong, a limit of the configuration is
        passed, or a critical expectation fails.
    """
    config, store, day = context.config, context.store, context.day
    ingested = context.read(contract.INGEST_EVENTS.name, day)
    row_account.check_ingested(ingested)
    holders = late_rows.holders(store, config, day)
    try:
        artifact, is_unchanged = _write(context, ingested, holders), False
    except Unchanged as unchanged:
        artifact, is_unchanged = unchanged.artifact, True
    # Afterwards: the labels of the artifact say which late rows are no news for their day.
    run_again = late_rows.days_to_run_again(store, config, day)
    also_changed = [contract.parse_day(each.ref.partition) for each in holders]
    return Outcome(artifact, is_unchanged, run_again, also_changed)


def _write(context: Context, ingested: Artifact, holders: Sequence[Holder]) -> Artifact:
    config, store, day = context.config, context.store, context.day
    earlier_days = day_statistics.read_past_days(context)
    folded_with = action_logs.earlier_refs(context, ingested)
    earlier_posts = EarlierPosts.of(context, ingested)
    others = [*earlier_posts.inputs, *(each.ref for each in (*holders, *earlier_days))]
    with_ids = source_ids.earlier_refs(context, ingested)
    others += [*with_ids, *told_ids.refs(context, holders)]
    others += action_logs.labels_refs(context, ingested)
    refs = dict.fromkeys([ingested.ref, *folded_with, *others])  # each once
    inputs: list[Any] = [*refs, *repairs.inputs(config, day)]
    with context.write(inputs=inputs, config=_recipe(config)) as draft:
        unknown = day_actions.unknown(day_actions.lists(store, ingested, holders), config)
        arrivals = DayArrivals(context, ingested, holders)
        if arrivals.unmended:
            draft.facts[UNMENDED] = _told_unmended(arrivals.unmended)
        earlier_ids, row_posts = source_ids.of_refs(context, with_ids), ShownCollector()
        counts, rows = _settle(arrivals, context, draft.folder, unknown, earlier_ids, row_posts)
        posts_before = day_statistics.known_posts(context, earlier_days)
        settled_day = _SettledDay(counts=counts, holders=holders)
        checks = day_checks.check(rows, posts_before, earlier_days, config, day)
        reasons = settled_day.reasons(config.validate_events) + checks.reasons()
        # Before the day may be refused: its page is where people look for the reason.
        address = data_docs.publish(
            store,
            day,
            account=counts.account,
            rules=counts.rules,
            checks=checks,
            reasons=reasons,
        )
        if reasons:
            details = "".join(f"\n  - {reason}" for reason in reasons)
            raise BadDataError(f"{day} is refused:{details}\nWhat broke which rule: {address}")
        settled_day.save(draft.folder, arrivals.texts)
        draft.facts |= known_posts.write(
            draft.folder, ingested, arrivals.texts, earlier_posts, row_posts.posts()
        )
        known_values.carry(ingested.folder, draft.folder, forgotten.erased_ids(config))
        checks.save(draft.folder)
        draft.facts |= settled_day.facts() | checks.facts()
        draft.facts |= {"actions": action_lists.to_json(config), UNKNOWN: unknown}
    return context.written_artifact()


def _told_unmended(rows: Sequence[str]) -> dict[str, Any]:
    """Warns of corrected rows that are not mended; returns what the manifest says of them."""
    first = list(rows[:_NUM_TOLD])
    logger.warning("%d corrected rows are not mended, and stay as they came: %s", len(rows), first)
    return {"rows": len(rows), "for_example": first}


def _recipe(config: Config) -> dict[str, Any]:
    """Returns the parts of the configuration that shape the rows and the checks."""
    return {
        # Not where the corrected rows lie: those of the day are an input, by their content.
        contract.VALIDATE_EVENTS.name: config.validate_events.model_dump(exclude={"repairs"}),
        **action_lists.recipe(config),
        "first_day": config.first_day.isoformat(),
        "baseline": config.baseline.model_dump(),
        **({} if config.fold_ms is None else {"fold_ms": config.fold_ms}),
        **forgotten.recipe(config),
    }


@dataclass(frozen=True, kw_only=True)
class _SettledDay:
    """What there is to say of the rows of one day."""

    counts: SettledCounts
    holders: Sequence[Holder]  # of rows that arrived later

    def reasons(self, limits: ValidateConfig) -> list[str]:
        """Returns why the day is refused; nothing if it is not."""
        account = self.counts.account
        # Actions that belong to one impression are no sign of a log that says things twice.
        num_folded = self.counts.repetitions.num_folded
        num_repeats = account["duplicate"] - num_folded
        account = account | {"duplicate": num_repeats}
        sentences = quarantine.breaches(account, self.counts.rules, limits)
        # Whether a day may be empty is a question of ingest_events, which answered it.
        # Nor need a day have impressions of its own of which all rows are of those of other days.
        has_own_rows = account["rows_in"] > num_folded + account["late"]
        if has_own_rows and account["accepted"] < limits.min_accepted_rows:
            sentences.append(
                f"{account['accepted']:,} rows are accepted; "
                f"`validate_events.min_accepted_rows` asks for {limits.min_accepted_rows:,}"
            )
            told = quarantine.rule_sentences(self.counts.rules)
            sentences += [sentence for sentence in told if sentence not in sentences]
        return sentences

    def save(self, folder: Path, texts: RowTexts) -> None:
        """Writes the texts of the users whose rows are accepted."""
        users = texts.read("user_id")
        if len(users.ids):
            users.only(self.counts.users).write(folder)

    def facts(self) -> dict[str, Any]:
        """Returns the account."""
        counts, repetitions = self.counts, self.counts.repetitions
        return {
            **counts.account,
            "files": list(counts.files),
            "duplicate_exact": repetitions.num_exact,
            "duplicate_conflicting": repetitions.num_conflicting,
            "conflicts_resolved": repetitions.num_conflicts,
            "folded": repetitions.num_folded,
            "quarantined_by_rule": {rule.name: rule.count for rule in counts.rules},
            "labels": sum(counts.labels_by_day.values()),
            "labels_by_day": dict(counts.labels_by_day),
            "late_by_day": dict(counts.late_by_day),
            "arrived_late": {each.ref.partition: each.count for each in self.holders},
        }


def _settle(
    arrivals: DayArrivals,
    context: Context,
    folder: Path,
    unknown: Sequence[str],
    earlier_ids: Iterator[np.ndarray],
    posts: ShownCollector,
) -> tuple[SettledCounts, RowChecks]:
    """Settles, writes and checks the rows of a day, the users of one file after the others."""
    config = context.config
    num_buckets = config.user_buckets
    counts, checks = list[SettledCounts](), list[RowChecks]()
    with (
        Background() as meanwhile,
        tempfile.TemporaryDirectory(dir=folder) as work,
        SettledFiles(folder, arrivals.column_names, num_buckets) as files,
    ):
        ids = _Ids(
            events=IdFiles(Path(work) / "events"),
            arrived=IdFiles(Path(work) / "arrived"),
            earlier=EarlierIds(Path(work) / "earlier", earlier_ids),
        )
        if arrivals.slot_sizes().any():  # an empty day is done before it would be loaded
            meanwhile.run(suites.load)
        for bucket in range(num_buckets):
            slots = bucket_files.slots_of_bucket(bucket, num_buckets)
            settled = settlement.settle(arrivals.of_slots(slots), config, context.day, ids.earlier)
            of_part = _take(settled, context, files, ids, unknown, posts)
            # One by one: each knows all of its posts, of which parts have many in common.
            counts = [SettledCounts.merge([*counts, of_part[0]])]
            checks = [day_checks.merge([*checks, of_part[1]])]
            del settled
            if of_part[1].suite is not None and bucket + 1 < num_buckets:
                # It leaves cycles of references to its rows, of which nothing else tells Python
                # before the next part needs the memory.
                gc.collect()
        if told := arrivals.unknown_corrections():
            raise BadDataError(told)
        num_shared = ids.events.count_shared_rows()
        source_ids.write(folder, ids.arrived)
    return counts[0], day_checks.merge(checks, num_shared)


class _Ids(NamedTuple):
    """Ids that should be there once, whatever part of a day they are in."""

    events: IdFiles  # of accepted rows
    arrived: IdFiles  # the events' own ids in the source, of rows that arrived on the day
    earlier: EarlierIds  # the same of rows that came before


def _take(
    settled: Settlement,
    context: Context,
    files: SettledFiles,
    ids: "_Ids",
    unknown: Sequence[str],
    posts: ShownCollector,
) -> tuple[SettledCounts, RowChecks]:
    """Writes settled rows of some users, and checks them meanwhile."""
    with Background() as background:
        background.run(files.write, settled)
        ids.arrived.add(settled.source_ids)
        posts.add(settled.shown_posts())
        if context.config.user_buckets > 1:
            ids.events.add(settled.accepted["event_id"].to_numpy())
        rows = day_checks.check_rows(
            settled.outcomes, settled.labels, context.config, context.day, unknown=unknown
        )
        counts = SettledCounts.of(settled)
    return counts, rows


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line."""
    return step.main(contract.VALIDATE_EVENTS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
