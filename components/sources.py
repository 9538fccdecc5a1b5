"""Reads the events of one UTC day, and the posts known by its end, out of files of any layout.

Rows are never dropped: a row is an event of the day, or it is rejected with file, line and reason.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from components import cells, raw_files
from components.known_posts import DAY_MS, EPOCH, Columns, KnownPosts
from components.layouts import Layout
from components.raw_files import RawRows
from components.row_checks import Rejections, RowCheck


@dataclass(frozen=True)
class DayRows:
    """What a source holds for one day."""

    events: Columns  # columns of `INGESTED` without event_id, [L] each, as they came; {} if none
    late: Columns  # the same columns: rows that arrived on the day and belong to earlier ones
    posts: Columns  # canonical columns, [M] each, sorted by post_id; without a mask of nulls
    rejections: Rejections
    first_day: datetime.date | None  # what the source covers; None if it has no readable time
    last_day: datetime.date | None

    @property
    def num_events(self) -> int:
        """L."""
        return len(self.events["user_id"]) if self.events else 0

    @property
    def num_late(self) -> int:
        """Rows that arrived on the day and belong to an earlier one."""
        return len(self.late["user_id"]) if self.late else 0

    @property
    def num_rows(self) -> int:
        """Rows of the day: events, late and rejected ones."""
        rejected = [row for row in self.rejections.rows if row["table"] == "events"]
        return self.num_events + self.num_late + len(rejected)


def read_day(layout: Layout, day: datetime.date, *, first_day: datetime.date) -> DayRows:
    """Reads what arrived on one UTC day, and the posts known by its end.

    A row arrives on the day of its file where files are by day, on the day of `ingested_at` where
    that is mapped, and else on the day on which it was shown. One that was shown on an earlier day
    than it arrived is late.

    Args:
      layout: Files and columns.
      day: The day.
      first_day: The day of rows at the head of a file whose time cannot be read.

    Raises:
      BadDataError: If a file is damaged or lacks a column.
    """
    rejections = Rejections()
    posts = KnownPosts(day)
    for file in layout.post_files:
        for rows in raw_files.read(file, list(layout.post_columns.values())):
            posts.add(layout, rows, rejections)
    reader = _EventReader(layout, day, first_day, posts, rejections)
    parts = [part for file in layout.files_of(day) for part in reader.events_of(file)]
    if layout.day_pattern is not None and "author_id" in layout.event_columns:
        for file in layout.event_files:
            if (file_day := layout.file_day(file)) and file_day < day:
                reader.note_posts_of(file)
    starts_at = (day - EPOCH).days * DAY_MS
    days = reader.day_range
    if layout.day_pattern is not None:
        named = [(d - EPOCH).days for file in layout.event_files if (d := layout.file_day(file))]
        days = (min(named), max(named)) if named else None
    return DayRows(
        _joined([_where(part, part["shown_at"] >= starts_at) for part in parts]),
        _joined([_where(part, part["shown_at"] < starts_at) for part in parts]),
        posts.known(),
        rejections,
        EPOCH + datetime.timedelta(days=days[0]) if days else None,
        EPOCH + datetime.timedelta(days=days[1]) if days else None,
    )


class _EventReader:
    """Reads the events of a day, file after file."""

    def __init__(
        self,
        layout: Layout,
        day: datetime.date,
        first_day: datetime.date,
        posts: KnownPosts,
        rejections: Rejections,
    ) -> None:
        self._layout = layout
        self._day = (day - EPOCH).days
        self._first_day = (first_day - EPOCH).days
        self._posts = posts
        self._rejections = rejections
        self.day_range: tuple[int, int] | None = None

    def events_of(self, file: Path) -> Iterator[Columns]:
        """Yields the events of the day in one file, in parts."""
        layout = self._layout
        columns = [*layout.event_columns.values(), *layout.action_columns]
        last_day = None
        for rows in raw_files.read(file, columns):
            shown_at, is_time = cells.parse_time(
                rows.cells[layout.event_columns["shown_at"]], layout.time_unit
            )
            days = shown_at // DAY_MS
            if is_time.any():
                seen = (int(days[is_time].min()), int(days[is_time].max()), *(self.day_range or ()))
                self.day_range = (min(seen), max(seen))
            if "author_id" in layout.event_columns:
                self._note_posts(rows, shown_at, is_time)
            if layout.day_pattern is not None:
                days, is_time = np.full(len(days), self._day), np.full(len(days), True)
                last_day = self._day
            elif "ingested_at" in layout.event_columns:
                days = self._arrival_days(rows, shown_at, days)
            # A row without a readable time belongs to the day of the row before it, so that it is
            # counted once, on one day.
            days = _filled(days, is_time, before=last_day, otherwise=self._first_day)
            for line, text in rows.malformed:
                place = int(np.searchsorted(rows.lines, line)) - 1
                row_day = last_day if place < 0 else int(days[place])
                if (self._first_day if row_day is None else row_day) == self._day:
                    self._rejections.add_malformed("events", rows.file, line, text)
            last_day = int(days[-1]) if len(days) else last_day
            of_day = np.flatnonzero(days == self._day)
            if len(of_day):
                yield self._parse(_taken(rows, of_day))

    def note_posts_of(self, file: Path) -> None:
        """Takes the posts that an earlier file shows."""
        names = [self._layout.event_columns[name] for name in ("post_id", "author_id", "shown_at")]
        for rows in raw_files.read(file, names):
            shown_at, is_time = cells.parse_time(rows.cells[names[2]], self._layout.time_unit)
            self._note_posts(rows, shown_at, is_time)

    def _arrival_days(self, rows: RawRows, shown_at: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Gives late rows, and rows from the future, to the day on which they arrived.

        The time of the latter is wrong; on the day that it names nobody would look for them yet.
        """
        column = self._layout.event_columns["ingested_at"]
        arrived_at, is_time = cells.parse_time(rows.cells[column], self._layout.time_unit)
        arrival_days = arrived_at // DAY_MS
        is_future = shown_at > arrived_at + self._layout.clock_skew_ms
        return np.where(is_time & (is_future | (arrival_days > days)), arrival_days, days)

    def _note_posts(self, rows: RawRows, shown_at: np.ndarray, is_time: np.ndarray) -> None:
        columns = self._layout.event_columns
        is_before = is_time & (shown_at < (self._day + 1) * DAY_MS)
        post_ids, is_post = cells.parse_whole(rows.cells[columns["post_id"]])
        author_ids, is_author = cells.parse_whole(rows.cells[columns["author_id"]])
        good = is_before & is_post & is_author & (post_ids > 0) & (author_ids > 0)
        self._posts.note_shown(post_ids[good], author_ids[good], shown_at[good])

    def _parse(self, rows: RawRows) -> Columns:
        """Returns the rows that can be read; rejects the others."""
        layout, columns = self._layout, self._layout.event_columns
        check = RowCheck(len(rows.lines))
        events = {
            "user_id": check.whole(rows, columns["user_id"]),
            "post_id": check.whole(rows, columns["post_id"]),
            "shown_at": check.time(rows, columns["shown_at"], layout.time_unit),
        }
        events["ingested_at"] = events["shown_at"]
        if "ingested_at" in columns:
            events["ingested_at"] = check.time(rows, columns["ingested_at"], layout.time_unit)
        elif layout.day_pattern is not None:
            # Of a late row nobody says when it arrived: it was known when its file was complete.
            is_late = events["shown_at"] < self._day * DAY_MS
            ends_at = (self._day + 1) * DAY_MS - 1
            events["ingested_at"] = np.where(is_late, ends_at, events["shown_at"])
        nothing = np.zeros(len(rows.lines))
        surface = nothing.astype(np.int64)
        if "surface" in columns:
            surface = check.whole(rows, columns["surface"], limit=2**31)
        events["surface"] = surface.astype(np.int32)
        dwell = nothing
        if "dwell_seconds" in columns:
            dwell = check.number(rows, columns["dwell_seconds"])
        scale = 1_000 if layout.dwell_unit == "ms" else 1
        # Absurd values stay absurd in float32, for the row rules to name.
        events["dwell_seconds"] = np.clip(dwell / scale, -1e30, 1e30).astype(np.float32)
        actions = np.zeros(len(rows.lines), np.uint64)
        for bit, name in enumerate(layout.action_columns):
            actions |= check.flag(rows, name).astype(np.uint64) << np.uint64(bit)
        events["actions"] = actions
        if "author_id" in columns:
            events["author_id"] = check.whole(rows, columns["author_id"])
        else:
            events["author_id"], is_known = self._posts.authors_of(events["post_id"])
            expected = "a post whose author the post files name"
            check.mark(~is_known, "unknown_author", rows, columns["post_id"], expected)
        events["file"] = np.full(len(rows.lines), rows.file, object)
        events["line"] = rows.lines
        self._rejections.add("events", rows, check)
        return {name: values[check.is_good] for name, values in events.items()}


def _where(part: Columns, mask: np.ndarray) -> Columns:
    return {name: values[mask] for name, values in part.items()}


def _joined(parts: list[Columns]) -> Columns:
    parts = [part for part in parts if len(part["user_id"])]
    if not parts:
        return {}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _filled(
    days: np.ndarray, is_known: np.ndarray, *, before: int | None, otherwise: int
) -> np.ndarray:
    """Gives rows without a day that of the row before them, or of the first row that has one."""
    if is_known.all() or not len(days):
        return days
    rows = np.where(is_known, np.arange(len(days)), -1)
    latest = np.maximum.accumulate(rows)
    head = before
    if head is None:
        head = int(days[np.argmax(is_known)]) if is_known.any() else otherwise
    return np.where(latest >= 0, days[np.maximum(latest, 0)], head)


def _taken(rows: RawRows, index: np.ndarray) -> RawRows:
    where = pa.array(index)
    return RawRows(
        rows.file,
        rows.lines[index],
        {name: cell.take(where) for name, cell in rows.cells.items()},
    )
