"""Ids of the parts of a day's rows in files, to tell those in common without holding all."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np


class IdFiles:
    """Takes the ids of one part after another and keeps them, sorted, in files."""

    def __init__(self, folder: Path) -> None:
        """Begins without ids; the folder is made, and must be removed afterwards."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files: list[Path] = []

    def add(self, ids: np.ndarray) -> None:
        """Takes the ids of the rows of the next part, `[n]` int64."""
        if len(ids):
            file = self._folder / f"{len(self._files)}.npy"
            np.save(file, np.sort(ids))
            self._files.append(file)

    def contain(self, ids: np.ndarray) -> np.ndarray:
        """Returns which of some ids, `[n]` int64, are in a part that was taken, `[n]` bool."""
        is_there = np.zeros(len(ids), bool)
        # In order, so that a file is gone through once and not page by page in any order.
        order = np.argsort(ids, kind="stable") if self._files else np.empty(0, np.int64)
        for part in self._parts():
            places = np.minimum(np.searchsorted(part, ids[order]), len(part) - 1)
            is_there[order] |= part[places] == ids[order]
        return is_there

    def distinct(self) -> Iterator[np.ndarray]:
        """Yields all ids in order, each once, `[n]` int64 at a time."""
        for parts in self._ranges():
            yield np.unique(np.concatenate(parts))

    def _parts(self) -> list[np.ndarray]:
        return [np.load(file, mmap_mode="r") for file in self._files]

    def count_shared_rows(self) -> int:
        """Returns the number of rows whose id is theirs alone in their part, and in another, too.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ids = IdFiles(Path(folder))
        ...     for part in ([1, 5, 9], [5, 7, 7], [7, 8]):
        ...         ids.add(np.array(part))
        ...     ids.count_shared_rows()
        3
        """
        return sum(map(_count_rows, self._ranges())) if len(self._files) > 1 else 0

    def _ranges(self) -> Iterator[list[np.ndarray]]:
        """Yields ranges of ids, the lowest first: the ids of each part in it."""
        parts = self._parts()
        if not parts:
            return
        longest: np.ndarray = max(parts, key=len)
        # As many ranges of ids as there are parts: what is held is as much as one part.
        ends = longest[np.arange(1, len(parts)) * len(longest) // len(parts)]
        places = [[0, *np.searchsorted(part, ends).tolist(), len(part)] for part in parts]
        for n in range(len(ends) + 1):
            yield [p[own[n] : own[n + 1]] for p, own in zip(parts, places, strict=True)]


def _count_rows(parts: Sequence[np.ndarray]) -> int:
    """Returns the same of parts in memory, which are sorted."""
    distinct = [np.unique(part, return_counts=True) for part in parts]
    ids = np.concatenate([each for each, _ in distinct])
    is_alone = np.concatenate([counts for _, counts in distinct]) == 1
    order = np.argsort(ids, kind="stable")
    is_same = np.diff(ids[order]) == 0
    is_shared = np.append(False, is_same) | np.append(is_same, False)
    return int(np.count_nonzero(is_shared[: len(order)] & is_alone[order]))
