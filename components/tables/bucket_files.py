"""Tables of rows of users in one file or several, by a hash of the user.

A table lies in its file in order of slots (`schemas.buckets`), and within a slot in the order in
which its rows were handed in. Whoever reads it goes through it by slots, so that memory follows
them, and never sees in how many files it lies. A file of earlier formats knows no slots: its rows
are put into this order when it is read, whole.
"""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.errors import BadDataError
from components.tables import row_digests
from components.tables.background import Background
from schemas import buckets
from schemas.buckets import FOOTER_KEY, NUM_SLOTS, Piece
from schemas.columns import Table, plain_type

GROUP_ROWS = 1 << 17  # of a group of a file, which is read at once; some 10 MB
KEY = "user_id"  # the column whose hash says where a row lies

# The finalizer of MurmurHash3 mixes every bit into the upper ones, by which slots are numbered: ids
# that were given out one after another, or in steps, spread evenly.
_SHIFT, _FACTORS = np.uint64(33), (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53)
_SLOT_BITS = NUM_SLOTS.bit_length() - 1

# Texts of which a table has a few, as a file of the source that each row is of: they are read as
# codes, or their millions would take longer to read and to move than all other columns together.
_FEW_TEXTS = ("file",)

_HARDLY_REPEATING = {
    *("event_id", "shown_at", "ingested_at", "dwell_seconds", "line"),
    *("window_id", "starts_at", "known_until"),
    *("score", "base_score"),
}

Pieces = Sequence[tuple[int, pa.Table]]  # slots and their rows


def slots_of(user_ids: np.ndarray) -> np.ndarray:
    """`[n]` uint8: the slot of each of some users, `[n]` int64.

    >>> slots_of(np.array([1, 2, 3])).tolist()
    [45, 14, 2]
    """
    bits = np.array(user_ids, np.int64).view(np.uint64)
    for factor in _FACTORS:
        bits ^= bits >> _SHIFT
        bits *= np.uint64(factor)
    bits ^= bits >> _SHIFT
    bits >>= np.uint64(64 - _SLOT_BITS)
    return bits.astype(np.uint8)


def slots_of_bucket(bucket: int, count: int) -> range:
    """Returns the slots of one of `count` files.

    >>> slots_of_bucket(1, 8)
    range(8, 16)
    """
    size = NUM_SLOTS // count
    return range(bucket * size, (bucket + 1) * size)


def span(user_ids: np.ndarray) -> range:
    """Returns the slots from the first to the last that some users, `[n]` int64, lie in.

    >>> span(np.array([2, 3])), span(np.array([], np.int64))
    (range(2, 15), range(0, 0))
    """
    slots = slots_of(user_ids)
    return range(int(slots.min()), int(slots.max()) + 1) if len(slots) else range(0)


def runs(num_rows: Sequence[int] | np.ndarray, most: int) -> Iterator[range]:
    """Cuts a sequence into runs that follow each other, each of `most` rows, or of one item.

    Args:
      num_rows: Rows of each item.
      most: Rows of a run.

    >>> list(runs([2, 2, 9, 1, 0], most=4))
    [range(0, 2), range(2, 3), range(3, 5)]
    """
    start = total = 0
    for item, count in enumerate(num_rows):
        if item > start and total + count > most:
            yield range(start, item)
            start, total = item, 0
        total += int(count)
    if len(num_rows) > start:
        yield range(start, len(num_rows))


def paths(folder: Path, table: str) -> list[Path]:
    """Returns the files of a table in a folder, in their order.

    Raises:
      BadDataError: If there is none, or not all of them are there.
    """
    files = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    names = buckets.names_of_table(table, files)
    if not names:
        raise BadDataError(f"{folder}: expected {table}, in one file or in all of several.")
    return [folder / name for name in names]


