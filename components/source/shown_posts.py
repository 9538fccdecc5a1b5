"""The posts that a log shows, each with its author and its first impression."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class ShownPosts:
    """Posts in order of their ids."""

    post_ids: np.ndarray  # [M] int64, each once
    author_ids: np.ndarray  # [M] int64: by the first impression
    shown_at: np.ndarray  # [M] int64 ms: the first impression

    @classmethod
    def of(cls, post_ids: np.ndarray, author_ids: np.ndarray, shown_at: np.ndarray) -> "ShownPosts":
        """Returns the posts of some impressions, `[n]` each; of equal times the lowest author.

        >>> posts = ShownPosts.of(np.array([7, 3, 7]), np.array([1, 2, 4]), np.array([30, 20, 10]))
        >>> posts.post_ids.tolist(), posts.author_ids.tolist(), posts.shown_at.tolist()
        ([3, 7], [2, 4], [20, 10])
        """
        # By a table of hashes instead of a sort: a log shows the same posts again and again.
        dictionary = pa.array(post_ids).dictionary_encode()
        ids, codes = np.asarray(dictionary.dictionary), np.asarray(dictionary.indices)
        latest = np.iinfo(np.int64).max
        times, authors = np.full(len(ids), latest), np.full(len(ids), latest)
        np.minimum.at(times, codes, shown_at)
        is_first = shown_at == times[codes]
        np.minimum.at(authors, codes[is_first], author_ids[is_first])
        order = np.argsort(ids)
        return cls(ids[order], authors[order], times[order])

    @classmethod
    def merge(cls, parts: Sequence["ShownPosts"]) -> "ShownPosts":
        """Returns the posts of all parts."""
        if len(parts) == 1:
            return parts[0]
        columns = [np.concatenate([np.empty(0, np.int64), *column]) for column in _columns(parts)]
        return cls.of(*columns)

    @classmethod
    def load(cls, path: Path) -> "ShownPosts":
        """Reads what `save` wrote."""
        return cls(*np.load(path, allow_pickle=False))

    def save(self, path: Path) -> None:
        """Writes the posts, whole or not at all."""
        unfinished = path.with_name(f".{path.name}")
        with unfinished.open("wb") as file:
            np.save(file, np.stack([self.post_ids, self.author_ids, self.shown_at]))
        unfinished.replace(path)

    def digest(self) -> str:
        """Returns the SHA-256 of the posts."""
        digest = hashlib.sha256()
        for column in (self.post_ids, self.author_ids, self.shown_at):
            digest.update(column.tobytes())
        return digest.hexdigest()


def _columns(parts: Sequence[ShownPosts]) -> list[list[np.ndarray]]:
    return [
        [part.post_ids for part in parts],
        [part.author_ids for part in parts],
        [part.shown_at for part in parts],
    ]


class ShownCollector:
    """Takes impressions in any number; keeps no more than the posts among them."""

    def __init__(self) -> None:
        self._parts: list[ShownPosts] = []
        self._limit = 1 << 20

    def add(self, part: ShownPosts) -> None:
        """Takes posts."""
        self._parts.append(part)
        if sum(len(each.post_ids) for each in self._parts) > self._limit:
            self._parts = [ShownPosts.merge(self._parts)]
            # Twice what is left, so that a log that shows only new posts is not merged again and
            # again.
            self._limit = max(self._limit, 2 * len(self._parts[0].post_ids))

    def posts(self) -> ShownPosts:
        """Returns the posts so far."""
        return ShownPosts.merge(self._parts)
