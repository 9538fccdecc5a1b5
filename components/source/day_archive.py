"""A file that holds many days, sorted by day once, so that a day costs what the day is worth.

The rows are kept as they came, in a folder of the store that may be deleted at any time. It is made
in one pass over the file and belongs to that very file: one that grew is sorted again.
"""

import datetime
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.errors import BadDataError
from components.source import arrivals
from components.source.arrivals import ArrivalBlock
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.store import formats

_RUN_BYTES = 1 << 26  # what is sorted in memory at a time
_ROWS, _MALFORMED, _INDEX = "rows.arrow", "malformed.arrow", "index.json"
_LINE = ""  # column of the line numbers
_MALFORMED_SCHEMA = pa.schema([("day", pa.int64()), ("line", pa.int64()), ("text", pa.string())])


class DayArchive:
    """The rows of one file by the day on which they arrived; days are counted from 1970."""

    def __init__(self, name: str, folder: Path) -> None:
        """Opens a folder that `open_archive` made of the file with this name."""
        self.name = name
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        self._batch_days = np.array(index["batch_days"], np.int64)
        self.days: list[int] = index["days"]  # sorted: those with at least one row
        self.columns: list[str] = index["columns"]  # sorted: those with at least one value
        self.has_time: bool = index["has_time"]  # whether the time of any row can be read
        self._rows = pa.ipc.open_file(pa.memory_map(str(folder / _ROWS)))
        self._malformed = pa.ipc.open_file(pa.memory_map(str(folder / _MALFORMED)))

    def rows(self, day: int) -> Iterator[RawRows]:
        """Yields the rows of a day in the order of the file, the malformed ones last."""
        if day not in self.days:
            return
        for number in np.flatnonzero(self._batch_days == day):
            batch = self._rows.get_batch(int(number))
            cells = dict(zip(batch.schema.names[1:], batch.columns[1:], strict=True))
            yield RawRows(self.name, batch.column(0).to_numpy(), cells)
        table = self._malformed.read_all()
        of_day = table.filter(pa.array(table["day"].to_numpy() == day))
        if len(of_day):
            malformed = list(
                zip(of_day["line"].to_pylist(), of_day["text"].to_pylist(), strict=True)
            )
            empty = self._rows.schema.empty_table().combine_chunks()
            cells = {
                name: pa.array([], empty.schema.field(name).type) for name in empty.column_names[1:]
            }
            yield RawRows(self.name, np.empty(0, np.int64), cells, malformed)