class BucketWriter:
    """Writer of a table, slot by slot; a context manager."""

    def __init__(
        self,
        folder: Path,
        table: str,
        schema: pa.Schema,
        *,
        num_buckets: int,
        options: Mapping[str, Any] | None = None,
        most: int = GROUP_ROWS,
    ) -> None:
        """Opens all files: one without rows is there, too, so that none can be missed.

        Args:
          folder: Must exist; the files in it must not.
          table: The name of the table's only file, where it has one.
          schema: Of the rows; one column is `KEY`.
          num_buckets: Files, a power of two up to `NUM_SLOTS`.
          options: Of `pyarrow.parquet.ParquetWriter`, by name; by default zstd, with dictionaries
            where they help.
          most: Rows of a piece, into which a slot with more is cut, and of a group, that
            `write_rows` makes.
        """
        names = buckets.file_names(table, num_buckets)
        options = options or {"compression": "zstd", "use_dictionary": _repeating(schema)}
        self._files = [pq.ParquetWriter(folder / name, schema, **options) for name in names]
        self._background = Background()
        self._pieces: list[list[Piece]] = [[] for _ in names]
        self._last_slot, self._most = 0, most

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows."""
        return self._files[0].schema

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._background.__exit__(kind, error, trace)
        finally:
            for file, pieces in zip(self._files, self._pieces, strict=True):
                # No digest is made of the files by which alone they differ.
                file.add_key_value_metadata({FOOTER_KEY: buckets.to_footer(pieces)})
                file.close()

    def write(self, pieces: Pieces) -> None:
        """Appends rows, as one group of every file that they lie in.

        Args:
          pieces: In order of slots, none of which is below one that was written. How the rows of a
            slot are cut into pieces is part of their digest.
        """
        per_file = NUM_SLOTS // len(self._files)
        for bucket, own in itertools.groupby(pieces, key=lambda piece: piece[0] // per_file):
            slots, parts = zip(*own, strict=True)
            self._write_group(bucket, pa.concat_tables(parts), slots, [len(rows) for rows in parts])

    def write_rows(self, rows: pa.Table) -> None:
        """Appends rows of slots of which none is below one that was written.

        Args:
          rows: In any order of users; the rows of a slot keep theirs.
        """
        most = self._most
        rows, slot_sizes = by_slot(rows)
        slots, sizes = list[int](), list[int]()  # of the pieces
        for slot, size in enumerate(slot_sizes.tolist()):
            pieces = [min(most, size - at) for at in range(0, size, most)]
            slots += [slot] * len(pieces)
            sizes += pieces
        per_file, first = NUM_SLOTS // len(self._files), 0
        for run in runs(sizes, most):
            for bucket, own in itertools.groupby(run, key=lambda piece: slots[piece] // per_file):
                places = list(own)
                own_sizes = [sizes[place] for place in places]
                group = rows.slice(first, sum(own_sizes))
                self._write_group(bucket, group, [slots[place] for place in places], own_sizes)
                first += len(group)

    def _write_group(
        self, bucket: int, rows: pa.Table, slots: Sequence[int], sizes: Sequence[int]
    ) -> None:
        for slot in slots:
            if slot < self._last_slot:
                raise ValueError(f"Slot {slot} comes after slot {self._last_slot}.")
            self._last_slot = slot
        # To digest and compress takes as long as to make the rows, and needs no lock of Python.
        self._background.run(self._append_group, bucket, rows, slots, sizes)

    def _append_group(
        self, bucket: int, rows: pa.Table, slots: Sequence[int], sizes: Sequence[int]
    ) -> None:
        # Chunks would end pages elsewhere, and so change the bytes of equal rows.
        rows = rows.cast(self.schema).combine_chunks()
        digests = row_digests.of_pieces(rows, sizes)
        self._pieces[bucket] += map(Piece, slots, sizes, digests)
        if len(rows):
            self._files[bucket].write_table(rows, row_group_size=len(rows))


def write(
    folder: Path, table: str, rows: pa.Table, *, num_buckets: int, most: int = GROUP_ROWS
) -> None:
    """Writes a whole table, compressed with zstd; see `BucketWriter.write_rows`.

    Args:
      folder: Must exist; the files in it must not.
      table: The name of the table's only file, where it has one.
      rows: In the order that the rows of a user keep; texts may be codes of a dictionary.
      num_buckets: Files.
      most: Rows of a piece and of a group.
    """
    schema = plain_schema(rows.schema)
    with BucketWriter(folder, table, schema, num_buckets=num_buckets, most=most) as writer:
        writer.write_rows(rows)


def _repeating(schema: pa.Schema) -> list[str]:
    """Returns the columns for which a file has a dictionary, as it names them."""
    # One of values that hardly repeat is made, found too large and thrown away in every group: half
    # of the time that writing takes.
    names = [name for name in schema.names if name not in _HARDLY_REPEATING]
    return [
        f"{name}.list.element" if pa.types.is_nested(schema.field(name).type) else name
        for name in names
    ]


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Returns a schema in which texts that are codes of a dictionary are plain texts."""
    for place, field in enumerate(schema):
        schema = schema.set(place, field.with_type(plain_type(field.type)))
    return schema


