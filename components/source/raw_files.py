"""Reads files of every kind as streams of raw rows that know their file and line.

Nothing is interpreted here: the cells of a text file stay text, those of a Parquet file keep their
type. A file that cannot be read at all is refused by name; a row that cannot is handed on.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import csv as plain_csv
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from components.errors import BadDataError, TryAgainError
from components.source import byte_streams, line_files, open_quotes
from components.source.raw_rows import FileFormat, RawRows, as_text, plain_cells

# What is in memory of a file at a time. In more rows the same ids come again, which are looked up
# once for each block.
_BLOCK_BYTES = 1 << 24
_BATCH_ROWS = 1 << 16
_JSON = (".jsonl", ".ndjson", ".json")
_TEXT = (".csv", ".tsv", ".txt", ".dat", ".data")
KINDS = (".parquet", *_TEXT, *_JSON)


def fingerprint(file: Path, name: str | None = None) -> dict[str, Any]:
    """Returns name, size and SHA-256 of a file, which is how a recipe names it.

    Args:
      file: The file.
      name: What the recipe calls it; by default its own name.

    Raises:
      BadDataError: If it cannot be read.
      TryAgainError: If it is being written.
    """
    with _steady(file):
        byte_streams.check_regular(file)
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"name": name or file.name, "bytes": file.stat().st_size, "sha256": digest}


def state(file: Path) -> tuple[int, int, int] | None:
    """Returns what the file system says of the content of a file; None if it is not there."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def refuse_changed(file: Path, before: tuple[int, int, int] | None) -> None:
    """Refuses a file whose state is another than `before`: somebody writes or moves it.

    Raises:
      TryAgainError: Naming it.
    """
    if state(file) != before:
        raise TryAgainError(
            f"{file} changed while it was read. Run the step again when it is complete; files that "
            "are being written may have a name that begins with `.` or `_` until then."
        )


def read(
    file: Path, columns: Sequence[str], form: FileFormat | None = None, *, name: str | None = None
) -> Iterator[RawRows]:
    """Yields the rows of a file in order, with memory that does not depend on its size.

    Args:
      file: A text or Parquet file, of the kind that its name says.
      columns: The source columns that are needed; `a.b` is the member b of a nested column a.
      form: How text becomes columns.
      name: What rows call the file; by default its own name.

    Raises:
      BadDataError: If the file is empty, damaged, of another format, or lacks a column.
      TryAgainError: If it changes meanwhile.
    """
    form = form or FileFormat()
    for rows in _read(file, form, list(dict.fromkeys(columns))):
        yield rows if name is None else replace(rows, file=name)


def _read(file: Path, form: FileFormat, columns: list[str]) -> Iterator[RawRows]:
    kind = byte_streams.kind(file)
    with _steady(file):
        byte_streams.check_regular(file)
        if file.stat().st_size == 0:
            raise BadDataError(f"{file}: expected a {_kind_name(file)} file, got an empty file.")
        if kind == ".parquet":
            yield from _read_parquet(file, form, columns)
        elif form.pace is not None:
            yield from line_files.read_sequences(file, form, form.pace)
        elif kind in _JSON:
            yield from line_files.read_json(file, form, columns)
        elif form.delimiter and len(form.delimiter) > 1:
            _require(file, columns, form.names)
            yield from line_files.read_split(file, form, columns)
        else:
            yield from _read_csv(file, form, columns)


@contextmanager
def _steady(file: Path) -> Iterator[None]:
    """Turns errors of reading into ours, and refuses a file that changed from begin to end.

    Raises:
      BadDataError: If it cannot be read.
      TryAgainError: If it changed: half a file may be read without an error, or with any.
    """
    before = state(file)
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeError, BadDataError) as error:
        if not file.is_symlink():  # a link to nothing stays one
            refuse_changed(file, before)
            if before is None:
                raise TryAgainError(
                    f"{file} was there a moment ago and is gone: it was moved or is being "
                    "replaced. Run the step again."
                ) from error
        raise error if isinstance(error, BadDataError) else _unreadable(file, error) from error
    refuse_changed(file, before)


