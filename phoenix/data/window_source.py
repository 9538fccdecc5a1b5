"""Sources of windows in chunks, and ranges of them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from phoenix.data.windows import Windows

SCAN_ROWS = 8192  # Windows per read when the whole source is scanned.


class WindowSource(Protocol):
    """The windows of a training set in chunks that are read one at a time, whatever holds them."""

    @property
    def chunk_sizes(self) -> Sequence[int]:
        """The number of windows of each chunk; their sum is N."""
        ...

    def read(self, chunk: int) -> Windows:
        """Returns the windows of one chunk, the same at every call."""
        ...


class InMemoryWindows:
    """A source over windows that are already in memory: one chunk."""

    def __init__(self, windows: Windows) -> None:
        """Takes N windows."""
        self._windows = windows

    @property
    def chunk_sizes(self) -> Sequence[int]:
        """One chunk with all N."""
        return [len(self._windows.user_ids)]

    def read(self, chunk: int) -> Windows:
        """Returns all windows."""
        del chunk
        return self._windows


class SelectedWindows:
    """Some windows of each chunk of a source, in its order."""

    def __init__(
        self, source: WindowSource, rows: Sequence[np.ndarray], *, before: int | None = None
    ) -> None:
        """Takes a source and what of it there is.

        Args:
          source: Of the windows.
          rows: Of each chunk, ascending.
          before: ms UTC: what histories hold from then on is left out; None leaves nothing out.
        """
        self._source, self._rows, self._before = source, rows, before

    @property
    def chunk_sizes(self) -> Sequence[int]:
        """The number of windows selected of each chunk."""
        return [len(rows) for rows in self._rows]

    def read(self, chunk: int) -> Windows:
        """Returns the selected windows of one chunk."""
        windows = self._source.read(chunk).rows(self._rows[chunk])
        return windows if self._before is None else _with_histories_before(windows, self._before)


def _with_histories_before(windows: Windows, time: int) -> Windows:
    """Returns the windows without what their histories hold from a time on."""
    # Time 0 is that of padding, and of events of which the order alone is known.
    is_later = (windows.history_shown_at >= time) & (windows.history_shown_at > 0)
    if not is_later.any():
        return windows
    histories = {
        name: array * ~is_later.reshape(*is_later.shape, *[1] * (array.ndim - 2))
        for name, array in windows._asdict().items()
        if name.startswith("history_") and array is not None
    }
    # Histories are in order of time, so what is left is still at their start.
    return windows._replace(**histories)


def windows_between(
    source: WindowSource, start: int, stop: int, *, limit: int
) -> Iterator[Windows]:
    """Yields the windows `start` to `stop` of a source in order, in parts of at most `limit`.

    Chunks without a window in the range are not read, and no part has windows of two chunks.
    """
    first = 0
    for chunk, size in enumerate(source.chunk_sizes):
        low, high = max(start - first, 0), min(stop - first, size)
        first += size
        if low >= high:
            continue
        windows = source.read(chunk)
        for at in range(low, high, limit):
            yield windows.rows(slice(at, min(at + limit, high)))


def pad_windows(windows: Windows, num_rows: int) -> Windows:
    """Returns `windows`, followed by empty ones (all ids and hashes 0) up to `num_rows`.

    Raises:
      ValueError: If there are more than `num_rows` already.
    """
    num_empty = num_rows - len(windows.user_ids)
    if num_empty < 0:
        raise ValueError(f"Expected at most {num_rows} windows, got {len(windows.user_ids)}.")
    if num_empty == 0:
        return windows
    return windows.of_arrays(
        lambda array: np.concatenate([array, np.zeros((num_empty, *array.shape[1:]), array.dtype)])
    )