def open_archive(file: Path, layout: Layout, *, first_day: datetime.date, work: Path) -> DayArchive:
    """Opens the archive of a file, and makes it first if the file is new or has changed.

    Args:
      file: An event file.
      layout: The columns.
      first_day: See `arrivals.read_arrivals`.
      work: Folder of archives; one of the file's earlier contents is removed.

    Raises:
      BadDataError: If the file is missing, damaged or lacks a column.
    """
    try:
        stat = file.stat()
    except OSError as error:
        raise BadDataError(f"{file}: expected a file, which cannot be read: {error}.") from error
    # By what the file system says: to read a file of many GB for its digest, every day, would cost
    # more than the day.
    identity: list[Any] = [stat.st_ino, stat.st_size, stat.st_mtime_ns, first_day.isoformat()]
    owner = hashlib.sha256(str(file).encode()).hexdigest()[:16]
    identity += [layout.mapping, formats.SORTED_SOURCE]
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    folder = work / f"archive-{owner}-{key}"
    if not (folder / _INDEX).exists():
        work.mkdir(parents=True, exist_ok=True)
        with (work / f"archive-{owner}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of two at a time, the other waits for this one
            if not (folder / _INDEX).exists():
                for old in work.glob(f"*archive-{owner}-*"):
                    shutil.rmtree(old, ignore_errors=True)
                _make(file, layout, first_day, folder)
    return DayArchive(layout.event_name(file), folder)


def _make(file: Path, layout: Layout, first_day: datetime.date, folder: Path) -> None:
    unfinished = folder.with_name(f"unfinished-{folder.name}")
    unfinished.mkdir()
    try:
        with _Writer(unfinished) as writer:
            for block in arrivals.read_arrivals(layout, file, first_day=first_day):
                writer.add(block)
        unfinished.rename(folder)  # whole or not at all
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


class _Writer:
    """Sorts rows by day, as many at a time as fit into memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[tuple[pa.RecordBatch, np.ndarray]] = []
        self._rows: pa.RecordBatchFileWriter | None = None
        self._malformed = _new_file(folder / _MALFORMED, _MALFORMED_SCHEMA)
        self._batch_days: list[int] = []
        self._days: set[int] = set()
        self._columns: set[str] = set()
        self._has_time = False

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self._finish()
        for writer in (self._rows, self._malformed):
            if writer is not None:
                writer.close()

    def add(self, block: ArrivalBlock) -> None:
        """Takes the next rows of the file."""
        rows = block.rows
        if rows.malformed:
            lines, texts = zip(*rows.malformed, strict=True)
            columns = [pa.array(block.malformed_days), pa.array(lines), pa.array(texts)]
            self._malformed.write_batch(
                pa.record_batch(columns, schema=_MALFORMED_SCHEMA)  # few, so not sorted
            )
            self._days.update(block.malformed_days)
        batch = pa.record_batch([pa.array(rows.lines), *rows.cells.values()], [_LINE, *rows.cells])
        self._rows = self._rows or _new_file(self._folder / _ROWS, batch.schema)
        if not len(rows.lines):
            return
        self._waiting.append((batch, block.days))
        self._columns |= rows.columns_with_values
        self._has_time |= block.has_time
        if sum(batch.nbytes for batch, _ in self._waiting) >= _RUN_BYTES:
            self._write_run()

    def _write_run(self) -> None:
        assert self._rows is not None
        days = np.concatenate([days for _, days in self._waiting])
        table = pa.Table.from_batches([batch for batch, _ in self._waiting])
        self._waiting = []
        if (days[1:] < days[:-1]).any():  # a log is nearly always in order
            order = np.argsort(days, kind="stable")
            days, table = days[order], table.take(pa.array(order))
        starts = np.flatnonzero(np.append(True, days[1:] != days[:-1]))
        for start, end in zip(starts, [*starts[1:], len(days)], strict=True):
            for batch in table.slice(start, end - start).combine_chunks().to_batches():
                self._rows.write_batch(batch)
                self._batch_days.append(int(days[start]))
        self._days.update(days[starts].tolist())

    def _finish(self) -> None:
        if self._waiting:
            self._write_run()
        if self._rows is None:  # not even a header was there
            self._rows = _new_file(self._folder / _ROWS, pa.schema([(_LINE, pa.int64())]))
        index = {
            "batch_days": self._batch_days,
            "days": sorted(self._days),
            "columns": sorted(self._columns),
            "has_time": self._has_time,
        }
        (self._folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _new_file(path: Path, schema: pa.Schema) -> pa.RecordBatchFileWriter:
    return pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))


def content_digest(rows: Sequence[RawRows] | Iterator[RawRows]) -> tuple[int, str]:
    """Returns the number of rows and the SHA-256 of all that is in them, however they are cut."""
    # By column, because a hash of row after row would depend on where a block ends.
    hashes: dict[str, Any] = {}
    count = 0
    for part in rows:
        count += len(part.lines) + len(part.malformed)
        for name, column in (("", pa.array(part.lines)), *part.cells.items()):
            _hash_column(hashes.setdefault(name, (hashlib.sha256(), hashlib.sha256())), column)
        for line, text in part.malformed:
            (malformed_hash,) = hashes.setdefault("malformed", (hashlib.sha256(),))
            malformed_hash.update(json.dumps([line, text]).encode())
    whole = hashlib.sha256()
    for name in sorted(hashes):
        whole.update(name.encode() + b"".join(each.digest() for each in hashes[name]))
    return count, whole.hexdigest()


def _hash_column(into: Sequence[Any], column: pa.Array) -> None:
    """Adds lengths (or nulls) and values of a column to two hashes."""
    is_text = pa.types.is_string(column.type)
    if not is_text and not pa.types.is_integer(column.type):
        column = (
            column.cast(pa.string())
            if _has_text(column.type)
            else pa.array([repr(value) for value in column.to_pylist()], pa.string())
        )
        is_text = True
    valid = np.asarray(column.is_valid())
    if is_text:
        offsets = np.frombuffer(column.buffers()[1] or bytes(4), np.int32)
        offsets = offsets[column.offset : column.offset + len(column) + 1]
        into[0].update(np.where(valid, np.diff(offsets), -1).tobytes())
        if len(column):
            data = np.frombuffer(column.buffers()[2] or b"", np.uint8)
            into[1].update(data[offsets[0] : offsets[-1]].tobytes())
    else:
        into[0].update(valid.tobytes())
        into[1].update(np.asarray(column.fill_null(0)).tobytes())


def _has_text(kind: pa.DataType) -> bool:
    """Whether Arrow can write values of a type as text."""
    return (
        pa.types.is_floating(kind)
        or pa.types.is_temporal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    )