def by_slot(rows: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """Returns rows in order of slots, and otherwise of their own, and `[NUM_SLOTS]` sizes."""
    slots = slots_of(rows[KEY].to_numpy())
    sizes = np.bincount(slots, minlength=NUM_SLOTS)
    if np.any(slots[1:] < slots[:-1]):
        rows = rows.take(pa.array(np.argsort(slots, kind="stable")))
    return rows, sizes


def _opened(path: Path) -> pq.ParquetFile:
    file = pq.ParquetFile(path)
    codes = [name for name in _FEW_TEXTS if name in file.schema_arrow.names]
    return pq.ParquetFile(path, metadata=file.metadata, read_dictionary=codes) if codes else file


class BucketFiles:
    """A table as its files have it: rows by their numbers or by slots.

    Texts of which there are few are codes of a dictionary in what is read.
    """

    def __init__(self, paths: Sequence[Path], *, groups_are_pieces: bool = False) -> None:
        """Opens the files of a table.

        Args:
          paths: All of them in their order.
          groups_are_pieces: Whether the pieces of a file of earlier formats are its groups, in the
            order of the file; of no slot, and not to be asked for by slots.
        """
        self._files = [_opened(path) for path in paths]
        footers = [(file.metadata.metadata or {}).get(FOOTER_KEY.encode()) for file in self._files]
        # A file of earlier formats has none.
        self._footers = None if None in footers else [footer for footer in footers if footer]
        self._groups_are_pieces = groups_are_pieces
        self._sorted: tuple[tuple[str, ...] | None, pa.Table] | None = None
        self._group: tuple[Any, pa.Table] | None = None  # the one that was read last

    @classmethod
    def of_contract(cls, paths: Sequence[Path], table: Table) -> "BucketFiles":
        """Opens files whose columns must be those of a contract; optional ones may be there.

        Raises:
          BadDataError: If a column is missing or of another type.
        """
        files = cls(paths)
        problems = table.problems(files.schema)
        if problems:
            raise BadDataError(f"{paths[0]}: {'; '.join(problems)}.")
        return files

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows, with the metadata of the files."""
        return self._files[0].schema_arrow

    @property
    def num_rows(self) -> int:
        """Rows of the table."""
        return sum(file.metadata.num_rows for file in self._files)

    @functools.cached_property
    def pieces(self) -> list[Piece]:
        """The pieces of the table, in order of slots; of a file without slots one for each."""
        if self._footers is not None:
            return [piece for footer in self._footers for piece in buckets.of_footer(footer)]
        if self._groups_are_pieces:
            return [Piece(-1, size, "") for _, _, size in self._groups()]
        sizes = by_slot(self._read_whole((KEY,)))[1]
        return [Piece(slot, int(size), "") for slot, size in enumerate(sizes) if size]

    @functools.cached_property
    def piece_sizes(self) -> np.ndarray:
        """Rows of each piece, int64."""
        return np.array([piece.num_rows for piece in self.pieces], np.int64)

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        """The number of the first row of each piece, and of all rows."""
        return np.append(0, np.cumsum(self.piece_sizes))

    def slot_sizes(self) -> np.ndarray:
        """`[NUM_SLOTS]` int64: the rows of each slot."""
        slots = np.array([piece.slot for piece in self.pieces], np.int64)
        return np.bincount(slots, self.piece_sizes, minlength=NUM_SLOTS).astype(np.int64)

    def users(self) -> np.ndarray:
        """`[N]` int64 sorted distinct users, of whose rows some are in memory at a time."""
        parts = [
            np.unique(self.of_pieces(pieces, (KEY,))[KEY].to_numpy())
            for pieces in runs(self.piece_sizes, GROUP_ROWS)
        ]
        return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))

    def of_slots(self, slots: range, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows of some slots that follow each other, in their order."""
        places = np.searchsorted([piece.slot for piece in self.pieces], [slots.start, slots.stop])
        return self.rows(*self._starts[places].tolist(), columns=columns)

    def of_user(self, user: int) -> pa.Table:
        """Returns the rows of a user, of a table in which users are in order within a slot."""
        start, stop, first = 0, self.num_rows, 0
        if self._footers is not None:
            slot = int(slots_of(np.array([user]))[0])
            slots = [piece.slot for piece in self.pieces]
            start, stop = self._starts[np.searchsorted(slots, [slot, slot + 1])].tolist()
        parts = [pa.Table.from_batches([], self.schema)]
        column = self.schema.get_field_index(KEY)
        for number, group, size in self._groups():
            if first < stop and first + size > start:
                statistics = self._files[number].metadata.row_group(group).column(column).statistics
                if statistics is None or statistics.min <= user <= statistics.max:
                    rows = self._read_group(number, group, None)
                    # As a list: what compares in Arrow or NumPy imports pandas, which takes longer
                    # than all the rest, and a person waits for this.
                    users = rows[KEY].to_pylist()
                    if count := users.count(user):
                        parts.append(rows.slice(users.index(user), count))
            first += size
        return pa.concat_tables(parts)

    def of_pieces(self, pieces: range, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows of some pieces that follow each other, in their order."""
        start, stop = self._starts[[pieces.start, pieces.stop]].tolist()
        return self.rows(start, stop, columns)

    def rows(self, start: int, stop: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows from `start` to `stop` in the order of the table.

        Args:
          start: Number of a row.
          stop: The same.
          columns: Their names; all by default.
        """
        names = None if columns is None else tuple(columns)
        if self._footers is None and not self._groups_are_pieces:
            return self._in_slots(names).slice(start, stop - start)
        parts, first = [], 0
        for number, group, size in self._groups():
            low, high = max(start - first, 0), min(stop - first, size)
            if low < high:
                parts.append(self._read_group(number, group, names).slice(low, high - low))
            first += size
        return pa.concat_tables(parts) if parts else self._no_rows(names)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns all rows in the order of the table."""
        names = None if columns is None else tuple(columns)
        return self._in_slots(names) if self._footers is None else self._read_whole(names)

    def _groups(self) -> Iterator[tuple[int, int, int]]:
        """Yields the number of its file, its own and its rows for each group."""
        for number, file in enumerate(self._files):
            for group in range(file.metadata.num_row_groups):
                yield number, group, file.metadata.row_group(group).num_rows

    def _read_group(self, number: int, group: int, names: tuple[str, ...] | None) -> pa.Table:
        # Rows are asked for in their order, and a group may hold more than one answer.
        key = (number, group, names)
        if self._group is None or self._group[0] != key:
            self._group = None  # before the next one is read: two would be in memory
            table = self._files[number].read_row_group(group, columns=names)
            # In the order of the file, whatever was asked for.
            self._group = (key, table if names is None else table.select(names))
        return self._group[1]

    def _read_whole(self, names: tuple[str, ...] | None) -> pa.Table:
        table = pa.concat_tables([file.read(columns=names) for file in self._files])
        return table if names is None else table.select(names)

    def _in_slots(self, names: tuple[str, ...] | None) -> pa.Table:
        if self._sorted is None or self._sorted[0] != names:
            wanted = names if names is None or KEY in names else (*names, KEY)
            table = by_slot(self._read_whole(wanted))[0]
            self._sorted = (names, table if names is None else table.select(names))
        return self._sorted[1]

    def _no_rows(self, names: tuple[str, ...] | None) -> pa.Table:
        table = self.schema.empty_table()
        return table if names is None else table.select(names)


def read(paths: Sequence[Path], table: Table) -> pa.Table:
    """Reads all rows of a table in the types of its contract, whose columns it must have.

    Raises:
      BadDataError: If a column is missing or of another type.
    """
    content = BucketFiles.of_contract(paths, table).read()
    content = content.select(table.with_optional(content.column_names).names)
    return content.cast(plain_schema(content.schema))


def num_rows(paths: Sequence[Path]) -> int:
    """Returns the number of rows of a table, of which only the footers are read."""
    return sum(pq.read_metadata(path).num_rows for path in paths)
