"""The rows that arrived on one UTC day, and the posts that files describe, of any layout.

Rows are never dropped: a row is an event of the day, late, or rejected with file, line and reason.
A day costs what the day is worth: files by day are read as they are, and a file that holds many
days is sorted by day once (`day_archive`).
"""

import datetime
import functools
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from components.errors import BadDataError
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source import day_archive, event_columns, raw_files
from components.source.by_day.day_files import DayFiles
from components.source.day_archive import DayArchive
from components.source.described_posts import Columns, DescribedPosts
from components.source.layouts import Layout, layout
from components.source.raw_rows import RawRows
from components.source.row_checks import Rejections, RowCheck
from components.source.slates import entries
from components.store.artifacts import Store
from components.tables.id_texts import IdTexts
from components.tables.text_collector import TextCollector
from phoenix.data.days import DAY_MS, day_number, day_of_number, midnight_ms


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


# Takes the rows of a piece: events, and rows that arrived on the day and belong to earlier ones,
# both with the columns of `INGESTED` without event_id, [n] each.
TakeRows = Callable[[Columns, Columns], None]


@dataclass(frozen=True, kw_only=True)
class DayReading:
    """All but the rows themselves that was read of one day."""

    num_rows: int  # events, late and rejected ones
    posts: Columns  # of `DESCRIBED_POSTS`, [M] each, sorted by post_id; without a mask of nulls
    are_posts_described: bool  # whether files say who wrote which post, and when
    rejections: Rejections
    first_day: datetime.date | None  # what the source covers; None if it has no row
    last_day: datetime.date | None
    # By the name of the id, where ids are text: of the rows and posts, perhaps of more.
    texts: Mapping[str, IdTexts]
    absent_columns: Sequence[str] = ()  # needed, and in no row of the day, where rows name columns
    num_next: int = 0  # rows in the files of the day that are of the next day, and counted there
    num_empty_slates: int = 0  # rows that are lists without a post, which are no rows of the day


class _Described(NamedTuple):
    """What the post files say, to which the rows of a day add."""

    posts: DescribedPosts
    rejections: Rejections
    texts: TextCollector


