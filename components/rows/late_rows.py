"""Rows that arrive after their day: their holders, their takers, and the days to run again.

Events are immutable, so a late row changes no artifact. `ingest_events` of the day on which it
arrived keeps it in `late.parquet`; `validate_events` of the day to which it belongs, run again,
takes it from there, and that is a new version of its partition with one more input. A day that is
not run again stays as it was.

A late row that says more of an impression which its day has accepted is a label, which is joined to
it from the day of its arrival: that is no reason to run the day again.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components import contract
from components.rows import folding
from components.rows.rules import KEY
from components.settings.config import Config
from components.store.artifacts import Ref, Store, table_files
from components.tables import bucket_files, data_files
from components.tables.bucket_files import BucketFiles
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.buckets import NUM_SLOTS
from schemas.events import INGESTED, LABELS


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


def files(store: Store, holders: Sequence[Holder]) -> dict[str, BucketFiles]:
    """Opens the late rows of all days that each artifact holds, by its own day.

    Raises:
      BadDataError: If a file is missing or damaged.
    """
    return {
        each.ref.partition: BucketFiles.of_contract(
            store.read_files(each.ref, data_files.LATE_FILE), INGESTED
        )
        for each in holders
    }


def of_day(late: pa.Table, day: datetime.date) -> pa.Table:
    """Returns those of some late rows that belong to a day."""
    starts_at = midnight_ms(day)
    shown_at = late["shown_at"].cast(pa.int64()).to_numpy()
    return late.filter(pa.array((shown_at >= starts_at) & (shown_at < starts_at + DAY_MS)))


def days_to_run_again(store: Store, config: Config, day: datetime.date) -> list[str]:
    """Returns the earlier days that were validated without the rows that arrived for them on `day`.

    A day that was never validated is not among them: when it runs, it takes the rows. Nor is one
    for which only labels arrived, of impressions that it has.
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
            is_taken = any(each.get("digest") == arrival.digest for each in inputs)
            if not is_taken and _has_more_than_labels(store, arrival, ref, config.fold_ms):
                stale_days.append(earlier)
    return stale_days


def _has_more_than_labels(store: Store, arrival: Ref, validated: Ref, fold_ms: int | None) -> bool:
    """Whether an arrival holds a row of a validated day that is no label of its impressions."""
    day = contract.parse_day(validated.partition)
    late_file = files(store, [Holder(arrival, 0)])[arrival.partition]
    accepted_file = BucketFiles(store.read_files(validated, data_files.ACCEPTED_FILE))
    label_files = _label_files(store, arrival.partition)
    tables = [late_file, accepted_file, *label_files]
    sizes = sum((table.slot_sizes() for table in tables), np.zeros(NUM_SLOTS, np.int64))
    # Some users at a time: whoever draws a page asks, and a day may hold many late rows.
    for slots in bucket_files.runs(sizes, bucket_files.GROUP_ROWS):
        late = of_day(late_file.of_slots(slots, KEY), day)
        if not len(late):
            continue
        is_of_users = pc.field("user_id").isin(late["user_id"].unique())
        accepted = accepted_file.of_slots(slots, KEY).filter(is_of_users)
        # A row that breaks a rule is in no file of labels, and its day should know of it.
        labels = [table.of_slots(slots, KEY) for table in label_files]
        keys = folding.keys_of_late(late, accepted, fold_ms)
        for known in (pa.concat_tables([accepted.slice(0, 0), *labels]), accepted):
            if len(keys.join(known, list(KEY), join_type="left anti")):
                return True
    return False


def _label_files(store: Store, day: str) -> list[BucketFiles]:
    """Opens the labels that arrived on a day; none if it is not validated."""
    ref = store.head(contract.VALIDATE_EVENTS.name, day)
    if ref is None or not table_files(store.manifest(ref), data_files.LABELS_FILE):
        return []
    return [BucketFiles.of_contract(store.read_files(ref, data_files.LABELS_FILE), LABELS)]


def _late_by_day(store: Store, ref: Ref) -> Mapping[str, int]:
    return store.manifest(ref)["facts"].get("late_by_day", {})
