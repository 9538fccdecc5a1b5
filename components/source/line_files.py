"""Reads text files whose rows are lines: JSON lines, columns between `::`, sequences of items.

A line that is no row is handed on as malformed; the next line is read as if nothing was.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.errors import BadDataError
from components.source import byte_streams
from components.source.raw_rows import FileFormat, Pace, RawRows, as_text
from phoenix.data import sorted_ids

_BLOCK_BYTES = 1 << 22  # what is in memory of a file at a time
_MAX_LINE_BYTES = 1 << 26
_NEWLINE = 10
SEQUENCE_COLUMNS = ("user", "item", "shown_at", "chosen")


def read_json(file: Path, form: FileFormat, columns: Sequence[str]) -> Iterator[RawRows]:
    """Yields the objects of JSON lines as cells of text, of which each may lack any.

    Args:
      file: The file.
      form: Its encoding.
      columns: Names; `a.b` is the member b of the member a.
    """
    import duckdb  # for JSON alone

    paths = ["$" + "".join(f".{json.dumps(part)}" for part in name.split(".")) for name in columns]
    query = """
        SELECT coalesce(try(json_type(line)) = 'OBJECT', false) AS is_row,
               CASE WHEN is_row THEN json_extract_string(line, $paths) END AS cells
        FROM lines
    """
    with duckdb.connect(config={"threads": 1}) as database:
        for numbers, texts in _lines(file, form):
            lines = pa.table({"line": texts})
            database.register("lines", lines)
            result = database.sql(query, params={"paths": paths}).to_arrow_table()
            is_row = np.asarray(result["is_row"].combine_chunks())
            rows = result["cells"].combine_chunks().filter(pa.array(is_row))
            cells = {name: pc.list_element(rows, place) for place, name in enumerate(columns)}
            malformed = _malformed(numbers, texts, ~is_row, "expected a JSON object")
            yield RawRows(file.name, numbers[is_row], cells, malformed)


def read_split(file: Path, form: FileFormat, columns: Sequence[str]) -> Iterator[RawRows]:
    """Yields lines whose columns are called `form.names`, with `form.delimiter` in between."""
    for numbers, texts in _lines(file, form):
        parts = pc.split_pattern(texts, form.delimiter)
        is_row = np.asarray(pc.list_value_length(parts)) == len(form.names)
        rows = parts.filter(pa.array(is_row))
        cells = {name: pc.list_element(rows, form.names.index(name)) for name in columns}
        expected = f"expected {len(form.names)} columns"
        malformed = _malformed(numbers, texts, ~is_row, expected)
        yield RawRows(file.name, numbers[is_row], cells, malformed)


def read_sequences(file: Path, form: FileFormat, pace: Pace) -> Iterator[RawRows]:
    """Yields one row per item of lines `user item item ...`, with `SEQUENCE_COLUMNS`."""
    for numbers, texts in _lines(file, form):
        words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts))
        counts = np.asarray(pc.list_value_length(words)).astype(np.int64)
        is_row = counts > 1
        parts, counts = words.filter(pa.array(is_row)), counts[is_row] - 1
        # The place of each item in its own line, from 0; the first word of a line is its user.
        places = sorted_ids.places_within(counts)
        owners = pa.array(np.repeat(np.arange(len(counts)), counts))
        is_first = np.zeros(counts.sum() + len(counts), bool)
        is_first[np.cumsum(counts + 1) - counts - 1] = True
        cells = {
            "user": pc.list_element(parts, 0).take(owners),
            "item": parts.flatten().filter(pa.array(~is_first)),
            "shown_at": pa.array(pace.starts_at + places * pace.step),
            "chosen": pa.array(np.ones(len(places), bool)),
        }
        malformed = _malformed(numbers, texts, ~is_row, "expected a user and items")
        yield RawRows(file.name, np.repeat(numbers[is_row], counts), cells, malformed)


def _lines(file: Path, form: FileFormat) -> Iterator[tuple[np.ndarray, pa.Array]]:
    """Yields the lines that are not blank, with their numbers from 1, some at a time."""
    byte_streams.head(file, form)  # refuses text of another encoding
    number, rest = 1, b""
    with byte_streams.open_text(file, form) as stream:
        while True:
            block = stream.read(_BLOCK_BYTES)
            data = byte_streams.without_mark(block) if number == 1 and not rest else rest + block
            size = data.rfind(b"\n") + 1 if block else len(data)
            if size:
                texts = _split(data[:size])
                is_text = np.asarray(pc.not_equal(pc.utf8_trim_whitespace(texts), ""))
                numbers = np.arange(number, number + len(texts))
                number += len(texts)
                yield numbers[is_text], texts.filter(pa.array(is_text))
            rest = data[size:]
            if len(rest) > _MAX_LINE_BYTES:
                raise BadDataError(
                    f"{file}: expected lines of at most {_MAX_LINE_BYTES:,} bytes, line {number} "
                    "has more. Break the file into lines."
                )
            if not block:
                return


def _split(data: bytes) -> pa.Array:
    """Returns the lines of a text, each with its line break."""
    # The offsets of Arrow's own text, so that nothing is copied.
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    offsets = pa.py_buffer(np.append(0, ends).astype(np.int32))
    buffers = [None, offsets, pa.py_buffer(data)]
    return as_text(pa.Array.from_buffers(pa.binary(), len(ends), buffers))


def _malformed(
    numbers: np.ndarray, texts: pa.Array, is_bad: np.ndarray, expected: str
) -> list[tuple[int, str]]:
    """Returns the numbers of bad lines and, of each, a sentence with its text."""
    return [
        (int(numbers[row]), f"{expected}, got: {texts[int(row)].as_py().strip()}")
        for row in np.flatnonzero(is_bad)
    ]