class Source:
    """The files of a source, read by day."""

    def __init__(self, layout: Layout, *, first_day: datetime.date, work: Path) -> None:
        """Describes the source; nothing is read yet.

        Args:
          layout: Files and columns.
          first_day: The day of rows at the head of a file if no row of it has a readable time.
          work: Folder for what can be made again: archives, and rows of a next day.
        """
        self.layout, self._first_day, self._work = layout, first_day, work
        self._day_files = DayFiles(layout, work)  # where each is of one UTC day
        self._states: dict[Path, tuple[int, int, int] | None] = {}  # of files with a digest

    @property
    def mapping(self) -> dict[str, Any]:
        """The settings that shape the rows, beside the files."""
        return self.layout.mapping

    @functools.cached_property
    def _archives(self) -> list[DayArchive]:
        archives = [
            day_archive.open_archive(file, self.layout, first_day=self._first_day, work=self._work)
            for file in self.layout.event_files
        ]
        present = {name for archive in archives for name in archive.columns}
        absent = self._absent(present) if any(archive.days for archive in archives) else []
        if absent:
            files = ", ".join(file.name for file in self.layout.event_files)
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
        column = self.layout.event_columns["shown_at"]
        for rows in filled[0].rows(filled[0].days[0]):
            check = RowCheck(len(rows.lines))
            check.time(rows, column, *self.layout.time_form("shown_at"))
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
        if self.layout.is_by_utc_day:
            return list(self.layout.files_by_day)
        numbers = {number for archive in self._archives for number in archive.days}
        if self.layout.day_pattern is not None:
            # A day whose last hours are in a file that is not there yet has not come.
            end = max(self.layout.file_day(file).end for file in self.layout.event_files)
            numbers = {number for number in numbers if (number + 1) * DAY_MS <= end}
        return [day_of_number(number) for number in sorted(numbers)]

    def unknown_actions(self, day: datetime.date) -> list[str]:
        """Returns the columns of actions that not all files with rows of a day have yet.

        Raises:
          BadDataError: If a file is damaged or lacks a column that it must have.
        """
        return self._day_files.unknown_actions(day) if self.layout.is_by_utc_day else []

    def event_inputs(self, day: datetime.date) -> list[dict[str, Any]]:
        """Names all that holds rows of a day, by name, size and content.

        A file that holds many days is named with the rows of the day alone, so that a day stays
        what it is when the file grows.

        Raises:
          BadDataError: If a file is damaged or lacks a column.
        """
        if self.layout.is_by_utc_day:
            files = self.layout.files_by_day.get(day, ())
            fingerprints = [self._fingerprint(file, self.layout.event_name(file)) for file in files]
            for rows in self._day_files.overrun(day - datetime.timedelta(days=1)):
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

    def post_inputs(self) -> list[dict[str, Any]]:
        """Names the files of posts."""
        return [
            self._fingerprint(file, self.layout.post_name(file)) for file in self.layout.post_files
        ]

    def _fingerprint(self, file: Path, name: str) -> dict[str, Any]:
        # Taken before the digest: what is read later must be what the recipe names.
        self._states.setdefault(file, raw_files.state(file))
        return raw_files.fingerprint(file, name)

    def read_day(self, day: datetime.date, take: TakeRows) -> DayReading:
        """Reads what arrived on one UTC day, and the posts that files describe.

        A row that was shown on an earlier day than it arrived is late. The rows are handed on as
        they are read, so that what is held of a day does not grow with it.

        Args:
          day: The day.
          take: Gets the rows, piece by piece in the order of the source.

        Raises:
          BadDataError: If a file is damaged or lacks a column.
          TryAgainError: If a file changes while it is read, or has changed since its
            digest was taken.
        """
        layout, present = self.layout, set[str]()
        posts, rejections, texts = self._read_posts()
        num_rows, num_empty, num_post_rejections = 0, 0, len(rejections.rows)
        for rows in self._rows_of(day):
            present |= rows.columns_with_values
            for line, text in rows.malformed:
                rejections.add_malformed("events", rows.file, line, text)
            rows, _, num_without_posts = entries.of_layout(layout, rows)
            num_empty += num_without_posts
            columns = event_columns.parse(layout, rows, day, posts, rejections, texts)
            is_late = columns["shown_at"] < midnight_ms(day)
            num_rows += len(is_late)
            take(
                event_columns.rows_where(columns, ~is_late),
                event_columns.rows_where(columns, is_late),
            )
        for file, state in self._states.items():
            raw_files.refuse_changed(file, state)
        return DayReading(
            num_rows=num_rows + len(rejections.rows) - num_post_rejections,
            posts=posts.columns(),
            are_posts_described="author_id" not in layout.event_columns and not posts.lacks_times,
            rejections=rejections,
            first_day=self.days[0] if self.days else None,
            last_day=self.days[-1] if self.days else None,
            texts=texts.texts(),
            absent_columns=self._absent(present),
            num_next=self._day_files.num_next(day),
            num_empty_slates=num_empty,
        )

    def _absent(self, present: Collection[str]) -> list[str]:
        """Returns the columns that are needed and that no row has, of files without a header.

        A flag that is not there is no, so nothing else would tell of a name that is misspelt.
        """
        if all(raw_files.names_columns(file) for file in self.layout.event_files):
            return []
        return [name for name in self.layout.source_columns if name not in present]

    def _rows_of(self, day: datetime.date) -> Iterator[RawRows]:
        if self.layout.is_by_utc_day:
            yield from self._day_files.rows(day)
        else:
            for archive in self._archives:
                yield from archive.rows(day_number(day))

    def _read_posts(self) -> _Described:
        """Returns what the post files describe."""
        rejections, texts = Rejections(), TextCollector()
        posts = DescribedPosts(texts)
        for file in self.layout.post_files:
            columns, name = list(self.layout.post_columns.values()), self.layout.post_name(file)
            for rows in raw_files.read(file, columns, self.layout.post_format, name=name):
                posts.add(self.layout, rows, rejections)
        return _Described(posts, rejections, texts)
