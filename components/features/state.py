"""What is known of users when a day begins: the state that the day before left behind.

The features of a day hold every impression that may still enter a history, so a day reads those of
the day before and its own events, nothing older. Where there is no such state - features were never
built, with another reach, or before rows came late for a day that they hold - it is made from the
accepted events of the days that histories reach.
"""

import datetime
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components import contract
from components.erasure import forgotten
from components.errors import BadDataError
from components.features import event_log, windows_files
from components.features.event_log import Arrays
from components.features.impression_facts import ImpressionFacts
from components.rows import account
from components.run.context import Context
from components.settings.engine import EngineConfig
from components.settings.steps import FeaturesConfig
from components.store.artifacts import Ref
from components.tables.data_files import ACCEPTED_FILE, IMPRESSIONS_FILE
from phoenix.data import attributes
from phoenix.data.attributes import Attribute
from phoenix.data.days import DAY_MS, midnight_ms
from phoenix.data.histories import Log, rows_still_needed
from schemas.features import IMPRESSIONS

logger = logging.getLogger(__name__)


def reach(config: FeaturesConfig, declared: Sequence[Attribute] = ()) -> dict[str, Any]:
    """Returns what a state holds; one of another reach is no start for a day."""
    return {
        "history_length": config.history_length,
        "history_days": config.history_days,
        "gap_minutes": config.gap_minutes,
        "schema": IMPRESSIONS.digest(),
        "attributes": attributes.digest(declared),
    }


@dataclass(frozen=True)
class State:
    """Where the history of a day comes from."""

    inputs: tuple[Ref, ...]  # features of the day before, or accepted events
    files: tuple[Path, ...]
    is_replayed: bool
    day: datetime.date
    config: FeaturesConfig
    erased: Collection[int] = ()  # users who are to be forgotten
    accepted: Mapping[str, str] = field(default_factory=dict)  # the events in it: day -> digest
    engine: EngineConfig = field(default_factory=EngineConfig)  # reads the events
    known: ImpressionFacts = field(default_factory=lambda: ImpressionFacts({}))  # if it is replayed

    def logs(self) -> Iterator[Log]:
        """Streams the impressions that may enter a history of the day, by whole users."""
        known_at = midnight_ms(self.day) - self.config.gap_minutes * 60_000
        oldest = midnight_ms(self.day) - self.config.history_days * DAY_MS
        for log in self._stored():
            rows = rows_still_needed(
                log, known_at=known_at, oldest=oldest, length=self.config.history_length
            )
            yield Log(*self.remaining(log.rows(rows)))

    def remaining(self, rows: Arrays) -> Arrays:
        """Returns rows, the user ids first, without those of users who are to be forgotten.

        What was written before they were listed may still hold them.
        """
        if not self.erased:
            return rows
        is_kept = ~np.isin(rows[0], list(self.erased))
        return tuple(array[is_kept] for array in rows)

    def _stored(self) -> Iterator[Log]:
        if not self.is_replayed:
            for file in self.files:
                yield from windows_files.read_logs(file)
        elif self.files:
            for *columns, _ in event_log.by_users(self.files, self.engine):
                yield self.known.completed(columns)


def before(context: Context) -> State:
    """Finds the state with which a day begins.

    Raises:
      BadDataError: If it must be made from accepted events and a day of them is missing: a history
        with a hole is a wrong history.
    """
    config, day, engine = context.config.build_features, context.day, context.config.engine
    erased = tuple(forgotten.erased_ids(context.config).tolist())
    yesterday = day - datetime.timedelta(days=1)
    if day > context.config.first_day:
        ref = context.head("build_features", yesterday)
        facts = {} if ref is None else context.store.manifest(ref)["facts"]
        accepted = _in_reach(facts.get("accepted", {}), context)
        wanted = reach(config, context.config.attributes.post_attributes)
        is_current = facts.get("reach") == wanted and _is_current(accepted, context)
        if ref is not None and is_current:
            file = context.store.read_file(ref, IMPRESSIONS_FILE)
            return State((ref,), (file,), False, day, config, erased, accepted, engine)
        logger.info("There is no state of %s to start from: its events are read again.", yesterday)
    oldest = max(context.config.first_day, day - datetime.timedelta(days=config.history_days))
    refs = _accepted(context, oldest)
    artifacts = [context.store.read(ref) for ref in refs]
    for artifact in artifacts:
        account.check_validated(artifact)
    files = tuple(artifact.path(ACCEPTED_FILE) for artifact in artifacts)
    digests = {ref.partition: ref.digest for ref in refs}
    days = [contract.parse_day(ref.partition) for ref in refs]
    folders = {day: artifact.folder for day, artifact in zip(days, artifacts, strict=True)}
    known = ImpressionFacts(folders, context.config.attributes, gap_minutes=config.gap_minutes)
    return State(tuple(refs), files, True, day, config, erased, digests, engine, known)


def _in_reach(accepted: Mapping[str, str], context: Context) -> dict[str, str]:
    """Returns the days of a state that may still enter a history of the day."""
    back = datetime.timedelta(days=context.config.build_features.history_days)
    oldest = str(context.day - back)
    return {day: digest for day, digest in accepted.items() if day >= oldest}


def _is_current(accepted: Mapping[str, str], context: Context) -> bool:
    """Whether no day in a state has other events by now: late rows, or rows that were mended."""
    return all(
        (ref := context.store.head("validate_events", day)) is None or ref.digest == digest
        for day, digest in accepted.items()
    )


def _accepted(context: Context, oldest: datetime.date) -> list[Ref]:
    days = [oldest + datetime.timedelta(days=n) for n in range((context.day - oldest).days)]
    refs = {day: context.head("validate_events", day) for day in days}
    missing = [str(day) for day, ref in refs.items() if ref is None]
    if missing:
        names = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        raise BadDataError(
            f"{context.step.name} of {context.day} needs the features of the day before, or "
            f"validate_events of every day since {oldest}; missing: {names}. Run the data steps of "
            "these days first, in order."
        )
    return [ref for ref in refs.values() if ref is not None]
