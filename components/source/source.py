"""The rows that arrived on one UTC day, and the posts known by its end, of files of any layout.

Rows are never dropped: a row is an event of the day, late, or rejected with file, line and reason.
A day costs what the day is worth: files by day are read as they are, and a file that holds many
days is sorted by day once (`day_archive`).
"""

import contextlib
import datetime
import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.errors import BadDataError
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source import arrivals, day_archive, event_columns, raw_files
from components.source import shown_posts as posts_files
from components.source.by_day import overruns
from components.source.day_archive import DayArchive
from components.source.known_posts import Columns, KnownPosts
from components.source.layouts import Layout, layout
from components.source.raw_rows import RawRows
from components.source.row_checks import Rejections, RowCheck
from components.source.shown_posts import ShownCollector, ShownPosts
from components.store import formats
from components.store.artifacts import Store
from components.tables.id_texts import IdTexts, TextCollector
from phoenix.data.days import DAY_MS, day_number, day_of_number, midnight_ms

_NUM_REMEMBERED = 8  # days of which the shown posts are kept for the day after
_SHOWN_FILE = "shown-{}.npy"
_OVERRUN_FOLDER = "overrun-{}"


def open_source(config: Config, store: Store) -> "Source":
    """Opens the configured source, which is one of files.

    Raises:
      BadConfigurationError: If its folder or files are missing, or a mapping names no such column.
    """
    source, storage = config.ingest_events.source, store.storage
    if isinstance(source, SyntheticSource):
        raise TypeError("The synthetic world has no files.")
    # What lies there is mapped into memory, so it must be a folder of this machine.
    local = storage.uri("work") if storage.is_local else f"{tempfile.gettempdir()}/phoenix"
    work = Path(local) / "source"
    return Source(layout(source, config), first_day=config.first_day, work=work)


@dataclass(frozen=True)
class DayRows:
    """The rows of a source for one day."""

    events: Columns  # columns of `INGESTED` without event_id, [L] each, as they came; {} if none
    late: Columns  # the same columns: rows that arrived on the day and belong to earlier ones
    posts: Columns  # canonical columns, [M] each, sorted by post_id; without a mask of nulls
    rejections: Rejections
    first_day: datetime.date | None  # what the source covers; None if it has no row
    last_day: datetime.date | None
    # By the name of the id, where ids are text: of the rows and posts, perhaps of more.
    texts: Mapping[str, IdTexts]
    absent_columns: Sequence[str] = ()  # needed, and in no row of the day, where rows name columns
    num_next: int = 0  # rows in the files of the day that are of the next day, and counted there

    @property
    def num_rows(self) -> int:
        """Rows of the day: events, late and rejected ones."""
        num_rejected = sum(row["table"] == "events" for row in self.rejections.rows)
        return sum(len(rows["line"]) for rows in (self.events, self.late) if rows) + num_rejected


class _Described(NamedTuple):
    """What the post files say, to which the rows of a day add."""

    posts: KnownPosts
    rejections: Rejections
    texts: TextCollector


