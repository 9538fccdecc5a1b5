"""The tables of a day's features: written and read in blocks of users, so that memory stays flat.

See `schemas.features` for what is in them. Nothing in them is hashed: a reader says which hash
functions its model has.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.errors import BadDataError
from components.features import event_log
from components.features.event_log import NO_LATER_LABELS, DayLabels
from components.features.log_actions import LogActions
from components.tables import bucket_files, data_files
from components.tables.bucket_files import BucketFiles, BucketWriter
from components.tables.data_files import IMPRESSIONS_FILE, WINDOWS_FILE
from phoenix.data import sorted_ids
from phoenix.data.actions import UnknownActions
from phoenix.data.engagement.rates import Rates
from phoenix.data.hashing import HashSpec
from phoenix.data.histories import Log, is_later_state
from phoenix.data.states import LabelRows, label_rows, with_labels
from phoenix.data.window_log import WindowLog, WindowRefs, candidate_rows
from phoenix.data.windows import Windows, concatenate
from schemas.attributes import VALUES, values_column
from schemas.buckets import NUM_SLOTS
from schemas.columns import Table
from schemas.features import IMPRESSIONS, WINDOWS

# Ids and times hardly repeat, but their high bytes do; numbers of few values have a dictionary.
_SPLIT = ("post_id", "author_id", "shown_at", "ingested_at", "dwell_seconds", "created_at")
_REPEATING = ["user_id", "surface", "actions", "window", "weight"]
WEIGHT = "weight"  # an optional column of the impressions

_USER_WIDTH, _POST_WIDTH = "user_width", "post_width"  # in the metadata of the files
ATTRIBUTION = "attribution_minutes"  # there, too, where it is limited
_MINUTE_MS = 60_000
_FOREVER = np.iinfo(np.int64).max - 1


class Block(NamedTuple):
    """The windows of some users, and all their impressions."""

    window_ids: np.ndarray  # [N] int64
    refs: WindowRefs
    log: Log
    window_of_row: np.ndarray  # [L] int32, -1 for history


@dataclass(frozen=True)
class Known:
    """The knowledge of who reads the windows of a day: what it takes for their labels.

    By default all that is in the files.
    """

    until: int = _FOREVER  # ms: a state that arrived later is no label
    labels: DayLabels = NO_LATER_LABELS  # arrived after the day
    # Whether this is asked of impressions, too: the first states of those that were accepted
    # with the day are known with it, whatever a source says of their arrival.
    drops_late_impressions: bool = False


def have_weights(paths: Iterable[Path]) -> bool:
    """Whether some row of a table of impressions or events stands for more or less than itself.

    Args:
      paths: Its files, of which the statistics are read, and no row.
    """
    return any(map(_has_weights, paths))


def _has_weights(path: Path) -> bool:
    metadata = pq.read_metadata(path)
    # By path: a column of lists has other numbers as a field and as what is stored.
    names = [metadata.schema.column(place).path for place in range(metadata.num_columns)]
    if WEIGHT not in names:
        return False
    place = names.index(WEIGHT)
    # A column of ones makes the same windows as none: a log that names a rate for every row, and
    # keeps all of them, is trained and measured as if it had not said so.
    ranges = (metadata.row_group(group).column(place) for group in range(metadata.num_row_groups))
    return any(_may_differ_from_1(column) for column in ranges if column.num_values)


def _may_differ_from_1(column: pq.ColumnChunkMetaData) -> bool:
    """Whether a column of weights may hold another than 1; an empty cell is a 1."""
    statistics = column.statistics
    if statistics is None:
        return True
    if not statistics.has_min_max:
        return statistics.null_count != column.num_values
    return statistics.min != 1 or statistics.max != 1


class FeaturesWriter:
    """Writer of both tables of a day, block by block in order of slots; a context manager.

    A piece of the windows and one of the impressions are of the same users: the rows of a block in
    one slot, in order of users. Pieces make up groups of the files like the chunks of a reader.
    """

    def __init__(
        self,
        folder: Path,
        metadata: Mapping[str, str],
        *,
        has_weights: bool = False,
        num_buckets: int = 1,
    ) -> None:
        """Opens the files of both tables.

        Args:
          folder: Must exist; the files in it must not.
          metadata: What `shapes.shape_metadata` returns: readers take their sizes from it.
          has_weights: Whether some impression stands for more or less than itself.
          num_buckets: Files of each table.
        """
        impressions = IMPRESSIONS.with_optional({WEIGHT} if has_weights else ())
        self._windows = BucketWriter(
            folder,
            WINDOWS_FILE,
            _with_values(WINDOWS, metadata, _USER_WIDTH).schema(**metadata),
            num_buckets=num_buckets,
        )
        self._impressions = BucketWriter(
            folder,
            IMPRESSIONS_FILE,
            _with_values(impressions, metadata, _POST_WIDTH).schema(**metadata),
            num_buckets=num_buckets,
            options={
                "compression": "lz4",
                "use_dictionary": _REPEATING,
                "column_encoding": dict.fromkeys(_SPLIT, "BYTE_STREAM_SPLIT"),
            },
        )
        self._has_weights = has_weights
        self._pieces: list[tuple[int, pa.Table, pa.Table]] = []  # not written yet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write_pieces()
        for writer in (self._windows, self._impressions):
            writer.__exit__(kind, error, trace)

    def write(self, block: Block) -> None:
        """Appends a block, of which no user is in another one."""
        block, slots, refs_slots = _in_slots(block)
        sizes, refs_sizes = (np.bincount(each, minlength=NUM_SLOTS) for each in (slots, refs_slots))
        # A mark of an impression is the number of its window in their piece.
        firsts = (np.cumsum(refs_sizes) - refs_sizes).astype(np.int32)
        marks = np.where(block.window_of_row >= 0, block.window_of_row - firsts[slots], -1)
        *log, values, weights = block.log
        own_weights = (weights,) if self._has_weights else ()
        windows = _to_arrow((block.window_ids, *block.refs), self._windows.schema)
        impressions = _to_arrow((*log, marks, *own_weights, values), self._impressions.schema)
        end = refs_end = 0
        for slot in np.flatnonzero(sizes).tolist():
            size, refs_size = int(sizes[slot]), int(refs_sizes[slot])
            waiting = sum(len(piece[2]) for piece in self._pieces)
            if waiting and waiting + size > event_log.BLOCK_ROWS:
                self._write_pieces()
            own_windows = windows.slice(refs_end, refs_size)
            self._pieces.append((slot, own_windows, impressions.slice(end, size)))
            end, refs_end = end + size, refs_end + refs_size

    def _write_pieces(self) -> None:
        # Groups of the files are what a reader reads at once, see `WindowsFiles`.
        self._windows.write([(slot, windows) for slot, windows, _ in self._pieces])
        self._impressions.write([(slot, rows) for slot, _, rows in self._pieces])
        self._pieces = []


def _in_slots(block: Block) -> tuple[Block, np.ndarray, np.ndarray]:
    """Returns a block in order of slots, and the slots of its impressions and of its windows."""
    slots, refs_slots = (bucket_files.slots_of(each.user_ids) for each in (block.log, block.refs))
    if np.any(slots[1:] < slots[:-1]):  # a large day has blocks of one slot
        order, refs_order = (np.argsort(each, kind="stable") for each in (slots, refs_slots))
        # The mark of history, -1, takes the last one.
        numbers = np.append(np.argsort(refs_order), -1).astype(np.int32)
        marks = numbers[block.window_of_row[order]]
        refs = WindowRefs(*(each[refs_order] for each in block.refs))
        block = Block(block.window_ids[refs_order], refs, block.log.rows(order), marks)
        slots, refs_slots = slots[order], refs_slots[refs_order]
    return block, slots, refs_slots


class WindowsFiles:
    """The windows of a day, read in chunks of some users, as a `WindowSource`.

    A chunk is made of pieces that follow each other, and so the same in any number of files.
    """

    def __init__(
        self,
        folder: Path,
        *,
        spec: HashSpec,
        known: Known | None = None,
        actions: LogActions | None = None,
        rates: Rates | None = None,
    ) -> None:
        """Opens both tables of a folder.

        Args:
          folder: With the features of a day.
          spec: The hash functions of the model that will read the windows.
          known: Of the reader.
          actions: Of the log; None: its bits are as configured, and all actions are known.
          rates: Those with which the day began, for a reader that wants to know what was known of
            candidates.

        Raises:
          BadDataError: If a file is not there or has other columns than the contract.
        """
        self._spec, self._known = spec, known or Known()
        self._actions, self._rates = actions, rates
        unknown = UnknownActions.of({}) if actions is None else actions.unknown
        self._unknown = None if unknown.is_empty else unknown
        self._windows = _open_table(folder, WINDOWS_FILE, WINDOWS)
        self._impressions = _open_table(folder, IMPRESSIONS_FILE, IMPRESSIONS)
        self._chunks = _chunks(self._impressions)

    @property
    def chunk_sizes(self) -> list[int]:
        """The number of windows of each chunk."""
        sizes = self._windows.piece_sizes
        return [int(sizes[chunk.start : chunk.stop].sum()) for chunk in self._chunks]

    @property
    def optional_fields(self) -> frozenset[str]:
        """The names of the optional fields that some windows may have."""
        names = {"history_unknown_actions", "label_unknown_actions"} if self._unknown else set()
        if WEIGHT in self._impressions.schema.names:
            names |= {"history_weights", "label_weights"}
        return frozenset(names)

    def read(self, chunk: int, users: np.ndarray | None = None) -> Windows:
        """Returns the windows of one chunk, in order of users and time.

        Args:
          chunk: Its number.
          users: `[n]` int64; None means the windows of all.
        """
        pieces = self._chunks[chunk]
        windows, impressions = (
            each.of_pieces(pieces) for each in (self._windows, self._impressions)
        )
        return self._join(windows, impressions, pieces, users)

    def users(self) -> np.ndarray:
        """`[N]` int64: the users who have windows, sorted."""
        return self._windows.users()

    def of_users(self, users: np.ndarray) -> Windows:
        """Returns all windows of some users, `[n]` int64; those of others are read and dropped."""
        own = [self.read(chunk, users) for chunk in range(len(self._chunks))]
        return concatenate(own or [self.none()])

    def none(self) -> Windows:
        """Returns windows of the right shapes, of which there are none."""
        windows, impressions = (
            each.schema.empty_table() for each in (self._windows, self._impressions)
        )
        return self._join(windows, impressions, range(0))

    def _slots(self, pieces: range) -> range:
        """Returns the slots of some pieces; all of pieces of earlier formats, which have none."""
        slots = [piece.slot for piece in self._impressions.pieces[pieces.start : pieces.stop]]
        if not slots:
            return range(0)
        return range(slots[0], slots[-1] + 1) if slots[0] >= 0 else range(NUM_SLOTS)

    def _join(
        self,
        windows: pa.Table,
        impressions: pa.Table,
        pieces: range,
        users: np.ndarray | None = None,
    ) -> Windows:
        refs = WindowRefs(*_to_arrays(windows)[1:])  # without the ids of the windows
        num_windows, shape = len(refs.user_ids), self._windows.schema.metadata
        log, window_of_row = _to_log(impressions)
        sizes = [
            each.piece_sizes[pieces.start : pieces.stop]
            for each in (self._windows, self._impressions)
        ]
        refs, log, window_of_row = _by_user(refs, log, window_of_row, *sizes)
        if self._actions is not None:
            log = self._actions.log(log)
        minutes = (self._impressions.schema.metadata or {}).get(ATTRIBUTION.encode())
        labels = self._known.labels.of_slots(self._slots(pieces))
        log, window_of_row, label_of_row = labelled(
            log, window_of_row, labels, self._known, minutes
        )
        candidates = candidate_rows(
            window_of_row, num_windows=num_windows, length=int(shape[b"num_candidates"])
        )
        window_log = WindowLog(
            log,
            refs,
            candidates=candidates,
            labels=np.where(candidates >= 0, np.append(label_of_row, -1)[candidates], -1),
            spec=self._spec,
            history_length=int(shape[b"history_length"]),
        )
        is_taken = np.ones(num_windows, bool) if users is None else np.isin(refs.user_ids, users)
        taken = window_log.take(np.flatnonzero(is_taken))
        if self._rates is not None:
            taken = taken.with_evidence(self._rates)
        return taken if self._unknown is None else taken.with_unknown(self._unknown)


def read_windows(
    folder: Path,
    *,
    spec: HashSpec,
    known: Known | None = None,
    actions: LogActions | None = None,
    rates: Rates | None = None,
) -> Windows:
    """Reads all windows of a day's features at once; see `WindowsFiles` for less at a time."""
    files = WindowsFiles(folder, spec=spec, known=known, actions=actions, rates=rates)
    chunks = [files.read(chunk) for chunk in range(len(files.chunk_sizes))]
    return concatenate(chunks or [files.none()])


