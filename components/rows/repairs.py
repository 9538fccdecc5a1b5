"""Rows that somebody corrected by hand: they take the place of the rows of the source.

`phoenix quarantine export` writes the quarantined rows of a day as CSV: what is known of each, and
what is wrong with it. Mended and put into the folder `validate_events.repairs` as `<day>.csv`, they
are an input of the day like any other: named in its recipe, and held against every rule again. An
author that a row leaves out is the one that the post files name.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import contextlib
import datetime
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from components.errors import BadDataError
from components.rows.row_texts import RowTexts
from components.settings.config import Config
from components.tables import cells, data_files
from components.tables.action_lists import ActionList
from components.tables.event_ids import event_ids
from components.tables.id_texts import IdTexts
from components.tables.text_collector import TextCollector
from phoenix.data import sorted_ids
from schemas.columns import TIMESTAMP
from schemas.events import EVENTS, INGESTED, QUARANTINED

_PLACE = ("file", "line")
_VALUES = tuple(name for name in EVENTS.names if name != "event_id")  # the id follows from them
_OPTIONAL = tuple(column.name for column in EVENTS.optional)
_ENTRY = "entry"  # where a line holds several rows
Faults = dict[int, str]  # row of a file -> what is wrong with it
_INFORMATION = ("rule", "detail", "raw")  # for the person who mends; not read again


def path(config: Config, day: str) -> Path | None:
    """Returns the file with the corrected rows of a day, if there is one."""
    folder = config.validate_events.repairs
    file = folder / f"{day}.csv" if folder is not None else None
    return file if file is not None and file.is_file() else None


def fingerprint(file: Path) -> dict[str, Any]:
    """Returns name, size and SHA-256 of a file of corrected rows, for the recipe."""
    data = file.read_bytes()
    return {"name": file.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def inputs(config: Config, day: datetime.date) -> list[dict[str, Any]]:
    """Names the file with the corrected rows of a day for its recipe; nothing without one."""
    file = path(config, str(day))
    return [] if file is None else [fingerprint(file)]


def export(file: Path, parts: Iterable[tuple[pa.Table, RowTexts]], config: Config) -> int:
    """Writes quarantined rows for a person to mend, with their ids as the source writes them.

    Args:
      file: The CSV file to write; it is there when all is.
      parts: Rows in the schema `QUARANTINED`, the first ones with every column of the others, and
        the texts of those of their ids that are text; one part is in memory at a time.
      config: The actions.

    Returns:
      How many rows there are.
    """
    waiting = file.with_name(f".{file.name}.unfinished")
    count, first, writer = 0, None, None
    with contextlib.ExitStack() as stack:
        stack.callback(waiting.unlink, missing_ok=True)
        for rows, texts in parts:
            first = rows.slice(0, 0) if first is None else first
            table = _for_people(data_files.concatenate(QUARANTINED, [first, rows]), texts, config)
            if writer is None:
                writer = stack.enter_context(csv.CSVWriter(waiting, table.schema))
            writer.write_table(table)
            count += len(rows)
        if writer is not None:
            writer.close()
            waiting.replace(file)
    return count


def _for_people(quarantined: pa.Table, texts: RowTexts, config: Config) -> pa.Table:
    """Returns quarantined rows with actions by name and ids as the source writes them."""
    names = config.action_names
    actions = [
        None if bits is None else " ".join(n for a, n in enumerate(names) if bits >> a & 1)
        for bits in quarantined["actions"].to_pylist()
    ]
    index = quarantined.schema.get_field_index("actions")
    table = quarantined.set_column(index, "actions", pa.array(actions, pa.string()))
    for name in config.ingest_events.source.text_ids:
        ids = table[name].drop_null().to_numpy()
        table = table.set_column(
            table.schema.get_field_index(name), name, _texts_of(table[name], texts.read(name, ids))
        )
    optional = [name for name in (_ENTRY, *_OPTIONAL) if name in table.column_names]
    return table.select([*_PLACE, *_VALUES, *optional, *_INFORMATION])


def _texts_of(ids: pa.ChunkedArray, texts: IdTexts) -> pa.Array:
    """Returns the texts of ids; null where the id is."""
    names = texts.column_of(ids.fill_null(0).to_numpy()).cast(pa.string())
    return pc.if_else(ids.combine_chunks().is_valid(), names, pa.scalar(None, pa.string()))


class Corrections(NamedTuple):
    """The rows of a file that somebody corrected."""

    rows: pa.Table  # `INGESTED`: those that can be read
    unmended: Sequence[str]  # of each other row its line and what is wrong, without its values


def read(
    file: Path, config: Config, actions: ActionList | None = None, posts: pa.Table | None = None
) -> Corrections:
    """Reads corrected rows; an empty `ingested_at` is `shown_at`.

    A row of which a value is missing or cannot be read is left out: the row at its place stays
    as it came.

    Args:
      file: The CSV file.
      config: The actions.
      actions: Those that the day was ingested with: rows may have been exported under their names.
        What is not configured any more is left out.
      posts: In the schema `DESCRIBED_POSTS`, sorted by id: who wrote the post of a row without an
        author. Where no file names an author, a post is its own.

    Raises:
      BadDataError: If the file or the place of a row cannot be read, or no row is mended.
    """
    faults: Faults = {}
    table = _read_columns(file, config, faults)
    if "weight" in table.column_names:
        weight = table["weight"].fill_null(1.0)
        table = table.set_column(table.schema.get_field_index("weight"), "weight", weight)
    # Who mends a row need not know when it arrived.
    arrived_at = pc.coalesce(table["ingested_at"], table["shown_at"])
    table = table.set_column(table.schema.get_field_index("ingested_at"), "ingested_at", arrived_at)
    for name in (*_PLACE, *_VALUES):
        if name not in ("actions", "author_id"):
            _mark(faults, table[name].is_null(), f"expected a value of {name!r}, got none")
    lacks_author = table["author_id"].is_null().to_numpy()
    for name, end in config.ingest_events.source.text_ids.items():
        # A text that is no id becomes 0, which the rules put into quarantine again.
        numbers, _ = cells.parse_text_id(table[name].combine_chunks(), end)
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(numbers))
    if lacks_author.any():
        authors = _authors(table, lacks_author, posts, faults)
        table = table.set_column(table.schema.get_field_index("author_id"), "author_id", authors)
    bit_of_name = _bits_of_names(config, actions)
    texts = table["actions"].to_pylist()
    bits = [_parse_actions(text or "", bit_of_name, row, faults) for row, text in enumerate(texts)]
    unmended = [f"{file.name}:{row + 2}: {fault}" for row, fault in sorted(faults.items())]
    if len(unmended) == len(table) > 0:
        raise BadDataError(
            f"{file}: none of its {len(table):,} rows is mended: {unmended[0]}. Mend them, or take "
            "the file out of `validate_events.repairs`."
        )
    is_mended = np.ones(len(table), bool)
    is_mended[list(faults)] = False
    columns = data_files.columns(table.drop_columns(["actions"]).filter(pa.array(is_mended)))
    columns["actions"] = np.array(bits, np.uint64)[is_mended]
    ids = event_ids(columns["user_id"], columns["post_id"], columns["shown_at"])
    return Corrections(data_files.arrow_table(INGESTED, {**columns, "event_id": ids}), unmended)


def _mark(faults: Faults, is_bad: pa.Array | np.ndarray, fault: str) -> None:
    """Notes what is wrong with some rows, `[n]` bool, of which nothing was known to be."""
    for row in np.flatnonzero(np.asarray(is_bad)):
        faults.setdefault(int(row), fault)


def _authors(
    rows: pa.Table, lacks_author: np.ndarray, posts: pa.Table | None, faults: Faults
) -> pa.Array:
    """Returns the authors of all rows, of which some, `[n]` bool, name none."""
    post_ids, author_ids = (rows[name].fill_null(0).to_numpy() for name in ("post_id", "author_id"))
    named = None if posts is None else posts.filter(pc.field("author_id") > 0)
    if named is None or not len(named):
        return pa.array(np.where(lacks_author, post_ids, author_ids))
    of_posts, named_ids = named["author_id"].to_numpy(), named["post_id"].to_numpy()
    is_unknown = lacks_author & ~sorted_ids.find(named_ids, post_ids).is_there
    fault = (
        "expected a value of 'author_id', got none, and no post file names the author of the post"
    )
    _mark(faults, is_unknown, fault)
    found = sorted_ids.values_at(named_ids, of_posts, post_ids, missing=0)
    return pa.array(np.where(lacks_author, found, author_ids))


def texts(file: Path, config: Config) -> list[IdTexts]:
    """Returns the texts of the ids in corrected rows, where ids are text.

    Raises:
      BadDataError: If the file cannot be read, or two texts have one number.
    """
    collector, table = TextCollector(), _read_columns(file, config, {})
    text_ids = config.ingest_events.source.text_ids
    for name, end in text_ids.items():
        collector.reader_that_takes(name)(table[name].combine_chunks(), end, ())
    if "author_id" in text_ids:
        own = table["post_id"].filter(table["author_id"].is_null()).drop_null().combine_chunks()
        if "post_id" in text_ids:
            collector.reader_that_takes("author_id")(own, text_ids["post_id"], ())
        else:
            collector.take_digits("author_id", own.to_numpy())
    return list(collector.texts().values())


def _read_columns(file: Path, config: Config, faults: Faults) -> pa.Table:
    """Reads the file as text, and its columns as what they are; null where a value is none."""
    types: dict[str, pa.DataType] = {
        name: QUARANTINED[name].type for name in (*_PLACE, *_VALUES) if name != "actions"
    }
    types |= {"shown_at": TIMESTAMP, "ingested_at": TIMESTAMP, "actions": pa.string()}
    types |= dict.fromkeys(config.ingest_events.source.text_ids, pa.string())
    optional = {column.name: column.type for column in EVENTS.optional} | {_ENTRY: pa.int32()}
    try:
        names = csv.open_csv(file).schema.names
        texts = csv.read_csv(
            file,
            # Line breaks are in no cell but those for people, of which none is read.
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],  # an id may be called NA
            ),
        )
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, f"a CSV file that can be read: {error}") from error
    if missing := [name for name in types if name not in texts.column_names]:
        raise _unreadable(file, f"the columns {', '.join(types)}, found no {', '.join(missing)}")
    # A file without the optional ones is whole, too.
    types |= {name: kind for name, kind in optional.items() if name in texts.column_names}
    columns = {name: _cast(file, name, texts[name], kind, faults) for name, kind in types.items()}
    return pa.table(columns)


def _cast(
    file: Path, name: str, texts: pa.ChunkedArray, kind: pa.DataType, faults: Faults
) -> pa.ChunkedArray:
    """Returns texts as values of a type; null where a text is none.

    Raises:
      BadDataError: Naming the line of a row whose place is none.
    """
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        values = [_value(text, kind) for text in texts]
    is_bad = np.array([v is None and t.is_valid for v, t in zip(values, texts, strict=True)])
    if name in (*_PLACE, _ENTRY) and is_bad.any():
        row = int(np.argmax(is_bad))
        what = f"of the type {kind}, got {texts[row].as_py()!r}"
        raise _unreadable(file, f"in line {row + 2} {name!r} {what}")
    _mark(faults, is_bad, f"expected {name!r} of the type {kind}, got other text")
    return pa.chunked_array([pa.array(values, kind)])


def _value(text: pa.Scalar, kind: pa.DataType) -> pa.Scalar | None:
    try:
        return text.cast(kind) if text.is_valid else None
    except pa.ArrowInvalid:
        return None


def _unreadable(file: Path, expected: str) -> BadDataError:
    return BadDataError(
        f"{file}: expected {expected}. Mend it, write it anew by `phoenix quarantine export`, or "
        "take it out of `validate_events.repairs`."
    )


def remaining_rows(rows: pa.Table, corrections: pa.Table) -> pa.Table:
    """Returns the rows that no corrected row takes the place of: file and line, maybe the entry."""
    places = _places(corrections)
    numbers = _places(rows).append_column("_row", pa.array(np.arange(len(rows))))
    remaining = numbers.join(places, places.column_names, join_type="left anti")
    # A join of Arrow gives rows in any order.
    return rows.take(pa.array(np.sort(remaining["_row"].to_numpy())))


def _places(rows: pa.Table) -> pa.Table:
    """Returns file, line and place in the list of the line; 0 where a line is one row."""
    # Not null: of a join, null is equal to nothing.
    zeros = pa.chunked_array([np.zeros(len(rows), np.int32)])
    entries = rows[_ENTRY].fill_null(0) if _ENTRY in rows.column_names else zeros
    # As texts: codes of different dictionaries cannot be joined.
    files = rows["file"].cast(pa.string())
    return pa.table({"file": files, "line": rows["line"], _ENTRY: entries})


def unknown_places(
    file: Path, corrections: pa.Table, num_replaced: int, names: Collection[str]
) -> str | None:
    """Says that corrected rows take no row's place, or the same one twice; None if all take one.

    Args:
      file: Of the corrected rows.
      corrections: These.
      num_replaced: The rows of the day whose place they take.
      names: Of the files of the day.
    """
    if num_replaced == len(corrections):
        return None
    unknown = sorted(set(corrections["file"].to_pylist()) - set(names))
    no_file = f"No file of the day is called {', '.join(unknown[:3])}: "
    no_file += f"there are {', '.join(sorted(names)[:3])}. " if names else "there is none. "
    return (
        f"{file}: its {len(corrections):,} rows take the place of {num_replaced:,} rows of the "
        f"day. {no_file if unknown else ''}Each must name file and line of one row, as `phoenix "
        "quarantine export` does."
    )


def _bits_of_names(config: Config, actions: ActionList | None) -> dict[str, int]:
    """Returns by name the set with the action alone, or without any for one that is gone."""
    own = {name: 1 << bit for bit, name in enumerate(config.action_names)}
    if actions is None:
        return own
    then = zip(actions.actions, actions.names_in(config), strict=True)
    return {each.name: own.get(name, 0) for each, name in then if each.name is not None} | own


def _parse_actions(text: str, bit_of_name: Mapping[str, int], row: int, faults: Faults) -> int:
    """Returns the set of bits of names with spaces between them."""
    bits = 0
    for name in text.split():
        if name not in bit_of_name:
            names = ", ".join(bit_of_name)
            faults.setdefault(row, f"{name!r} is no action; expected some of {names}, with spaces")
        bits |= bit_of_name.get(name, 0)
    return bits