class Source:
    """The files of a source, read by day."""

    def __init__(self, layout: Layout, *, first_day: datetime.date, work: Path) -> None:
        """Describes the source; nothing is read yet.

        Args:
          layout: Files and columns.
          first_day: The day of rows at the head of a file if no row of it has a readable time.
          work: Folder for what can be made again: archives, and posts shown before a day.
        """
        self._layout, self._first_day, self._work = layout, first_day, work
        # Asked for twice: by the recipe of a day, and by who makes it.
        self._shown_by_day: dict[datetime.date, ShownPosts] = {}  # before a day
        self._described_by_day: dict[datetime.date, _Described] = {}
        self._overruns: dict[datetime.date, list[RawRows]] = {}  # by the day of the files
        self._states: dict[Path, tuple[int, int, int] | None] = {}  # of files with a digest

    @property
    def mapping(self) -> dict[str, Any]:
        """The settings that shape the rows, beside the files."""
        return self._layout.mapping

    @functools.cached_property
    def _archives(self) -> list[DayArchive]:
        archives = [
            day_archive.open_archive(file, self._layout, first_day=self._first_day, work=self._work)
            for file in self._layout.event_files
        ]
        present = {name for archive in archives for name in archive.columns}
        absent = self._absent(present) if any(archive.days for archive in archives) else []
        if absent:
            files = ", ".join(file.name for file in self._layout.event_files)
            raise BadDataError(
                f"{files:.200}: expected a column {absent[0]!r} in at least one row, found the "
                f"columns {', '.join(sorted(present))} alone. Correct the files, or name the right "
                "column in the configuration; leave an action out that nobody ever took."
            )
        return archives

    def _refuse_without_time(self, day: datetime.date) -> None:
        """Refuses a source of which no time can be read: its rows would all be of the first day."""
        filled = [archive for archive in self._archives if archive.days]
        if not filled or any(archive.has_time for archive in filled):
            return
        column = self._layout.event_columns["shown_at"]
        for rows in filled[0].rows(filled[0].days[0]):
            check = RowCheck(len(rows.lines))
            check.time(rows, column, *self._layout.time_form("shown_at"))
            for row, detail in check.details.items():
                raise BadDataError(
                    f"The source has no rows for {day}, and no row at all with a readable time: "
                    f"{rows.file}:{rows.lines[row]}, {detail}. Set `time_unit` or `time_format`, "
                    "or map another column."
                )

    @functools.cached_property
    def days(self) -> list[datetime.date]:
        """The days of which there are rows, sorted.

        Raises:
          BadDataError: If a file that must be read for that is damaged or lacks a column.
        """
        if self._is_by_utc_day:
            return list(self._layout.files_by_day)
        numbers = {number for archive in self._archives for number in archive.days}
        if self._layout.day_pattern is not None:
            # A day whose last hours are in a file that is not there yet has not come.
            end = max(self._layout.file_day(file).end for file in self._layout.event_files)
            numbers = {number for number in numbers if (number + 1) * DAY_MS <= end}
        return [day_of_number(number) for number in sorted(numbers)]

    def event_inputs(self, day: datetime.date) -> list[dict[str, Any]]:
        """Names all that holds rows of a day, by name, size and content.

        A file that holds many days is named with the rows of the day alone, so that a day stays
        what it is when the file grows.

        Raises:
          BadDataError: If a file is damaged or lacks a column.
        """
        if self._is_by_utc_day:
            files = self._layout.files_by_day.get(day, ())
            fingerprints = [
                self._fingerprint(file, self._layout.event_name(file)) for file in files
            ]
            for rows in self._overrun(day - datetime.timedelta(days=1)):
                count, digest = day_archive.content_digest([rows])
                fingerprints.append({"name": rows.file, "rows": count, "sha256": digest})
        else:
            self._refuse_without_time(day)
            fingerprints = []
            for archive in self._archives:
                count, digest = day_archive.content_digest(archive.rows(day_number(day)))
                if count:
                    fingerprints.append({"name": archive.name, "rows": count, "sha256": digest})
        return fingerprints

    def has_changed(
        self, day: datetime.date, recorded: Sequence[Mapping[str, Any]], *, since: datetime.datetime
    ) -> bool:
        """Whether the files or rows of a day are others than they were.

        Files that are all gone are no change: a source may forget old days.

        Args:
          day: A UTC day.
          recorded: What `event_inputs` said of it.
          since: When that was: a file that was not written after it is compared by name and size.

        Raises:
          BadDataError: If a file cannot be read.
        """
        if not self._is_by_utc_day:
            written_at = max(file.stat().st_mtime for file in self._layout.event_files)
            if written_at <= since.timestamp():
                return False
            rows = self.event_inputs(day)
            return bool(rows) and rows != list(recorded)
        files = self._layout.files_by_day.get(day, ())
        sizes = {each["name"]: each["bytes"] for each in recorded if "bytes" in each}
        digests = {each["name"]: each["sha256"] for each in recorded}
        by_name = {self._layout.event_name(file): file for file in files}
        if not files:
            return False
        if {name: file.stat().st_size for name, file in by_name.items()} != sizes:
            return True
        return any(
            raw_files.fingerprint(file)["sha256"] != digests[name]
            for name, file in by_name.items()
            if file.stat().st_mtime > since.timestamp()
        )

    def post_inputs(self, day: datetime.date) -> list[dict[str, Any]]:
        """Names all else that the posts of a day depend on: their files, and earlier impressions.

        Raises:
          BadDataError: If a file is damaged or lacks a column.
        """
        fingerprints = [
            self._fingerprint(file, self._layout.post_name(file))
            for file in self._layout.post_files
        ]
        if self._needs_shown(day):
            digest = self._shown_before(day).digest()
            fingerprints.append({"name": "posts shown before", "sha256": digest})
        return fingerprints

    def _fingerprint(self, file: Path, name: str) -> dict[str, Any]:
        # Taken before the digest: what is read later must be what the recipe names.
        self._states.setdefault(file, raw_files.state(file))
        return raw_files.fingerprint(file, name)

    def read_day(self, day: datetime.date) -> DayRows:
        """Reads what arrived on one UTC day, and the posts known by its end.

        A row that was shown on an earlier day than it arrived is late.

        Raises:
          BadDataError: If a file is damaged or lacks a column.
          TryAgainError: If a file changes while it is read, or has changed since its
            digest was taken.
        """
        layout, needs_shown = self._layout, self._needs_shown(day)
        posts, rejections, texts = self._described(day)
        self._described_by_day.clear()
        collector, parts, present = ShownCollector(texts), [], set()
        for rows in self._rows_of(day):
            present |= rows.columns_with_values
            for line, text in rows.malformed:
                rejections.add_malformed("events", rows.file, line, text)
            if needs_shown:
                collector.add(_shown_posts(layout, rows, day, texts))
            parts.append(event_columns.parse(layout, rows, day, posts, rejections, texts))
        if needs_shown:
            posts.add_shown(self._shown_through(day, collector))
        for file, state in self._states.items():
            raw_files.refuse_changed(file, state)
        is_late = [part["shown_at"] < midnight_ms(day) for part in parts]
        return DayRows(
            event_columns.concatenate(
                [event_columns.rows_where(p, ~late) for p, late in zip(parts, is_late, strict=True)]
            ),
            event_columns.concatenate(
                [event_columns.rows_where(p, late) for p, late in zip(parts, is_late, strict=True)]
            ),
            posts.known(),
            rejections,
            self.days[0] if self.days else None,
            self.days[-1] if self.days else None,
            texts.texts(),
            self._absent(present),
            sum(len(rows.lines) for rows in self._overruns.get(day, ())),
        )

    def _absent(self, present: Collection[str]) -> list[str]:
        """Returns the columns that are needed and that no row has, of files without a header.

        A flag that is not there is no, so nothing else would tell of a name that is misspelt.
        """
        if all(raw_files.names_columns(file) for file in self._layout.event_files):
            return []
        return [name for name in self._layout.source_columns if name not in present]

    @property
    def _is_by_utc_day(self) -> bool:
        """Whether files are by UTC day; those of a local day hold parts of two."""
        return self._layout.day_pattern is not None and self._layout.day_zone == "UTC"

    def _rows_of(self, day: datetime.date) -> Iterator[RawRows]:
        if self._is_by_utc_day:
            yield from self._overrun(day - datetime.timedelta(days=1))
            yield from self._rows_of_files(day)
        else:
            for archive in self._archives:
                yield from archive.rows(day_number(day))

    def _rows_of_files(self, day: datetime.date) -> Iterator[RawRows]:
        """Yields the rows in the files of a day that are its own, and keeps those of the next."""
        layout, number, overrun = self._layout, day_number(day), list[RawRows]()
        folder = self._overrun_folder(day)
        for file in layout.files_by_day.get(day, ()):
            name, parts = layout.event_name(file), list[RawRows]()
            for rows in raw_files.read(file, layout.source_columns, layout.event_format, name=name):
                if not layout.overrun_ms:
                    yield rows
                    continue
                is_own = arrivals.file_days(layout, layout.file_day(file), rows) == number
                if is_own.all():
                    yield rows
                else:
                    parts.append(rows.take(np.flatnonzero(~is_own)))
                    own_rows = rows.take(np.flatnonzero(is_own))
                    yield replace(own_rows, malformed=rows.malformed)
            overrun += [RawRows.concatenate(parts)] if parts else []
        if layout.overrun_ms:
            self._overruns[day] = overrun
            overruns.save(folder, overrun)
            self._remove_old(_OVERRUN_FOLDER)

    def _overrun(self, day: datetime.date) -> list[RawRows]:
        """Returns the rows in the files of a day that are of the next day, file by file."""
        # Of a day without files nothing is known, and a few rows of it are no day.
        is_next = day + datetime.timedelta(days=1) <= max(self._layout.files_by_day, default=day)
        if not self._layout.overrun_ms or not is_next or day not in self._layout.files_by_day:
            return []
        if day not in self._overruns:
            rows = overruns.load(self._overrun_folder(day))
            if rows is None:
                for _ in self._rows_of_files(day):
                    pass
            else:
                self._overruns[day] = rows
        return self._overruns[day]

    def _needs_shown(self, day: datetime.date) -> bool:
        """Whether the impressions so far say something of posts that the post files do not.

        Either who wrote them, so that posts are known from events alone, or the latest time at
        which they can have been written.
        """
        if "author_id" in self._layout.event_columns:
            return True
        return bool(self._layout.post_files) and self._described(day).posts.lacks_times

    def _described(self, day: datetime.date) -> "_Described":
        """Returns what the post files describe."""
        if day not in self._described_by_day:
            layout, rejections, texts = self._layout, Rejections(), TextCollector()
            posts = KnownPosts(day, texts)
            for file in layout.post_files:
                columns = list(layout.post_columns.values())
                name = layout.post_name(file)
                for rows in raw_files.read(file, columns, layout.post_format, name=name):
                    posts.add(layout, rows, rejections)
            self._described_by_day[day] = _Described(posts, rejections, texts)
        return self._described_by_day[day]

    def _shown_before(self, day: datetime.date) -> ShownPosts:
        """Returns the posts that are shown before a day."""
        if day not in self._shown_by_day:
            if self._is_by_utc_day:
                self._shown_by_day[day] = self._shown_in_earlier_files(day)
            else:
                before = day_number(day) - 1
                parts = [archive.shown_through(before) for archive in self._archives]
                self._shown_by_day[day] = ShownPosts.merge(parts)
        return self._shown_by_day[day]

    def _shown_in_earlier_files(self, day: datetime.date) -> ShownPosts:
        """Reads the files of the days before a day, from the newest day on that is remembered."""
        earlier_days = [each for each in self.days if each < day]
        unread_days: list[datetime.date] = []
        texts = TextCollector()
        collector = ShownCollector(texts)
        while earlier_days:
            file = self._shown_file(earlier_days[-1])
            if file.exists():
                collector.add(ShownPosts.load(file))
                break
            unread_days.append(earlier_days.pop())
        for each in reversed(unread_days):
            for rows in self._rows_of(each):
                collector.add(_shown_posts(self._layout, rows, each, texts))
        if unread_days:
            self._save_shown(unread_days[0], collector.posts())
        return collector.posts()

    def _shown_through(self, day: datetime.date, collector: ShownCollector) -> ShownPosts:
        """Adds the posts shown before a day to those of the day, and keeps all for the next."""
        collector.add(self._shown_before(day))
        posts = collector.posts()
        if self._is_by_utc_day:
            self._save_shown(day, posts)
        return posts

    def _shown_file(self, day: datetime.date) -> Path:
        """Returns the file of the posts shown through a day; another one when a file changes."""
        files = [
            file for each in self.days if each <= day for file in self._layout.files_by_day[each]
        ]
        return self._work / _SHOWN_FILE.format(self._identity(files))

    def _overrun_folder(self, day: datetime.date) -> Path:
        """Returns the folder of the rows of the next day in the files of a day."""
        identity = self._identity(self._layout.files_by_day.get(day, ()))
        return self._work / _OVERRUN_FOLDER.format(identity)

    def _identity(self, files: Sequence[Path]) -> str:
        """Returns what is another text when a file or a setting changes."""
        stats = [(str(file), file.stat()) for file in files]
        # By what the file system says: to read all files of all days again would cost too much.
        identity: list[Any] = [[n, s.st_ino, s.st_size, s.st_mtime_ns] for n, s in stats]
        identity += [self._layout.mapping, formats.SORTED_SOURCE]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def _save_shown(self, day: datetime.date, posts: ShownPosts) -> None:
        self._work.mkdir(parents=True, exist_ok=True)
        posts.save(self._shown_file(day))
        self._remove_old(_SHOWN_FILE)

    def _remove_old(self, name: str) -> None:
        """Removes what is kept of older days than the newest `_NUM_REMEMBERED`."""
        # A step of another day may be removing it, too.
        paths = []
        for path in self._work.glob(name.format("*")):
            with contextlib.suppress(FileNotFoundError):
                paths.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(paths)[:-_NUM_REMEMBERED]:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                posts_files.remove(path)


def _shown_posts(
    layout: Layout, rows: RawRows, day: datetime.date, texts: TextCollector
) -> ShownPosts:
    days = np.full(len(rows.lines), day_number(day))
    return ShownPosts.of(*arrivals.impressions(layout, rows, days, texts)[:3])
