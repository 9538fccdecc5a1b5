"""The history of users with which a day begins: the state that the day before left behind.

The features of a day hold every impression that may still enter a history, so a day reads those of
the day before and its own events, nothing older. Where there is no such state - features were never
built, with another reach, or before rows came late for a day that they hold - it is made from the
accepted events of the days that histories reach.
"""

import datetime
import functools
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from components import contract
from components.erasure import forgotten
from components.errors import BadDataError
from components.features import event_log, later_labels, log_actions, windows_files
from components.features.event_log import Arrays
from components.features.impression_facts import ImpressionFacts
from components.features.log_actions import LogActions
from components.rows import account
from components.run.context import Context
from components.settings.steps import FeaturesConfig
from components.store.artifacts import Ref
from components.tables.bucket_files import BucketFiles
from components.tables.data_files import ACCEPTED_FILE, IMPRESSIONS_FILE
from phoenix.data import attributes, states
from phoenix.data.actions import UnknownActions
from phoenix.data.attributes import Attribute
from phoenix.data.days import DAY_MS, day_number, midnight_ms
from phoenix.data.histories import Log, rows_still_needed
from schemas.buckets import NUM_SLOTS
from schemas.events import EVENTS, LABELS
from schemas.features import IMPRESSIONS

logger = logging.getLogger(__name__)


def reach(config: FeaturesConfig, declared: Sequence[Attribute] = ()) -> dict[str, Any]:
    """Returns the settings that decide what a state holds, as they are kept beside it.

    A state of another reach lacks impressions that a history of the day may need, so it is no start
    for the day.
    """
    return {
        "history_length": config.history_length,
        "history_days": config.history_days,
        "gap_minutes": config.gap_minutes,
        "schema": IMPRESSIONS.digest(),
        "attributes": attributes.digest(declared),
    }


@dataclass(frozen=True)
class State:
    """The impressions from which the histories of a day are made, not yet read."""

    inputs: tuple[Ref, ...]  # features of the day before, or accepted events
    files: tuple[Sequence[Path], ...]  # of the log of the day before, or of accepted events by day
    is_replayed: bool
    day: datetime.date
    config: FeaturesConfig
    erased: Collection[int] = ()  # users who are to be forgotten
    accepted: Mapping[str, str] = field(default_factory=dict)  # the events in it: day -> digest
    facts: ImpressionFacts = field(default_factory=lambda: ImpressionFacts({}))  # if it is replayed
    # Of the days of the events, counted from 1970, if it is replayed.
    label_files: Mapping[int, Sequence[Path]] = field(default_factory=dict)
    actions: LogActions | None = None  # of the files; None: their bits are as configured

    @property
    def has_weights(self) -> bool:
        """Whether some impression may stand for more or less than itself."""
        return any(map(windows_files.have_weights, self.files))

    @functools.cached_property
    def _tables(self) -> list[BucketFiles]:
        table = EVENTS if self.is_replayed else IMPRESSIONS
        return [BucketFiles.of_contract(paths, table) for paths in self.files]

    @functools.cached_property
    def _label_tables(self) -> dict[int, BucketFiles]:
        return {
            day: BucketFiles.of_contract(paths, LABELS) for day, paths in self.label_files.items()
        }

    def slot_sizes(self) -> np.ndarray:
        """`[NUM_SLOTS]` int64: how many rows `log` reads for each slot."""
        tables = [*self._tables, *self._label_tables.values()]
        return sum((table.slot_sizes() for table in tables), np.zeros(NUM_SLOTS, np.int64))

    def log(self, slots: range) -> Log:
        """Returns the impressions that may enter a history of the day, sorted by user.

        Args:
          slots: Of the users; see `bucket_files`.
        """
        known_at = midnight_ms(self.day) - self.config.gap_minutes * 60_000
        oldest = midnight_ms(self.day) - self.config.history_days * DAY_MS
        log = self._earlier_log(slots)
        # The log of the day before holds the impressions of its histories and its own; of them
        # this day needs the newest of each user, and those that had not arrived yet.
        rows = rows_still_needed(
            log, known_at=known_at, oldest=oldest, length=self.config.history_length
        )
        # Where all are needed, as of a short log, nothing is copied.
        return Log(*self.remaining(log.rows(rows) if len(rows) < len(log.user_ids) else log))

    def remaining(self, rows: Arrays) -> Arrays:
        """Returns rows, the user ids first, without those of users who are to be forgotten.

        What was written before they were listed may still hold them.

        Args:
          rows: Arrays of one length, the first of them user ids.
        """
        if not self.erased:
            return rows
        is_kept = ~np.isin(rows[0], list(self.erased))
        return tuple(array[is_kept] for array in rows)

    def _earlier_log(self, slots: range) -> Log:
        actions = self.actions or LogActions(UnknownActions.of({}))
        if not self.is_replayed:
            parts = [windows_files.log_of_slots(table, slots) for table in self._tables]
            log = parts[0] if parts else event_log.no_log(self.facts.width)
            return actions.log(log)
        (*columns, _) = event_log.in_order(self._tables, slots)  # without the ids of the events
        log = actions.log(self.facts.complete_log(columns))
        labels = log_actions.labels_in_order(self._label_tables, slots, actions)
        return states.with_labels(log, labels)[0]


