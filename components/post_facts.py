"""What was known of posts on each day: looked up by post and by the time of an impression.

An impression takes what the posts of its own day say, whenever it is looked up: what a later day
knows better changes no history.
"""

import datetime
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phoenix.histories import Log

DAY_MS = 86_400_000
_EPOCH = datetime.date(1970, 1, 1)


class PostFacts:
    """The posts of one day."""

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
        if not len(self._post_ids):
            return np.zeros(post_ids.shape, np.int64)
        place = np.minimum(np.searchsorted(self._post_ids, post_ids), len(self._post_ids) - 1)
        return np.where(self._post_ids[place] == post_ids, self._created_at[place], 0)


class DatedPostFacts:
    """The posts of some days; those of a day are read when they are first asked for."""

    def __init__(self, files: Mapping[datetime.date, Path]) -> None:
        """Takes the posts that `validate_events` keeps of each day."""
        self._files = {(day - _EPOCH).days: path for day, path in files.items()}
        self._of_day = functools.cache(lambda number: PostFacts.read(self._files[number]))

    def completed(self, columns: Sequence[np.ndarray]) -> Log:
        """Returns the log of some impressions.

        Args:
          columns: The arrays of a `Log`, all but the last.
        """
        log = Log(*columns, created_at=np.empty(0, np.int64))
        return log._replace(created_at=self.created_at(log.post_ids, log.shown_at))

    def created_at(self, post_ids: np.ndarray, shown_at: np.ndarray) -> np.ndarray:
        """When posts were written, as known on the days of their impressions.

        Args:
          post_ids: `[L]` int64.
          shown_at: `[L]` int64 ms.

        Returns:
          `[L]` int64 ms, 0 where it is unknown.

        Raises:
          KeyError: If an impression is of a day without posts.
        """
        found = np.zeros(len(post_ids), np.int64)
        days = shown_at // DAY_MS
        for day in np.unique(days):
            rows = np.flatnonzero(days == day)
            found[rows] = self._of_day(int(day)).created_at(post_ids[rows])
        return found
