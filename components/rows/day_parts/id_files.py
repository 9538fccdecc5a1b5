"""Ids of the parts of a day's rows in files, to tell those in common without holding all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np


class IdFiles:
    """Takes the ids of one part after another and keeps them, sorted, in files."""

    def __init__(self, folder: Path) -> None:
        """Begins without ids; the folder is made, and must be removed afterwards."""
        folder.mkdir(exist_ok=True)
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
        for part in self._parts():
            places = np.minimum(np.searchsorted(part, ids), len(part) - 1)
            is_there |= part[places] == ids
        return is_there

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
        if len(self._files) < 2:
            return 0
        parts = self._parts()
        longest: np.ndarray = max(parts, key=len)
        # As many ranges of ids as there are parts: what is held is as much as one part.
        ends = longest[np.arange(1, len(parts)) * len(longest) // len(parts)]
        places = [[0, *np.searchsorted(part, ends).tolist(), len(part)] for part in parts]
        return sum(
            _count_rows([p[own[n] : own[n + 1]] for p, own in zip(parts, places, strict=True)])
            for n in range(len(ends) + 1)
        )


def _count_rows(parts: Sequence[np.ndarray]) -> int:
    """Returns the same of parts in memory, which are sorted."""
    distinct = [np.unique(part, return_counts=True) for part in parts]
    ids = np.concatenate([each for each, _ in distinct])
    is_alone = np.concatenate([counts for _, counts in distinct]) == 1
    order = np.argsort(ids, kind="stable")
    is_same = np.diff(ids[order]) == 0
    is_shared = np.append(False, is_same) | np.append(is_same, False)
    return int(np.count_nonzero(is_shared[: len(order)] & is_alone[order]))
