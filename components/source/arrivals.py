"""The UTC day on which each row of a source arrived, which is the day that accounts for it.

Rows of files by day arrived on the day of their file (`by_day.file_days` knows of those after its
end). Other rows arrived on the day on which they were shown, unless the source says when they did:
late rows, and rows from the future, belong to the day of their arrival. Of the latter the time is
wrong; on the day that it names nobody would look for them yet.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.source import raw_files
from components.source.by_day.file_days import FileDay
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.tables import cells
from phoenix.data.days import DAY_MS, day_number


@dataclass(frozen=True)
class ArrivalBlock:
    """Consecutive rows of one file with the days on which they arrived, counted from 1970."""

    rows: RawRows
    days: np.ndarray  # [n] int64
    malformed_days: list[int]  # of `rows.malformed`
    has_time: bool = True  # whether a time says the day of any row, or a path does


def read_arrivals(
    layout: Layout, file: Path, *, first_day: datetime.date
) -> Iterator[ArrivalBlock]:
    """Yields the rows of a file that holds many days.

    A row without a readable time arrived on the day of the row before it, so that it is counted
    once, on one day; at the head of a file, on that of the first row that has one.

    Args:
      layout: The columns.
      file: An event file.
      first_day: The day of rows at the head of a file if no row says one.

    Raises:
      BadDataError: If the file is damaged or lacks a column.
    """
    last: int | None = None
    otherwise = day_number(first_day)
    file_day = None if layout.day_pattern is None else layout.file_day(file)
    for rows in raw_files.read(
        file, layout.source_columns, layout.event_format, name=layout.event_name(file)
    ):
        if file_day is not None:
            homes = [file_day.home] * len(rows.malformed)
            yield ArrivalBlock(rows, file_days(layout, file_day, rows), homes)
            continue
        days, is_known = _days(layout, rows)
        has_time = bool(is_known.any())
        days = _fill_days(days, is_known, before=last, otherwise=otherwise)
        malformed_days = []
        for line, _ in rows.malformed:
            place = int(np.searchsorted(rows.lines, line)) - 1  # the last row before the line
            # At the head of a file, with the first row that has a day, as rows without a time.
            head = int(days[0]) if last is None and len(days) else last
            before = head if place < 0 else int(days[place])
            malformed_days.append(otherwise if before is None else before)
        last = int(days[-1]) if len(days) else last
        yield ArrivalBlock(rows, days, malformed_days, has_time)


def file_days(layout: Layout, file_day: FileDay, rows: RawRows) -> np.ndarray:
    """Returns the UTC days that account for rows of a file by day.

    Args:
      layout: The columns.
      file_day: The day in the path of the file.
      rows: n rows of the file.

    Returns:
      `[n]` days from 1970; rows that cannot be read as events have one, too.
    """
    shown_at, is_known = times(layout, rows, "shown_at")
    if "ingested_at" in layout.event_columns:
        arrived_at, has_arrival = times(layout, rows, "ingested_at")
        # From the future: its time is wrong, and would move it to a day on which nobody looks.
        is_known &= ~(has_arrival & (shown_at > arrived_at + layout.clock_skew_ms))
    return file_day.days_of(shown_at, is_known)


def times(layout: Layout, rows: RawRows, name: str) -> cells.Parsed:
    """Returns the times in the column that is mapped to `name`, and which are readable."""
    return cells.parse_time(rows.cells[layout.event_columns[name]], *layout.time_form(name))


def _days(layout: Layout, rows: RawRows) -> tuple[np.ndarray, np.ndarray]:
    """Returns the days on which rows arrived, and which rows say so."""
    shown_at, is_known = times(layout, rows, "shown_at")
    days = shown_at // DAY_MS
    if "ingested_at" not in layout.event_columns:
        return days, is_known
    arrived_at, has_arrival = times(layout, rows, "ingested_at")
    arrival_days = arrived_at // DAY_MS
    is_future = shown_at > arrived_at + layout.clock_skew_ms
    is_elsewhere = has_arrival & (is_future | (arrival_days > days))
    return np.where(is_elsewhere, arrival_days, days), is_known | has_arrival


def _fill_days(
    days: np.ndarray, is_known: np.ndarray, *, before: int | None, otherwise: int
) -> np.ndarray:
    """Gives rows without a day that of the row before them, or of the first row that has one.

    >>> days, is_known = np.array([0, 5, 0, 6]), np.array([False, True, False, True])
    >>> _fill_days(days, is_known, before=None, otherwise=1).tolist()
    [5, 5, 5, 6]
    """
    if is_known.all() or not len(days):
        return days
    rows = np.where(is_known, np.arange(len(days)), -1)
    latest = np.maximum.accumulate(rows)
    head = before
    if head is None:
        head = int(days[np.argmax(is_known)]) if is_known.any() else otherwise
    return np.where(latest >= 0, days[np.maximum(latest, 0)], head)