def read_logs(table: BucketFiles, slots: range) -> Iterator[Log]:
    """Reads the impressions of a day's features in some slots as state, without the windows.

    Yields:
      Logs of some of the slots each, sorted by user.
    """
    sizes = table.slot_sizes()[slots.start : slots.stop]
    for run in bucket_files.runs(sizes, event_log.BLOCK_ROWS):
        yield log_of_slots(table, slots[run.start : run.stop])


def log_of_slots(table: BucketFiles, slots: range) -> Log:
    """Returns the impressions of a day's features in some slots as state, sorted by user."""
    return event_log.sorted_by_user(_to_log(table.of_slots(slots))[0])


def _by_user(
    refs: WindowRefs,
    log: Log,
    window_of_row: np.ndarray,
    refs_sizes: np.ndarray,
    sizes: np.ndarray,
) -> tuple[WindowRefs, Log, np.ndarray]:
    """Returns the windows and impressions of some pieces sorted by user, marked by them all.

    Args:
      refs: The windows, piece by piece.
      log: The impressions, piece by piece.
      window_of_row: Of each impression, the number of its window in their piece, or -1.
      refs_sizes: Windows of each piece.
      sizes: Impressions of each piece.
    """
    firsts = np.repeat(np.cumsum(refs_sizes) - refs_sizes, sizes)
    window_of_row = np.where(window_of_row >= 0, window_of_row + firsts, -1)
    order, refs_order = (event_log.order_of_users(each.user_ids) for each in (log, refs))
    if refs_order is not None:
        numbers = np.empty(len(refs_order) + 1, np.int64)
        numbers[refs_order] = np.arange(len(refs_order))
        numbers[-1] = -1
        window_of_row = numbers[window_of_row]
        refs = WindowRefs(*(each[refs_order] for each in refs))
    if order is not None:
        log, window_of_row = log.rows(order), window_of_row[order]
    return refs, log, window_of_row


