"""Rows that arrive after their day: their holders, their takers, and the days to run again.

Events are immutable, so a late row changes no artifact. `ingest_events` of the day on which it
arrived keeps it in `late.parquet`; `validate_events` of the day to which it belongs, run again,
takes it from there, and that is a new version of its partition with one more input. A day that is
not run again stays as it was.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from components import contract
from components.settings.config import Config
from components.store.artifacts import Ref, Store
from components.tables import data_files
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.events import INGESTED


@dataclass(frozen=True)
class Holder:
    """An artifact of ingest_events that holds late rows of one earlier day."""

    ref: Ref
    count: int  # rows of that day


def oldest_day(config: Config, day: datetime.date) -> datetime.date:
    """Returns the earliest day to which a row may belong that arrives on `day`."""
    reach = datetime.timedelta(days=config.validate_events.late_days)
    return max(day - reach, config.first_day)


def holders(store: Store, config: Config, day: datetime.date) -> list[Holder]:
    """Returns the artifacts with rows of `day` that arrived later, in order of the arrival."""
    late_holders = []
    for number in range(1, config.validate_events.late_days + 1):
        arrival = day + datetime.timedelta(days=number)
        ref = store.head(contract.INGEST_EVENTS.name, str(arrival))
        if ref is not None:
            count = _late_by_day(store, ref).get(str(day), 0)
            late_holders += [Holder(ref, count)] if count else []
    return late_holders


def rows(store: Store, holders: Sequence[Holder], day: datetime.date) -> pa.Table:
    """Returns the rows of `day` that some artifacts hold, in the schema `INGESTED`.

    Raises:
      BadDataError: If a file is missing or damaged.
    """
    files: list[Path] = [store.read_file(each.ref, data_files.LATE_FILE) for each in holders]
    starts_at = midnight_ms(day)
    parts = []
    for file in files:
        table = data_files.read(file, INGESTED)
        shown_at = table["shown_at"].cast(pa.int64()).to_numpy()
        is_of_day = (shown_at >= starts_at) & (shown_at < starts_at + DAY_MS)
        parts.append(table.filter(pa.array(is_of_day)))
    return data_files.concatenate(INGESTED, [INGESTED.schema().empty_table(), *parts])


def days_to_run_again(store: Store, config: Config, day: datetime.date) -> list[str]:
    """Returns the earlier days that were validated without the rows that arrived for them on `day`.

    A day that was never validated is not among them: when it runs, it takes the rows.
    """
    arrival = store.head(contract.INGEST_EVENTS.name, str(day))
    if arrival is None:
        return []
    # Days are compared as text, as they are written: YYYY-MM-DD is in the order of the calendar.
    oldest, stale_days = str(oldest_day(config, day)), []
    for earlier in sorted(_late_by_day(store, arrival)):
        in_reach = earlier >= oldest  # other rows are quarantined as too late where they arrive
        ref = store.head(contract.VALIDATE_EVENTS.name, earlier) if in_reach else None
        if ref is not None:
            inputs = store.manifest(ref)["recipe"]["inputs"]
            # By the digest: an arrival that was ingested again may hold other rows.
            if all(each.get("digest") != arrival.digest for each in inputs):
                stale_days.append(earlier)
    return stale_days


def _late_by_day(store: Store, ref: Ref) -> Mapping[str, int]:
    return store.manifest(ref)["facts"].get("late_by_day", {})