def names_columns(file: Path) -> bool:
    """Whether a file has a header, or a schema: of JSON lines each row names its own columns."""
    return byte_streams.kind(file) not in _JSON


def columns(file: Path, form: FileFormat) -> dict[str, str] | None:
    """Returns the columns of a file with their Arrow types, `text` where text is read.

    Returns:
      None where columns are known row by row only, as in JSON lines, or there is nothing.

    Raises:
      BadDataError: If the file is damaged.
    """
    kind = byte_streams.kind(file)
    with _steady(file):
        byte_streams.check_regular(file)
        if file.stat().st_size == 0:
            return None  # the reader says so
        if kind == ".parquet":
            schema = pq.read_schema(file)
            return {field.name: str(field.type) for field in schema}
        if kind in _JSON or form.pace is not None:
            return None
        if form.names:
            return dict.fromkeys(form.names, "text")
        delimiter = form.delimiter or ("\t" if kind == ".tsv" else ",")
        return dict.fromkeys(_header(byte_streams.head(file, form), delimiter, form), "text")


def _read_csv(file: Path, form: FileFormat, columns: list[str]) -> Iterator[RawRows]:
    delimiter = form.delimiter or ("\t" if byte_streams.kind(file) == ".tsv" else ",")
    start = byte_streams.head(file, form)
    _require(file, columns, form.names or _header(start, delimiter, form))
    malformed: list[tuple[int, str]] = []
    line = 1 if form.names else 2  # the header is line 1
    counter = byte_streams.LineCounter(byte_streams.open_text(file, form))
    with _open_csv(counter, form, columns, delimiter, malformed) as reader:
        for batch in reader:
            lines = _lines(line, batch.num_rows, [number for number, _ in malformed])
            line = int(lines[-1]) + 1 if len(lines) else line
            # The parser may be ahead of us: what comes after this batch waits for its turn.
            malformed_here = [row for row in malformed if row[0] < line]
            malformed[:] = [row for row in malformed if row[0] >= line]
            cells = {n: as_text(c) for n, c in zip(columns, batch.columns, strict=True)}
            is_blank = np.logical_and.reduce([_is_empty(cell) for cell in cells.values()])
            if is_blank.any():
                is_row = pa.array(~is_blank)
                cells = {name: cell.filter(is_row) for name, cell in cells.items()}
                lines = lines[~is_blank]
            yield RawRows(file.name, lines, cells, malformed_here)
    line += len(malformed)
    if (
        form.has_quotes and counter.num_lines > line - 1
    ):  # rows have line breaks in them, as they may
        open_quotes.refuse(file, form, delimiter)
    if malformed:
        yield RawRows(file.name, np.empty(0, np.int64), _no_cells(columns), malformed)


def _open_csv(
    stream: byte_streams.LineCounter,
    form: FileFormat,
    columns: Sequence[str],
    delimiter: str,
    malformed: list[tuple[int, str]],
) -> csv.CSVStreamingReader:
    """Opens a reader of cells as bytes, which adds rows with other columns to `malformed`."""

    def skip_row(row: csv.InvalidRow) -> str:
        """Answers the parser, which asks what to do with a row."""
        got = f"expected {row.expected_columns} columns, got {row.actual_columns}: {row.text}"
        malformed.append((row.number, got))
        return "skip"

    return csv.open_csv(
        pa.PythonFile(stream, mode="r"),
        # Line numbers are known only to the reader with one thread; it is as fast.
        read_options=csv.ReadOptions(
            block_size=_BLOCK_BYTES, use_threads=False, column_names=form.names or None
        ),
        # An empty line counts as a row, or the numbers of all lines after it would be wrong.
        parse_options=csv.ParseOptions(
            delimiter=delimiter,
            quote_char='"' if form.has_quotes else False,
            invalid_row_handler=skip_row,
            newlines_in_values=form.has_quotes,
            ignore_empty_lines=False,
        ),
        # Bytes, because text that is no UTF-8 would end the reading of the whole file.
        convert_options=csv.ConvertOptions(
            include_columns=columns, column_types=dict.fromkeys(columns, pa.binary())
        ),
    )


