"""Reads CSV and Parquet files as streams of raw rows that know their file and line.

Nothing is interpreted here: the cells of a CSV file stay text, those of a Parquet file keep their
type. A file that cannot be read at all is refused by name; a row that cannot is handed on.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from components.errors import BadConfigurationError, BadDataError

_BLOCK_BYTES = 1 << 22  # what is in memory of a file at a time
_BATCH_ROWS = 1 << 16
SUFFIXES = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True)
class RawRows:
    """Consecutive rows of one file."""

    file: str  # its name
    lines: np.ndarray  # [n] int64: line of a text file, row of a Parquet file
    cells: dict[str, pa.Array]  # source column -> n cells
    malformed: Sequence[tuple[int, str]] = ()  # line and text of rows with other columns


def find(pattern: str, *, what: str) -> list[Path]:
    """Returns the files that a path or glob names, sorted by name.

    Raises:
      BadConfigurationError: If there is none, or one is of a kind that cannot be read.
    """
    path = Path(pattern).absolute()
    matches = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
    files = sorted(matches, key=lambda file: (file.name, file))
    if not files:
        raise BadConfigurationError(f"{what}: expected at least one file at {pattern}, found none.")
    for file in files:
        if not file.name.endswith(SUFFIXES):
            raise BadConfigurationError(
                f"{what}: expected files ending in {', '.join(SUFFIXES)}, got {file}."
            )
    return files


def fingerprint(file: Path) -> dict[str, Any]:
    """Returns name, size and SHA-256 of a file, which is how a recipe names it."""
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(file, error) from error
    return {"name": file.name, "bytes": file.stat().st_size, "sha256": digest}


def read(file: Path, columns: Sequence[str]) -> Iterator[RawRows]:
    """Yields the rows of a file in order, with memory that does not depend on its size.

    Args:
      file: A CSV or Parquet file.
      columns: The source columns that are needed.

    Raises:
      BadDataError: If the file is empty, damaged, of another format, or lacks a column.
    """
    columns = list(dict.fromkeys(columns))
    try:
        yield from (_read_parquet if file.name.endswith(".parquet") else _read_csv)(file, columns)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise _unreadable(file, error) from error


def _read_csv(file: Path, columns: list[str]) -> Iterator[RawRows]:
    malformed: list[tuple[int, str]] = []

    def skip(row: csv.InvalidRow) -> str:
        got = f"expected {row.expected_columns} columns, got {row.actual_columns}: {row.text}"
        malformed.append((row.number, got))
        return "skip"

    parsing = csv.ParseOptions(
        invalid_row_handler=skip, newlines_in_values=True, ignore_empty_lines=False
    )
    # Line numbers are known only to the reader with one thread; it is as fast.
    reading = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    converting = csv.ConvertOptions(
        include_columns=columns, column_types=dict.fromkeys(columns, pa.string())
    )
    line = 2  # the header is line 1
    try:
        reader = csv.open_csv(
            file, read_options=reading, parse_options=parsing, convert_options=converting
        )
    except pa.ArrowKeyError:
        with csv.open_csv(file, read_options=reading, parse_options=parsing) as peek:
            _require(file, columns, peek.schema.names)
        raise
    with reader:
        for batch in reader:
            lines = _lines(line, batch.num_rows, [number for number, _ in malformed])
            line = int(lines[-1]) + 1 if len(lines) else line
            # The parser may be ahead of us: what comes after this batch waits for its turn.
            passed = [row for row in malformed if row[0] < line]
            malformed[:] = [row for row in malformed if row[0] >= line]
            cells = dict(zip(columns, batch.columns, strict=True))
            is_blank = np.logical_and.reduce([_is_empty(cell) for cell in cells.values()])
            if is_blank.any():
                keep = pa.array(~is_blank)
                cells = {name: cell.filter(keep) for name, cell in cells.items()}
                lines = lines[~is_blank]
            yield RawRows(file.name, lines, cells, passed)
    if malformed:
        yield RawRows(file.name, np.empty(0, np.int64), _no_cells(columns), malformed)


def _read_parquet(file: Path, columns: list[str]) -> Iterator[RawRows]:
    with pq.ParquetFile(file) as content:
        _require(file, columns, content.schema_arrow.names)
        row = 1
        for batch in content.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
            lines = np.arange(row, row + batch.num_rows)
            row += batch.num_rows
            yield RawRows(file.name, lines, {name: _decoded(batch[name]) for name in columns})


def _decoded(cell: pa.Array) -> pa.Array:
    return cell.dictionary_decode() if pa.types.is_dictionary(cell.type) else cell


def _lines(first: int, count: int, skipped: Sequence[int]) -> np.ndarray:
    """Returns the numbers of `count` rows from `first` on, leaving out the skipped ones."""
    numbers = np.arange(first, first + count + len(skipped))
    return np.setdiff1d(numbers, np.array(skipped, np.int64))[:count]


def _is_empty(cell: pa.Array) -> np.ndarray:
    return np.asarray(pc.equal(pc.binary_length(cell), 0))


def _no_cells(columns: Sequence[str]) -> dict[str, pa.Array]:
    return {name: pa.array([], pa.string()) for name in columns}


def _require(file: Path, columns: Sequence[str], present: Sequence[str]) -> None:
    for name in columns:
        if name not in present:
            raise BadDataError(
                f"{file}: expected a column {name!r}, found the columns {', '.join(present)}. "
                "Correct the file, or name the right column in the configuration."
            )


def _unreadable(file: Path, error: Exception) -> BadDataError:
    kind = "Parquet" if file.name.endswith(".parquet") else "CSV"
    if file.is_file() and file.stat().st_size == 0:
        return BadDataError(f"{file}: expected a {kind} file, got an empty file.")
    return BadDataError(
        f"{file}: expected a whole {kind} file, which cannot be read: {error}. Fetch it again."
    )
