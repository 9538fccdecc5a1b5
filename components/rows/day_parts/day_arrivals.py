"""The rows that a day has to account for, read for some of its users at a time.

Whatever a day asks of its rows - repeats, labels, folded actions - is asked within a user, so the
rows of some slots of users are settled without those of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.erasure import forgotten as erasure
from components.rows import action_logs, day_actions, late_rows, repairs, source_ids
from components.rows.day_parts import told_ids
from components.rows.late_rows import Holder
from components.rows.row_texts import RowTexts
from components.rows.rules import KEY
from components.run.context import Context
from components.store.artifacts import Artifact
from components.tables import action_lists, bucket_files, data_files
from components.tables.bucket_files import BucketFiles
from schemas.buckets import NUM_SLOTS
from schemas.events import INGESTED, REJECTED
from schemas.posts import DESCRIBED_POSTS

_IS_OF_DAY, _IS_TOLD = "is_of_day", "is_told"


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """The rows that a day has to account for, of some users or of all of them."""

    events: pa.Table  # `INGESTED`: rows of the day, those that later days hold for it at the end
    rejected: pa.Table  # `REJECTED`: rows that could not be read
    late: pa.Table  # `INGESTED`: rows that arrived on the day and belong to earlier ones
    # `REJECTED`: places of rows of users who are to be forgotten since the day was ingested.
    erased: pa.Table = field(default_factory=lambda: REJECTED.schema().empty_table())
    texts: RowTexts = field(default_factory=RowTexts)  # of the ids in these rows
    # Accepted rows of earlier days to which actions may belong, with their keys at least.
    earlier: pa.Table = field(default_factory=action_logs.no_impressions)
    # `[n]`: which events arrived on the day or are corrected rows of it; all, if it is a scalar.
    is_of_day: np.ndarray = field(default_factory=lambda: np.array(True))
    # `[n]`: which events tell of what another day has told; none, if it is a scalar.
    is_told: np.ndarray = field(default_factory=lambda: np.array(False))


class DayArrivals:
    """All rows that a day has to account for."""

    def __init__(self, context: Context, ingested: Artifact, holders: Sequence[Holder]) -> None:
        """Opens the files; of the rows that somebody corrected all are read.

        Args:
          context: The day, its store and the configuration.
          ingested: What arrived on the day.
          holders: Who holds rows of the day that arrived later.

        Raises:
          BadDataError: If a file is missing or damaged, or an action had another meaning when its
            rows were ingested.
        """
        self._config, self._day = context.config, context.day
        self._erased_ids = erasure.erased_ids(context.config)
        self._events, self._late = (
            BucketFiles.of_contract(ingested.paths(name), INGESTED)
            for name in (data_files.EVENTS_FILE, data_files.LATE_FILE)
        )
        self._rejected_path = ingested.path(data_files.REJECTED_FILE)
        self._lists = day_actions.lists(context.store, ingested, holders)
        reader = f"{context.step.name} of {context.day}"
        action_lists.refuse_changes(self._lists, context.config, reader=reader)
        self._later = late_rows.files(context.store, holders)
        self._repeats = told_ids.of_late_rows(context, holders)
        self._earlier = action_logs.earlier_files(context, ingested)
        self._corrections_path = repairs.path(context.config, str(context.day))
        self._corrections, corrected_texts = None, []
        self.unmended: Sequence[str] = ()  # rows of the file that are not mended, with the reason
        if self._corrections_path is not None:
            corrected_texts = repairs.texts(self._corrections_path, context.config)
            own_list = self._lists[str(context.day)]
            posts = data_files.read(ingested.path(data_files.POSTS_FILE), DESCRIBED_POSTS)
            self._corrections, self.unmended = repairs.read(
                self._corrections_path, context.config, own_list, posts
            )
        self._num_replaced = 0
        self._file_names = [each["file"] for each in ingested.facts["files"]]
        refs = [ingested.ref, *(holder.ref for holder in holders)]
        self.texts = RowTexts.of(context.store, refs, corrected_texts)

    def slot_sizes(self) -> np.ndarray:
        """`[NUM_SLOTS]` int64: how many rows `of_slots` reads for each slot, about."""
        files = [self._events, self._late, *self._later.values(), *self._earlier]
        return sum((each.slot_sizes() for each in files), np.zeros(NUM_SLOTS, np.int64))

    def of_slots(self, slots: range) -> Arrivals:
        """Returns the rows of users in some slots; those without a user are of the first one.

        Raises:
          BadDataError: If a file is damaged.
        """
        own_list = self._lists[str(self._day)]
        events, late = (
            day_actions.by_name(files.of_slots(slots), own_list, self._config)
            for files in (self._events, self._late)
        )
        rejected = REJECTED.schema().empty_table()
        if slots.start == 0:
            rejected = data_files.read(self._rejected_path, REJECTED)
            rejected = rejected.filter(pc.field("table") == "events")
        more = [
            day_actions.by_name(
                late_rows.of_day(files.of_slots(slots), self._day), self._lists[day], self._config
            )
            for day, files in self._later.items()
        ]
        num_later = sum(map(len, more))
        is_told = [self._is_told(*each) for each in zip(self._later, more, strict=True)]
        if self._corrections is not None:
            count = len(events) + len(rejected)
            # The row that a corrected one replaces may name another user, or none.
            events, rejected = (
                repairs.remaining_rows(rows, self._corrections) for rows in (events, rejected)
            )
            self._num_replaced += count - len(events) - len(rejected)
            # One of another file is a row of no day, and `unknown_corrections` tells of it.
            has_file = pc.field("file").isin(self._file_names)
            more.append(_of_slots(self._corrections.filter(has_file), slots))
        # Another day may have columns that this one has not: of what was served, say.
        num_own = len(events)
        events = data_files.concatenate(INGESTED, [events, *more])
        is_of_day = np.ones(len(events), bool)
        is_of_day[num_own : num_own + num_later] = False
        of_more = np.concatenate([np.zeros(num_own, bool), *is_told])
        of_more = np.append(of_more, np.zeros(len(events) - len(of_more), bool))
        events = events.append_column(_IS_OF_DAY, pa.array(is_of_day))
        events = events.append_column(_IS_TOLD, pa.array(of_more))
        if any(len(rows) for rows in more):
            # So that the first of several rows is the same one in whatever parts they are settled.
            events, _ = bucket_files.by_slot(events)
        # What arrived before the list of forgotten users was as it is now may still hold them.
        events, of_events = erasure.forget_events(events, self._erased_ids)
        is_of_day, is_told = (np.asarray(events[name]) for name in (_IS_OF_DAY, _IS_TOLD))
        late, of_late = erasure.forget_events(late, self._erased_ids)
        return Arrivals(
            events=events.drop_columns([_IS_OF_DAY, _IS_TOLD]),
            is_of_day=is_of_day,
            is_told=is_told,
            rejected=erasure.forget_rejected(rejected, self._config),
            late=late,
            erased=data_files.concatenate(REJECTED, [of_events, of_late]),
            texts=self.texts,
            earlier=pa.concat_tables(
                [
                    action_logs.no_impressions(),
                    *(files.of_slots(slots, KEY) for files in self._earlier),
                ]
            ),
        )

    def _is_told(self, day: str, rows: pa.Table) -> np.ndarray:
        """Returns which rows that arrived on a later day are repeats of rows of other days."""
        ids, has_id = source_ids.numbers(rows)
        return has_id & np.isin(ids, self._repeats.get(day, np.empty(0, np.int64)))

    @property
    def column_names(self) -> set[str]:
        """The columns that some of the rows have."""
        files = [self._events, self._late, *self._later.values()]
        schemas = [*(each.schema for each in files), pq.read_schema(self._rejected_path)]
        schemas += [] if self._corrections is None else [self._corrections.schema]
        return {name for schema in schemas for name in schema.names}

    def unknown_corrections(self) -> str | None:
        """Says that corrected rows took no row's place, when all slots were read; None if not."""
        if self._corrections_path is None or self._corrections is None:
            return None
        return repairs.unknown_places(
            self._corrections_path, self._corrections, self._num_replaced, self._file_names
        )


def _of_slots(rows: pa.Table, slots: range) -> pa.Table:
    own_slots = bucket_files.slots_of(rows["user_id"].to_numpy())
    return rows.filter(pa.array((own_slots >= slots.start) & (own_slots < slots.stop)))
