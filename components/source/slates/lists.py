"""Columns of lists: how many entries each cell has, and the entries of all cells in order.

Lists are those of Parquet, JSON, or text with a separator; pandas writes lists into CSV as Python
does, `['a', 'b']`, which is read, too. What is no list has one entry, itself, so that no row gets
lost before somebody says what is wrong with it.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import ast
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.errors import BadDataError
from components.source.raw_rows import Slates, plain_cells
from components.tables import cells

_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_NO_LIST = "a list"


class Lists(NamedTuple):
    """The entries of n cells, E all together."""

    counts: np.ndarray  # [n] int64: entries of each cell
    values: Mapping[str, pa.Array]  # column -> [E]: the entry itself, and its members
    faults: Mapping[int, str]  # entry -> what was expected instead of it


def read(
    column: pa.Array, name: str, members: Sequence[str], form: Slates, null_words: Sequence[str]
) -> Lists:
    """Reads a column of lists.

    Args:
      column: `[n]` lists, or text.
      name: What the source calls it.
      members: Of the entries, as `b` and `c.d`, or the names of parts.
      form: How text becomes lists, and entries that are text become parts.
      null_words: Text that stands for no list at all.

    Returns:
      The entries as `name`, and their members as `name.b`.

    Raises:
      BadDataError: If entries are structures without one of the members.
    """
    if pa.types.is_string(column.type):
        return _of_text(column, name, members, form, null_words)
    if not any(is_kind(column.type) for is_kind in _LISTS):
        faults = dict.fromkeys(range(len(column)), _NO_LIST)
        values = {f"{name}.{each}": pa.nulls(len(column), pa.string()) for each in members}
        return Lists(np.ones(len(column), np.int64), {name: column, **values}, faults)
    counts = np.asarray(pc.fill_null(pc.list_value_length(column), 0)).astype(np.int64)
    entries = plain_cells(pc.list_flatten(column))
    return _with_members(counts, entries, name, members, form)


def _of_text(
    column: pa.Array, name: str, members: Sequence[str], form: Slates, null_words: Sequence[str]
) -> Lists:
    is_empty = cells.says_nothing(column, null_words)
    if form.separator is not None:
        texts = pc.if_else(pa.array(is_empty), pa.scalar(None, column.type), column)
        texts = pc.utf8_trim_whitespace(texts)
        split = (
            pc.split_pattern(texts, form.separator)
            if form.separator.strip()
            else pc.utf8_split_whitespace(texts)  # of blanks, any number is one
        )
        counts = np.asarray(pc.fill_null(pc.list_value_length(split), 0)).astype(np.int64)
        entries = pc.utf8_trim_whitespace(pc.list_flatten(split))
        return _with_members(counts, entries, name, members, form)
    return _of_json(column, is_empty, name, members, form)


def _of_json(
    column: pa.Array, is_empty: np.ndarray, name: str, members: Sequence[str], form: Slates
) -> Lists:
    """Reads lists of JSON or Python, each a text."""
    parsed = [
        [] if empty else _parse_list(text)
        for text, empty in zip(column.to_pylist(), is_empty, strict=True)
    ]
    counts = np.array([1 if each is None else len(each) for each in parsed], np.int64)
    starts = np.cumsum(counts) - counts
    faults = {int(starts[row]): _NO_LIST for row, each in enumerate(parsed) if each is None}
    entries: list[object] = []
    for text, each in zip(column.to_pylist(), parsed, strict=True):
        entries += [text] if each is None else each
    texts = pa.array([_text(each) for each in entries], pa.string())
    if form.parts:
        lists = _with_members(counts, texts, name, members, form)
        return lists._replace(faults={**lists.faults, **faults})
    values = {
        f"{name}.{member}": pa.array([_text(_member(e, member)) for e in entries], pa.string())
        for member in members
    }
    return Lists(counts, {name: texts, **values}, faults)


def _parse_list(text: str) -> list[object] | None:
    """Returns the entries of a list in JSON or Python, numbers as they are written; or None.

    >>> _parse_list('[{"id": 12345678901234567890, "liked": true}]')
    [{'id': '12345678901234567890', 'liked': True}]
    >>> _parse_list("['a', 'b']"), _parse_list("a")
    (['a', 'b'], None)
    """
    try:
        value = json.loads(text, parse_int=str, parse_float=str)
    except (json.JSONDecodeError, RecursionError):
        try:
            value = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return list(value) if isinstance(value, list | tuple) else None


def _member(entry: object, name: str) -> object:
    for part in name.split("."):
        entry = entry.get(part) if isinstance(entry, dict) else None
    return entry


def _text(value: object) -> str | None:
    """Returns a value of JSON as a cell of text."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _with_members(
    counts: np.ndarray, entries: pa.Array, name: str, members: Sequence[str], form: Slates
) -> Lists:
    """Adds the members of entries, or the parts of those that are text."""
    if not members:
        return Lists(counts, {name: entries}, {})
    if form.parts and not pa.types.is_struct(entries.type):
        return _with_parts(counts, entries, name, members, form)
    values = {name: entries}
    for member in members:
        kind, path = entries.type, member.split(".")
        for part in path:
            place = kind.get_field_index(part) if pa.types.is_struct(kind) else -1
            if place < 0:
                found = ", ".join(field.name for field in kind) if pa.types.is_struct(kind) else ""
                raise BadDataError(
                    f"expected entries of {name!r} with a member {member!r}, found "
                    f"{f'the members {found}' if found else str(entries.type)}. Name the right "
                    "one in the configuration."
                )
            kind = kind.field(place).type
        values[f"{name}.{member}"] = plain_cells(pc.struct_field(entries, path))
    return Lists(counts, values, {})


def _with_parts(
    counts: np.ndarray, entries: pa.Array, name: str, members: Sequence[str], form: Slates
) -> Lists:
    texts = entries.cast(pa.string())
    # From the end: what comes first is the id, which may hold the separator, as a UUID does.
    split = pc.split_pattern(
        texts, form.part_separator, max_splits=len(form.parts) - 1, reverse=True
    )
    is_whole = np.asarray(pc.fill_null(pc.list_value_length(split), 0)) == len(form.parts)
    whole = split.filter(pa.array(is_whole))
    # Where an entry has other parts, its place is null in all of them.
    index = pa.array(np.cumsum(is_whole) - 1, mask=~is_whole)
    values = {
        f"{name}.{member}": pc.list_element(whole, form.parts.index(member)).take(index)
        for member in members
    }
    expected = f"{form.part_separator.join(form.parts)}, {len(form.parts)} parts"
    faults = {int(row): expected for row in np.flatnonzero(~is_whole)}
    return Lists(counts, {name: entries, **values}, faults)
