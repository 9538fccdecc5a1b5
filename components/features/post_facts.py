"""What is known of posts on one day beside their ids: when they were written, and attributes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.features.known_values import KnownValues
from components.run.context import Context
from components.store.artifacts import Ref
from components.tables.data_files import POSTS_FILE
from phoenix.data import sorted_ids
from phoenix.data.windows import age_minutes
from schemas.attributes import file_name


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


def attributes_and_ages(
    context: Context, validated: Ref, post_ids: np.ndarray, moment: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what is known of posts at a moment, for who finds them by their vectors.

    Of a post that is written later it is what is known when it is: the earliest moment at which
    anybody could find it, and none at which the day has said more of it.

    Args:
      context: The run.
      validated: The artifact of validate_events of a day.
      post_ids: `[M]` int64 of its posts.
      moment: ms UTC.

    Returns:
      `[M, W]` float32 attributes of the posts, and `[M]` float32 minutes, NaN where unknown.

    Raises:
      BadDataError: If the attributes of the day are other ones than configured.
    """
    store, declared = context.store, context.config.attributes
    created_at = PostFacts.read(store.read_file(validated, POSTS_FILE)).created_at(post_ids)
    moments = np.maximum(created_at, moment)
    folder = Path()
    if declared.of_side("post"):
        folder = store.read_file(validated, file_name("post")).parent
    values = KnownValues.read(folder, "post", declared.attributes)
    return values.as_of(post_ids, moments), age_minutes(moments, created_at)
