"""Columns that the files of a log have from some day on: those of the days before lack them.

A row is whole without them, and of an action nobody knows. That a column goes away again is refused
by `schema_changes`, and one that is in no file is a wrong name.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from components.source import raw_files
from components.source.layouts import MAY_COME, Layout
from components.source.raw_rows import RawRows
from components.source.schema_changes import LIKENESS


def lacking(layout: Layout, file: Path) -> list[str]:
    """Returns the columns that a file does not have, and the newest one has.

    None where rows name their own columns, or files are not by UTC day.

    Args:
      layout: Files and columns.
      file: One of its event files.

    Raises:
      BadDataError: If it is damaged.
    """
    present = raw_files.columns(file, layout.event_format)
    if not layout.is_by_utc_day or layout.slates is not None or present is None:
        return []
    rows = [column for name, column in layout.event_columns.items() if name in MAY_COME]
    # An action that a file knows by a former name is there: a rename is not for us to guess.
    actions = [
        action.column
        for action in layout.actions
        if not any(name in present for name in action.former_columns)
    ]
    needed = {column for name, column in layout.event_columns.items() if name not in MAY_COME}
    names = [
        n for n in dict.fromkeys((*rows, *actions)) if n not in needed and not _has(present, n)
    ]
    newest = _newest_columns(layout) if names else ()
    return [name for name in names if _has(newest, name) and is_new(name, present, newest)]


def is_new(name: str, present: Collection[str], newest: Collection[str]) -> bool:
    """Whether a column that a file lacks is new, and not one that was called otherwise there.

    Args:
      name: The column.
      present: The columns of the file.
      newest: Those of the newest file; what is not there any more may be its former name.

    >>> is_new("feed", ["user", "page"], ["user", "feed"])
    True
    >>> is_new("like", ["user", "liked"], ["user", "like"])
    False
    """
    gone = [each for each in present if each not in newest]
    return not difflib.get_close_matches(name, gone, n=1, cutoff=LIKENESS)


def read(layout: Layout, file: Path, columns: Sequence[str], name: str) -> Iterator[RawRows]:
    """Yields the rows of a file, null in the columns that only later files have.

    Args:
      layout: Files and columns.
      file: One of its event files.
      columns: Of the source.
      name: What rows call the file.

    Raises:
      BadDataError: If the file is damaged or lacks another column.
      TryAgainError: If it changes meanwhile.
    """
    absent = [column for column in lacking(layout, file) if column in columns]
    present = [column for column in columns if column not in absent]
    for rows in raw_files.read(file, present, layout.event_format, name=name):
        nulls = pa.nulls(len(rows.lines), pa.string())
        yield replace(rows, cells=rows.cells | dict.fromkeys(absent, nulls)) if absent else rows


def _has(present: Collection[str], name: str) -> bool:
    """Whether a column, or a member `a.b` of one, can be among those that are there."""
    return name in present or ("." in name and name.split(".")[0] in present)


def _newest_columns(layout: Layout) -> Collection[str]:
    for files in reversed(list(layout.files_by_day.values())):
        for file in reversed(files):
            if (columns := raw_files.columns(file, layout.event_format)) is not None:
                return columns
    return ()
