"""The creation times of posts as known on one day, looked up by post."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phoenix.data import sorted_ids


class PostFacts:
    """The posts of one day.

    >>> facts = PostFacts(np.array([30, 10]), np.array([1_000, 2_000]))
    >>> facts.created_at(np.array([[10, 20], [30, 0]])).tolist()
    [[2000, 0], [1000, 0]]
    """

    def __init__(self, post_ids: np.ndarray, created_at: np.ndarray) -> None:
        """Takes `post_ids` `[M]` int64, distinct, and `created_at` `[M]` int64 ms, 0 = unknown."""
        order = np.argsort(post_ids, kind="stable")
        self._post_ids, self._created_at = post_ids[order], created_at[order]

    @classmethod
    def read(cls, posts: Path) -> "PostFacts":
        """Reads the posts that `validate_events` keeps of a day."""
        table = pq.read_table(posts, columns=["post_id", "created_at"])
        created_at = table["created_at"].cast(pa.int64()).to_numpy()
        return cls(table["post_id"].to_numpy(), created_at)

    def created_at(self, post_ids: np.ndarray) -> np.ndarray:
        """`[...]` int64 ms: when posts were written; 0 where that, or the post, is unknown."""
        return sorted_ids.values_at(self._post_ids, self._created_at, post_ids, missing=0)