def labelled(
    log: Log,
    window_of_row: np.ndarray,
    labels: LabelRows,
    known: Known,
    attribution_minutes: bytes | None,
) -> tuple[Log, np.ndarray, np.ndarray]:
    """Returns a log with all states, and of each row its window and the row of its label.

    Args:
      log: L impressions.
      window_of_row: `[L]`, -1 for history.
      labels: That arrived after the day, sorted by user.
      known: Of the reader.
      attribution_minutes: How late a label may be, as the metadata of the files say it.

    Windows are named by the first states of impressions alone, and of late impressions that the
    reader does not know by none.
    """
    if len(log.user_ids):
        # Both are sorted by user; of those between the first and the last some are elsewhere.
        is_here = sorted_ids.find(log.user_ids, labels.user_ids)[1]
        log, heads = with_labels(log, labels.rows(np.flatnonzero(is_here)))
        window_of_row = np.where(is_later_state(log), -1, window_of_row[heads])
    candidates = np.flatnonzero(window_of_row >= 0)
    until = np.full(len(candidates), known.until)
    if attribution_minutes is not None:
        latest = log.shown_at[candidates] + int(attribution_minutes) * _MINUTE_MS
        until = np.minimum(until, latest)
    label_of_row = np.full(len(window_of_row), -1)
    label_of_row[candidates] = label_rows(log, candidates, until)
    if known.drops_late_impressions:
        window_of_row = np.where(log.ingested_at > known.until, -1, window_of_row)
    return log, window_of_row, label_of_row


