"""The first rows of a source as the pipeline understands them, before any step runs."""

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.profiling.samples import spread
from components.source import arrivals, event_columns, raw_files
from components.source.by_day import coming_columns, path_patterns
from components.source.described_posts import DescribedPosts
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.source.row_checks import Rejections
from components.source.slates import entries
from components.tables import places
from components.tables.text_collector import TextCollector
from phoenix.data.days import DAY_MS, day_of_number

_MAX_BYTES = 1 << 30  # of event files that are read for their first day; of more, the first files
_NO_DAY = datetime.date(9999, 12, 31)  # by whose end every row has arrived
_RARE = 1e-4  # share of rows before a first day, or after a last one: their clocks were wrong


@dataclass(frozen=True)
class PreviewRow:
    """A row of the source as an impression."""

    user: str  # ids as the source writes them
    post: str
    shown_at: datetime.datetime  # UTC
    actions: tuple[int, ...]  # the bits that are set


@dataclass(frozen=True)
class Preview:
    """The first rows of some files, read as `ingest_events` would read them."""

    num_rows: int
    rows: Sequence[PreviewRow]  # the first that can be read
    num_rejected: int
    reasons: Sequence[tuple[str, int, str]]  # rule, rows, and the first of them in words


def preview(layout: Layout, *, num_rows: int, num_files: int = 1, num_shown: int = 5) -> Preview:
    """Reads the first rows of some event files, the newest one first.

    Args:
      layout: The files and columns.
      num_rows: How many rows are read, of all files.
      num_files: How many files; of several, the oldest and some between are others.
      num_shown: How many of those that can be read are kept.

    Raises:
      BadDataError: If a file is damaged or lacks a column.
    """
    rejections, texts, rows, count = Rejections(), TextCollector(), list[PreviewRow](), 0
    posts = _posts(layout, rejections, texts)
    rejections.rows.clear()  # those of posts are counted by the step
    files = spread(layout.event_files, num_files)
    for file in reversed(files):
        for part in _first_blocks(layout, file, max(num_rows // len(files), 1)):
            count += len(part.lines) + len(part.malformed)
            for line, text in part.malformed:
                rejections.add_malformed("events", part.file, line, text)
            day = path_patterns.day_in(str(file), layout.day_pattern or "")
            events = event_columns.parse(layout, part, day or _NO_DAY, posts, rejections, texts)
            rows += _rows(layout, part, events, num_shown - len(rows))
    rules = Counter(str(row["rule"]) for row in rejections.rows)
    first = {str(row["rule"]): row for row in reversed(rejections.rows)}
    return Preview(
        count,
        rows,
        len(rejections.rows),
        [
            (rule, number, f"{_place(first[rule])}: {first[rule]['detail']}")
            for rule, number in rules.most_common()
        ],
    )


def _first_blocks(layout: Layout, file: Path, num_rows: int) -> Iterator[RawRows]:
    """Yields the first rows of a file, of lists their entries."""
    for block in coming_columns.read(layout, file, layout.source_columns, file.name):
        lines = block.take(np.arange(min(len(block.lines), num_rows)))
        part = replace(entries.of_layout(layout, lines).rows, malformed=block.malformed)
        yield part
        num_rows -= len(part.lines) + len(part.malformed)
        if num_rows <= 0:
            return


def covered_days(layout: Layout) -> tuple[datetime.date, datetime.date] | None:
    """Returns the UTC days on which the log begins and ends, or None if no row has a readable time.

    Rows that are alone long before or after all others do not count: their clocks were wrong.

    Raises:
      BadDataError: If a file is damaged or lacks a column.
    """
    if layout.files_by_day:
        return min(layout.files_by_day), max(layout.files_by_day)
    days: Counter[int] = Counter()
    num_bytes = 0
    column = layout.event_columns["shown_at"]
    for file in layout.event_files:
        for rows in raw_files.read(file, [column], layout.event_format):
            shown_at, is_time = arrivals.times(layout, rows, "shown_at")
            numbers, counts = np.unique(shown_at[is_time] // DAY_MS, return_counts=True)
            days.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
        num_bytes += file.stat().st_size
        if num_bytes > _MAX_BYTES:
            break
    if not days:
        return None
    first, last = _first_common(days, sorted(days)), _first_common(days, sorted(days, reverse=True))
    return day_of_number(first), day_of_number(last)


def _first_common(days: Mapping[int, int], numbers: Sequence[int]) -> int:
    """Returns the first of some days by which more than a few rows were shown."""
    through = np.cumsum([days[number] for number in numbers])
    return numbers[int(np.argmax(through > _RARE * through[-1]))]


def _place(row: Mapping[str, Any]) -> str:
    return places.place(row["file"], row["line"], row.get("entry"))


def _posts(layout: Layout, rejections: Rejections, texts: TextCollector) -> DescribedPosts:
    posts = DescribedPosts(texts)
    for file in layout.post_files:
        for rows in raw_files.read(file, list(layout.post_columns.values()), layout.post_format):
            posts.add(layout, rows, rejections)
    return posts


def _rows(
    layout: Layout, rows: RawRows, events: event_columns.Columns, count: int
) -> list[PreviewRow]:
    # Line and place in its list as one number, which rises as both do.
    scale = 1 if rows.entries is None else int(rows.entries.max(initial=0)) + 1
    keys = rows.lines * scale + (0 if rows.entries is None else rows.entries)
    shown_keys = events["line"] * scale + events.get("entry", 0)
    indices = np.searchsorted(keys, shown_keys[: max(count, 0)])
    users, posts = (_ids(layout, rows, events, name, indices) for name in ("user_id", "post_id"))
    return [
        PreviewRow(
            user,
            post,
            datetime.datetime.fromtimestamp(int(shown_at) / 1000, datetime.UTC),
            tuple(bit for bit in range(len(layout.actions)) if int(actions) >> bit & 1),
        )
        for user, post, shown_at, actions in zip(
            users, posts, events["shown_at"], events["actions"], strict=False
        )
    ]


def _ids(
    layout: Layout, rows: RawRows, events: event_columns.Columns, name: str, indices: np.ndarray
) -> list[str]:
    """Returns the first ids as people know them: text as it is written, `7.0` as 7."""
    if name not in layout.text_ids:
        return [str(int(each)) for each in events[name][: len(indices)]]
    cells = rows.cells[layout.event_columns[name]]
    return [str(cells[int(index)].as_py()) for index in indices]