def initial_state(context: Context) -> State:
    """Returns the state with which a day begins: what the day before left, or accepted events.

    Raises:
      BadDataError: If it must be made from accepted events and a day of them is missing: a history
        with a hole is a wrong history; or if an action had another meaning on a day of it.
    """
    config, day = context.config.build_features, context.day
    erased = tuple(forgotten.erased_ids(context.config).tolist())
    yesterday = day - datetime.timedelta(days=1)
    if day > context.config.first_day:
        ref = context.head(contract.BUILD_FEATURES.name, yesterday)
        manifest = {"facts": {}} if ref is None else context.store.manifest(ref)
        facts = manifest["facts"]
        digests = _digests_in_reach(facts.get("accepted", {}), context)
        reach_of_day = reach(config, context.config.attributes.post_attributes)
        # A correction of an earlier day must reach the histories that follow it.
        is_current = facts.get("reach") == reach_of_day and _is_current(digests, context)
        if ref is not None and is_current:
            actions = log_actions.of_partitions({str(yesterday): manifest}, context)
            files = context.store.read_files(ref, IMPRESSIONS_FILE)
            state = State((ref,), (files,), False, day, config, erased, digests)
            return replace(state, actions=actions[str(yesterday)])
        logger.info("There is no state of %s to start from: its events are read again.", yesterday)
    oldest = max(context.config.first_day, day - datetime.timedelta(days=config.history_days))
    return _replayed_state(context, _accepted_refs(context, oldest), erased)


def _replayed_state(context: Context, refs: Sequence[Ref], erased: tuple[int, ...]) -> State:
    config = context.config.build_features
    artifacts = [context.store.read(ref) for ref in refs]
    for artifact in artifacts:
        account.check_validated(artifact)
    files = tuple(artifact.paths(ACCEPTED_FILE) for artifact in artifacts)
    digests = {ref.partition: ref.digest for ref in refs}
    days = [contract.parse_day(ref.partition) for ref in refs]
    label_files = {
        day_number(day): paths
        for day, each in zip(days, artifacts, strict=True)
        if (paths := later_labels.files_of(each))
    }
    folders = {day: artifact.folder for day, artifact in zip(days, artifacts, strict=True)}
    facts = ImpressionFacts(folders, context.config.attributes, gap_minutes=config.gap_minutes)
    manifests = {ref.partition: each.manifest for ref, each in zip(refs, artifacts, strict=True)}
    actions = log_actions.of_events(manifests, context)
    state = State(
        tuple(refs), files, True, context.day, config, erased, digests, facts, label_files
    )
    return replace(state, actions=actions)


def _digests_in_reach(accepted: Mapping[str, str], context: Context) -> dict[str, str]:
    """Returns the days of a state that may still enter a history of the day."""
    back = datetime.timedelta(days=context.config.build_features.history_days)
    oldest = str(context.day - back)
    return {day: digest for day, digest in accepted.items() if day >= oldest}


def _is_current(accepted: Mapping[str, str], context: Context) -> bool:
    """Whether no day in a state has other events by now: late rows, or rows that were mended."""
    return all(
        # A day that was removed since cannot contradict what was read of it.
        (ref := context.store.head(contract.VALIDATE_EVENTS.name, day)) is None
        or ref.digest == digest
        for day, digest in accepted.items()
    )


def _accepted_refs(context: Context, oldest: datetime.date) -> list[Ref]:
    days = [oldest + datetime.timedelta(days=n) for n in range((context.day - oldest).days)]
    refs = {day: context.head(contract.VALIDATE_EVENTS.name, day) for day in days}
    missing = [str(day) for day, ref in refs.items() if ref is None]
    if missing:
        names = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        raise BadDataError(
            f"{context.step.name} of {context.day} needs the features of the day before, or "
            f"validate_events of every day since {oldest}; missing: {names}. Run the data steps of "
            "these days first, in order."
        )
    return [ref for ref in refs.values() if ref is not None]
