"""Batches of training from chunks of windows, in an order that (seed, epoch) alone decides.

An epoch visits the chunks in a random order and takes them in groups of about `shuffle_windows`;
the windows of a group are permuted together and cut into batches. So windows are shuffled across
files, no more than one group is in memory (two while the next is read), and the cursor is one
number: the batches before it are known without reading them.

Windows can be batched by the length of their history: a batch then holds windows of one length
bucket, cut to that length, and the shorter they are the more of them it takes, so that every batch
costs about as much as one of the longest.

Windows can be batched by their day, too, where those of a batch are compared with each other: what
is known of a post, and which posts there are, is another matter on another day.

Glossary of shapes:
  N: windows, B: batch, S: history.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from phoenix.data.days import DAY_MS
from phoenix.data.window_source import WindowSource, windows_between
from phoenix.data.windows import Windows, gathered

_CHUNK_STREAM = 1 << 33  # Keeps the order of chunks apart from the order within groups.
_POLL_SECONDS = 0.1

Item = TypeVar("Item")


class BatchWindows(NamedTuple):
    """The windows of one batch, not padded, and the sizes to which the step pads them."""

    windows: Windows
    num_rows: int  # B


@dataclass(frozen=True, kw_only=True)
class BatchOrder:
    """The order of windows in batches; equal fields give equal batches."""

    seed: int
    batch_size: int  # B for windows with the longest histories.
    shuffle_windows: int  # Windows that are permuted together.
    lengths: Sequence[int]  # Ascending history lengths of the buckets, the last one S; 0: all.
    counts: np.ndarray  # [chunks, buckets] int64 windows
    # Whether a batch has windows of one day; one at the border of two days of a group has both.
    is_by_day: bool = False

    @classmethod
    def of(
        cls,
        source: WindowSource,
        num_windows: int,
        *,
        seed: int,
        batch_size: int,
        shuffle_windows: int,
        length_buckets: Sequence[int] = (),
    ) -> "BatchOrder":
        """Counts the first `num_windows` windows of a source; reads them only to measure lengths.

        Args:
          source: What is trained on.
          num_windows: Windows after these take no part.
          seed: At least 0.
          batch_size: Windows per batch; of a shorter bucket, as many more as it is shorter.
          shuffle_windows: See the fields.
          length_buckets: History lengths to cut at; none means that all windows have length S.
        """
        sizes = np.array(source.chunk_sizes, np.int64)
        sizes = np.clip(num_windows - (np.cumsum(sizes) - sizes), 0, sizes)  # The last one is cut.
        if not length_buckets:
            lengths, counts = [0], sizes[:, None]
        else:
            first = next(windows_between(source, 0, num_windows, limit=1))
            full = first.history_post_ids.shape[1]
            lengths = [*sorted(size for size in set(length_buckets) if size < full), full]
            counts = np.array([_histogram(source, c, n, lengths) for c, n in enumerate(sizes)])
        return cls(
            seed=seed,
            batch_size=batch_size,
            shuffle_windows=shuffle_windows,
            lengths=lengths,
            counts=counts,
        )

    @property
    def batch_sizes(self) -> list[int]:
        """B of each length bucket."""
        full = self.lengths[-1]
        return [self.batch_size * (full // size if size else 1) for size in self.lengths]

    def groups(self, epoch: int) -> list[np.ndarray]:
        """The chunks of each group of an epoch, in the order in which they are read."""
        sizes = self.counts.sum(axis=1)
        chunks = np.flatnonzero(sizes)
        # What fits one group is permuted as a whole: then the order of its chunks is no matter.
        if sizes.sum() > self.shuffle_windows:
            key = [self.seed, _CHUNK_STREAM + epoch]
            chunks = np.random.Generator(np.random.Philox(key=key)).permutation(chunks)
        before = np.cumsum(sizes[chunks]) - sizes[chunks]
        # A group ends with the chunk that reaches its share of windows: chunks are never split.
        starts = np.flatnonzero(np.diff(before // self.shuffle_windows)) + 1
        return np.split(chunks, starts)

    def num_batches(self, epoch: int) -> int:
        """The number of batches of an epoch."""
        return sum(self._num_batches(group) for group in self.groups(epoch))

    def batches(self, source: WindowSource, epoch: int, first: int = 0) -> Iterator[BatchWindows]:
        """Yields the batches of an epoch from number `first` on; what comes before is not read."""
        for number, group in enumerate(self.groups(epoch)):
            num_batches = self._num_batches(group)
            if first >= num_batches:
                first -= num_batches
                continue
            yield from self._group_batches(source, group, (epoch, number), first)
            first = 0

    def _num_batches(self, group: np.ndarray) -> int:
        """The number of batches of a group: the last one of each bucket may be short."""
        counts = self.counts[group].sum(axis=0)
        return int(sum(-(-counts // np.array(self.batch_sizes))))

    def _group_batches(
        self, source: WindowSource, group: np.ndarray, place: tuple[int, int], first: int
    ) -> Iterator[BatchWindows]:
        """Yields the batches from `first` on of a group; `place` is its epoch and its number."""
        epoch, number = place
        sizes = self.counts.sum(axis=1)
        parts = (source.read(int(chunk)).rows(slice(0, sizes[chunk])) for chunk in group)
        windows = next(parts) if len(group) == 1 else gathered(parts, int(sizes[group].sum()))
        # Every group jumps to numbers of its own, so that it is the same whether or not a run that
        # goes on in the middle has read the groups before it.
        bits = np.random.Philox(key=[self.seed, epoch]).jumped(number)
        generator = np.random.Generator(bits)
        order = generator.permutation(len(windows.user_ids))
        if self.is_by_day:  # at random within a day
            order = order[np.argsort(windows.starts_at[order] // DAY_MS, kind="stable")]
        buckets = _bucket_of(windows, self.lengths)[order]
        pieces: list[tuple[int, np.ndarray]] = []  # bucket, rows
        for bucket, size in enumerate(self.batch_sizes):
            rows = order[buckets == bucket]
            pieces += [(bucket, rows[at : at + size]) for at in range(0, len(rows), size)]
        # Else all short histories would come before all long ones, or a day after the other.
        if len(self.lengths) > 1 or self.is_by_day:
            pieces = [pieces[index] for index in generator.permutation(len(pieces))]
        for bucket, rows in pieces[first:]:
            batch, length = windows.rows(rows), self.lengths[bucket]
            batch = batch.with_history(length) if length else batch
            yield BatchWindows(batch, self.batch_sizes[bucket])


@dataclass(frozen=True, eq=False)
class Epochs:
    """The batches of a whole run: its epochs one after the other, their steps counted through."""

    order: BatchOrder
    ends: np.ndarray  # [epochs] int64 steps done at the end of each

    @classmethod
    def of(cls, order: BatchOrder, num_epochs: int) -> "Epochs":
        """Counts the batches of `num_epochs` epochs, at least 1."""
        return cls(order, np.cumsum([order.num_batches(epoch) for epoch in range(num_epochs)]))

    @property
    def num_steps(self) -> int:
        """The number of batches of all epochs."""
        return int(self.ends[-1])

    def epoch_of(self, step: int) -> int:
        """The epoch, from 0, of the last of `step` steps; the first one before any step.

        >>> order = BatchOrder(
        ...     seed=0, batch_size=2, shuffle_windows=9, lengths=[0], counts=np.array([[5]])
        ... )
        >>> epochs = Epochs.of(order, 2)  # of 3 steps each
        >>> epochs.ends.tolist(), [epochs.epoch_of(step) for step in (0, 3, 4)]
        ([3, 6], [0, 0, 1])
        """
        return int(np.searchsorted(self.ends, max(step, 1)))

    def is_end(self, step: int) -> bool:
        """Whether the last of `step` steps is the last one of its epoch."""
        return step == self.ends[self.epoch_of(step)]

    def batches(self, source: WindowSource, step: int) -> Iterator[tuple[int, BatchWindows]]:
        """Yields what comes after `step` steps: each batch with the number of steps before it."""
        starts = [0, *self.ends.tolist()]
        current = int(np.searchsorted(self.ends, step, side="right"))
        for epoch in range(current, len(self.ends)):
            first = max(step - starts[epoch], 0)
            batches = self.order.batches(source, epoch, first)
            yield from enumerate(batches, start=starts[epoch] + first)


class Prefetched(Generic[Item]):
    """Iterates over `items` in a thread, a few ahead of whoever takes them.

    An error in the thread is raised where the items are taken. Close it, or use it in a `with`.
    """

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        """Takes the items and how many of them wait at most, at least 1."""
        # An item or the error that ends them, StopIteration when they are at their end.
        self._queue: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(depth)
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._produce, args=(items,), daemon=True)
        self._thread.start()

    def __enter__(self) -> "Prefetched[Item]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        item, error = self._queue.get()
        if error is not None:
            self._queue.put((None, error))  # For whoever asks again.
            raise error
        assert item is not None
        return item

    def close(self) -> None:
        """Stops the thread and waits for it."""
        self._is_closed.set()
        self._thread.join()

    def _produce(self, items: Iterator[Item]) -> None:
        """Puts all items, then what ended them."""
        try:
            for item in items:
                if not self._put((item, None)):
                    return
            self._put((None, StopIteration()))
        except BaseException as error:  # Whatever it is, whoever waits for an item must hear of it.
            self._put((None, error))

    def _put(self, entry: tuple[Item | None, BaseException | None]) -> bool:
        """Waits for room and puts an entry there; False when nobody will take it any more."""
        # Looks up now and then: a thread that only waits for room would never see the end.
        while not self._is_closed.is_set():
            try:
                self._queue.put(entry, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


def _histogram(
    source: WindowSource, chunk: int, num_windows: int, lengths: Sequence[int]
) -> np.ndarray:
    """`[buckets]` int64: the first windows of a chunk by the bucket of their length."""
    if not num_windows:  # No need to read a chunk that takes no part.
        return np.zeros(len(lengths), np.int64)
    windows = source.read(chunk).rows(slice(0, num_windows))
    return np.bincount(_bucket_of(windows, lengths), minlength=len(lengths))


def _bucket_of(windows: Windows, lengths: Sequence[int]) -> np.ndarray:
    """`[N]` int64: the smallest bucket that holds each window's history."""
    if len(lengths) == 1:
        return np.zeros(len(windows.user_ids), np.int64)
    events = np.count_nonzero(windows.history_post_ids, axis=1)  # Left-aligned: this is the length.
    return np.searchsorted(lengths, events)
