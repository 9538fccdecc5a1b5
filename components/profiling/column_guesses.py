"""The canonical columns of events and posts by the names and values of a log's columns."""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.profiling import times, words
from components.profiling.hints import Hints
from components.profiling.samples import Sample
from components.settings.source import NULL_WORDS
from components.tables import cells

_REQUIRED = ("user_id", "post_id", "shown_at")
_MAX_SURFACE = 15
_SHARE = 0.99  # of the values that have a form
_AUTHOR_SHARE = 0.9  # of the rows that name an author; without one, a post is its own


def missing_columns(samples: Sequence[Sample], hints: Hints) -> list[str]:
    """Returns the canonical columns without which a log is none, and which no column can be."""
    columns = event_columns(events_sample(samples, hints).rows, hints)
    return [name for name in _REQUIRED if name not in columns]


def is_text_id(column: pa.ChunkedArray) -> bool:
    """Whether ids of a column must be read as text: no whole numbers above 0, or zeros in front.

    >>> is_text_id(pa.chunked_array([["0001388703", "77"]])), is_text_id(pa.chunked_array([["7"]]))
    (True, False)
    """
    values = column.combine_chunks().drop_null()
    if not len(values):
        return False
    numbers, is_good = cells.parse_whole(values)
    if np.mean(is_good) < _SHARE or (numbers[is_good] <= 0).any():
        return True
    if not pa.types.is_string(values.type):
        return False
    return bool(pc.any(pc.starts_with(values, "0")).as_py())


def events_sample(samples: Sequence[Sample], hints: Hints) -> Sample:
    """Returns the file with most of what an event needs; of equals, the one with most parts."""

    def worth(sample: Sample) -> tuple[int, int]:
        """Returns by how much a sample looks like events."""
        columns = event_columns(sample.rows, hints)
        return sum(name in columns for name in _REQUIRED), len(sample.files)

    return max(samples, key=worth)


def is_surface_number(values: pa.Array) -> bool:
    """Whether all values can be the number of a surface."""
    numbers, is_whole = cells.parse_whole(values)
    return bool(np.mean(is_whole) >= _SHARE) and 0 <= numbers.min() <= numbers.max() <= _MAX_SURFACE


def event_columns(rows: pa.Table, hints: Hints) -> dict[str, str]:
    """Returns the source columns by canonical name, each at most once."""
    names = rows.column_names
    columns = {name: column for name, column in hints.columns.items() if column in names}
    for name, canonical in words.COLUMN_NAMES.items():
        free = [each for each in rows.column_names if each not in columns.values()]
        if name in columns:
            continue
        column = words.column_for(canonical, free)
        if column is not None and _fits(name, rows[column].combine_chunks()):
            columns[name] = column
    return columns


def _fits(name: str, column: pa.Array) -> bool:
    """Whether the values of a column can be what its name says."""
    values = column.filter(pa.array(~cells.says_nothing(column, NULL_WORDS)))
    if not len(values):
        return False
    if name in ("shown_at", "ingested_at"):
        return times.time_settings(values) is not None
    numbers, is_good = cells.parse_number(values)
    is_number = bool(np.mean(is_good) >= _SHARE)
    if name == "surface":
        return is_surface_number(values) or 1 < len(pc.unique(values)) <= _MAX_SURFACE
    if name == "author_id":  # an author of whom nothing is said in many rows is none
        return has_authors(column)
    # One that is wrong is refused alone, and the preview tells of it.
    if name in ("dwell_seconds", "position", "weight"):
        return is_number and bool(np.mean(numbers >= 0) >= _SHARE)
    if name in ("propensity", "sampling_rate"):
        return is_number and bool(np.mean((numbers > 0) & (numbers <= 1)) >= _SHARE)
    return True


def has_authors(column: pa.Array) -> bool:
    """Whether nearly all rows name an author."""
    return bool(np.mean(~cells.says_nothing(column, NULL_WORDS)) >= _AUTHOR_SHARE)


def posts_sample(samples: Sequence[Sample], events: Sample, column: str) -> Sample | None:
    """Returns the file of posts: it has their ids, each once, and no user."""
    for sample in samples:
        names = sample.rows.column_names
        if sample is events or words.column_for(words.COLUMN_NAMES["user_id"], names):
            continue
        post = _post_column(names, column)
        if post is not None and len(names) > 1:
            # Of each file: one of every day may describe the same posts.
            parts = [part for part in sample.parts.values() if post in part.column_names]
            ids = [part[post] for part in parts] or [sample.rows[post]]
            if all(pc.count_distinct(each).as_py() >= _SHARE * len(each) for each in ids):
                return sample
    return None


def _post_column(names: list[str], event_column: str) -> str | None:
    if event_column in names:
        return event_column
    return words.column_for(words.POST_COLUMN_NAMES["post_id"], names)


def post_columns(posts: Sample, event_column: str) -> dict[str, str]:
    """Returns the source columns of a file of posts by canonical name.

    Args:
      posts: The file.
      event_column: The column of events with the posts' ids.
    """
    rows = posts.rows
    columns = {"post_id": str(_post_column(rows.column_names, event_column))}
    for name, canonical in words.POST_COLUMN_NAMES.items():
        free = [each for each in rows.column_names if each not in columns.values()]
        column = words.column_for(canonical, free)
        if name in columns or column is None:
            continue
        values = rows[column].combine_chunks()
        is_time = name != "created_at" or times.time_settings(values) is not None
        if is_time and (name != "author_id" or has_authors(values)):
            columns[name] = column
    return columns