def _read_parquet(file: Path, form: FileFormat, columns: list[str]) -> Iterator[RawRows]:
    with pq.ParquetFile(file) as content:
        size = file.stat().st_size
        if content.metadata.num_rows > form.max_expansion * size:
            raise BadDataError(
                f"{file}: claims {content.metadata.num_rows:,} rows in {size:,} bytes. If that is "
                "as it should be, raise `ingest_events.max_expansion`."
            )
        schema = content.schema_arrow
        _require(file, columns, [*schema.names, *(n for n in columns if _is_member(schema, n))])
        row = 1
        for batch in content.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
            lines = np.arange(row, row + batch.num_rows)
            row += batch.num_rows
            yield RawRows(file.name, lines, {name: _decoded(batch, name) for name in columns})


def _is_member(schema: pa.Schema, name: str) -> bool:
    """Whether `a.b` is a member of a column a of structures."""
    first, *rest = name.split(".")
    if name in schema.names or schema.names.count(first) != 1:
        return False
    kind = schema.field(first).type
    for part in rest:
        place = kind.get_field_index(part) if pa.types.is_struct(kind) else -1
        if place < 0:
            return False
        kind = kind.field(place).type
    return bool(rest)


def _decoded(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name in batch.schema.names:
        cell = batch[name]
    else:
        first, *rest = name.split(".")
        cell = pc.struct_field(batch[first], rest)
    return plain_cells(cell)


def _header(start: bytes, delimiter: str, form: FileFormat) -> list[str]:
    lines = start.decode("utf-8", errors="replace").splitlines()
    if not form.has_quotes:
        return lines[0].split(delimiter) if lines else []
    # The limit on a cell is that of Python's reader; our own is the size of a block.
    try:
        return next(plain_csv.reader(lines[:1], delimiter=delimiter), [])
    except plain_csv.Error:
        return lines[:1]


def _lines(first: int, count: int, malformed: Sequence[int]) -> np.ndarray:
    """Returns the numbers of `count` rows from `first` on, leaving out the malformed ones.

    >>> _lines(2, 3, [3]).tolist()
    [2, 4, 5]
    """
    numbers = np.arange(first, first + count + len(malformed))
    if not malformed:
        return numbers
    return np.setdiff1d(numbers, np.array(malformed, np.int64))[:count]


def _is_empty(cell: pa.Array) -> np.ndarray:
    return np.asarray(pc.equal(pc.binary_length(cell), 0))


def _no_cells(columns: Sequence[str]) -> dict[str, pa.Array]:
    return {name: pa.array([], pa.string()) for name in columns}


def _require(file: Path, columns: Sequence[str], present: Sequence[str]) -> None:
    for name in columns:
        count = present.count(name)
        if count != 1:
            names = ", ".join(present)
            expected = f"a column {name!r}" if not count else f"one column {name!r}"
            raise BadDataError(
                f"{file}: expected {expected}, found the columns {names:.500}. "
                "Correct the file, or name the right columns (or `delimiter`) in the configuration."
            )


def _kind_name(file: Path) -> str:
    kind = byte_streams.kind(file)
    return {".parquet": "Parquet", ".csv": "CSV", ".tsv": "TSV"}.get(
        kind, "JSON lines" if kind in _JSON else "text"
    )


def _unreadable(file: Path, error: Exception) -> BadDataError:
    return BadDataError(
        f"{file}: expected a whole {_kind_name(file)} file, which cannot be read: {error}. "
        "Fetch it again, or take it out of the source."
    )