def _open_table(folder: Path, name: str, table: Table) -> BucketFiles:
    try:
        paths = bucket_files.paths(folder, name)
    except BadDataError as error:
        raise BadDataError(
            f"{folder / name}: expected the {table.name} of a day, found no file."
        ) from error
    return _opened(paths, table)


def _opened(paths: Sequence[Path], table: Table) -> BucketFiles:
    # Of earlier formats the groups of the files are the pieces, in order of users.
    files = BucketFiles(paths, groups_are_pieces=True)
    problems = table.problems(files.schema)
    if problems:
        raise BadDataError(f"{paths[0]}: {'; '.join(problems)}: build these features again.")
    return files


def _chunks(impressions: BucketFiles) -> list[range]:
    """Returns the pieces of each chunk, which are of a few users or of one slot."""
    return list(bucket_files.runs(impressions.piece_sizes, event_log.BLOCK_ROWS))


def _with_values(table: Table, metadata: Mapping[str, str], width: str) -> Table:
    """Returns the table with the column of attributes, if there are any."""
    size = int(metadata.get(width, 0))
    return replace(table, columns=(*table.columns, values_column(size))) if size else table


def _to_arrow(arrays: tuple[np.ndarray, ...], schema: pa.Schema) -> pa.Table:
    columns = []
    for field, values in zip(schema, arrays[: len(schema)], strict=True):
        if values.ndim == 2:
            flat = pa.array(values.reshape(-1))
            columns.append(pa.FixedSizeListArray.from_arrays(flat, type=field.type))
        else:
            array = pa.array(values)
            # Times are int64 in NumPy; a view gives them their type without a copy.
            columns.append(array if array.type == field.type else array.view(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _to_arrays(content: pa.Table) -> list[np.ndarray]:
    """Returns the columns, the attributes last, of which there may be none."""
    columns = data_files.columns(content)
    values = columns.pop(VALUES, np.empty((len(content), 0), np.float32))
    return [*columns.values(), values]


def _to_log(content: pa.Table) -> tuple[Log, np.ndarray]:
    """Returns impressions and the window of each."""
    columns = data_files.columns(content)
    values = columns.pop(VALUES, np.empty((len(content), 0), np.float32))
    weights = columns.pop(WEIGHT, np.ones(len(content), np.float32))
    window_of_row = columns.pop("window")
    return Log(*columns.values(), attributes=values, weights=weights), window_of_row
