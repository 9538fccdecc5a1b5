"""The posts that accepted rows show, each with its author and its first impression."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.tables import data_files
from phoenix.data import sorted_ids
from schemas.posts import SHOWN_POSTS


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
    def none(cls) -> "ShownPosts":
        """Returns no posts."""
        return cls(*(np.empty(0, np.int64) for _ in range(3)))

    @classmethod
    def of_rows(cls, rows: pa.Table) -> "ShownPosts":
        """Returns the posts of rows with `post_id`, `author_id` and `shown_at`."""
        return cls.of(*(rows[name].cast(pa.int64()).to_numpy() for name in SHOWN_POSTS.names))

    @classmethod
    def merge(cls, parts: Sequence["ShownPosts"]) -> "ShownPosts":
        """Returns the posts of all parts, of which there is at least one."""
        if len(parts) == 1:
            return parts[0]
        return cls.of(
            np.concatenate([part.post_ids for part in parts]),
            np.concatenate([part.author_ids for part in parts]),
            np.concatenate([part.shown_at for part in parts]),
        )

    def without(self, post_ids: np.ndarray) -> "ShownPosts":
        """Returns all posts but some, `[n]` int64 in rising order."""
        rows = ~sorted_ids.find(post_ids, self.post_ids).is_there
        return ShownPosts(self.post_ids[rows], self.author_ids[rows], self.shown_at[rows])

    def write(self, path: Path) -> None:
        """Writes the posts in the schema `SHOWN_POSTS`."""
        values = (self.post_ids, self.author_ids, self.shown_at)
        columns = dict(zip(SHOWN_POSTS.names, values, strict=True))
        data_files.write(path, data_files.arrow_table(SHOWN_POSTS, columns))

    @classmethod
    def read(cls, path: Path) -> "ShownPosts":
        """Reads what `write` wrote."""
        return cls.of_rows(pq.read_table(path))

    @classmethod
    def read_known(cls, path: Path) -> "ShownPosts":
        """Reads the posts that a day knew of whose rows that were shown nothing was kept."""
        rows = pq.read_table(path, columns=["post_id", "author_id", "created_at"])
        return cls.of_rows(rows.rename_columns(SHOWN_POSTS.names))


class ShownCollector:
    """Takes the posts of some rows after those of others; keeps no more than the posts."""

    def __init__(self) -> None:
        self._parts = [ShownPosts.none()]
        self._limit = 1 << 20

    def add(self, part: ShownPosts) -> None:
        """Takes posts."""
        self._parts.append(part)
        if sum(len(each.post_ids) for each in self._parts) > self._limit:
            self._parts = [self.posts()]
            # Twice what is left, so that a log that shows only new posts is not merged again and
            # again.
            self._limit = max(self._limit, 2 * len(self._parts[0].post_ids))

    def posts(self) -> ShownPosts:
        """Returns the posts so far."""
        return ShownPosts.merge(self._parts)
