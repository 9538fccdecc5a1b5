"""From rows that are lists of posts to a row for each entry, which knows its place in the list.

A row without an entry is a slate without posts: it becomes no row, and is counted. An entry that
cannot be read is handed on with what was expected, so that it is rejected alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.errors import BadDataError
from components.source.layouts import Layout
from components.source.raw_rows import RawRows, Slates
from components.source.slates import lists
from components.source.slates.lists import Lists


class Entries(NamedTuple):
    """The entries of some rows, and the number of rows that have none."""

    rows: RawRows
    owners: np.ndarray  # [E] int64: the row of each entry, from 0
    num_empty: int


def of_layout(layout: Layout, rows: RawRows) -> Entries:
    """Returns a row for each entry, as the layout says; the rows themselves where it says nothing.

    Raises:
      BadDataError: See `entries`.
    """
    if layout.slates is None or rows.entries is not None:
        return Entries(rows, np.arange(len(rows.lines)), 0)
    return entries(rows, layout.slates, layout.value_columns, layout.null_words)


def entries(
    rows: RawRows, form: Slates, columns: Sequence[str], null_words: Sequence[str]
) -> Entries:
    """Returns a row for each entry of the lists in rows.

    Args:
      rows: n rows of one file, with the columns that hold lists.
      form: Which these are, and how to read them.
      columns: What is needed of an entry: columns of its row, and of lists as `Slates` calls them.
      null_words: Text that stands for no list at all.

    Returns:
      The rows with `entries`, their places from 1, and `entry_faults`; malformed rows are as they
      were.

    Raises:
      BadDataError: If entries are structures without a member that is needed.
    """
    try:
        read = [
            lists.read(rows.cells[name], name, _members(name, columns), form, null_words)
            for name in form.lists
        ]
    except BadDataError as error:
        raise BadDataError(f"{rows.file}: {error}") from error
    counts = np.maximum.reduce([each.counts for each in read])
    # Of an entry in lists of several lengths nobody knows what belongs to it.
    is_even = np.logical_and.reduce([each.counts == counts for each in read])
    owners = np.repeat(np.arange(len(counts)), counts)
    cells: dict[str, pa.Array] = {}
    faults: dict[int, str] = {}
    for each in read:
        places = _places(each, counts, is_even)
        cells |= {name: values.take(places) for name, values in each.values.items()}
        faults |= _moved(each, places)
    faults |= _uneven(read, form, counts, is_even)
    needed = [name for name in columns if name not in cells]
    cells |= {name: rows.cells[name].take(pa.array(owners)) for name in needed}
    starts = np.cumsum(counts) - counts
    return Entries(
        RawRows(
            rows.file,
            rows.lines[owners],
            cells,
            rows.malformed,
            entries=np.arange(len(owners)) - starts[owners] + 1,
            entry_faults=faults,
        ),
        owners,
        int((counts == 0).sum()),
    )


def _members(name: str, columns: Sequence[str]) -> list[str]:
    return [each.removeprefix(f"{name}.") for each in columns if each.startswith(f"{name}.")]


def _places(each: Lists, counts: np.ndarray, is_even: np.ndarray) -> pa.Array:
    """Returns `[E]` the place of every entry in one list, null where the lists are uneven."""
    owners = np.repeat(np.arange(len(counts)), counts)
    starts, own_starts = (np.cumsum(n) - n for n in (counts, each.counts))
    places = np.arange(len(owners)) - starts[owners] + own_starts[owners]
    return pa.array(places, mask=~is_even[owners])


def _moved(each: Lists, places: pa.Array) -> dict[int, str]:
    """Returns the faults of one list by the number of the entry among all."""
    if not each.faults:
        return {}
    place_of = {place: number for number, place in enumerate(places.to_pylist())}
    return {place_of[p]: text for p, text in each.faults.items() if p in place_of}


def _uneven(
    read: Sequence[Lists], form: Slates, counts: np.ndarray, is_even: np.ndarray
) -> dict[int, str]:
    starts = np.cumsum(counts) - counts
    faults = {}
    for row in np.flatnonzero(~is_even):
        sizes = [
            f"{each.counts[row]} in {name}" for name, each in zip(form.lists, read, strict=True)
        ]
        text = f"as many entries in each list of the row, of which there are {' and '.join(sizes)}"
        faults |= dict.fromkeys(range(starts[row], starts[row] + counts[row]), text)
    return faults
