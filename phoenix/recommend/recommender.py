"""The interfaces of a recommender, trained or trivial, to the gate, the export and the feeds.

The two-tower model, the most-popular and the random recommender all satisfy `Retriever`; the
ranking transformer and the same two baselines satisfy `Ranker`. Nothing downstream asks which.
"""

from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from phoenix.data.windows import Windows


class PostInputs(NamedTuple):
    """What a retriever may read of M posts beside their ids, as known at one moment."""

    popularity: np.ndarray | None = None  # [M, F] float32, see `phoenix.data.engagement.rates`
    attributes: np.ndarray | None = None  # [M, W] float32: of the posts, `phoenix.data.attributes`
    age_minutes: np.ndarray | None = None  # [M] float32, NaN = unknown

    def rows(self, index: np.ndarray | slice) -> "PostInputs":
        """Returns what is known of some of the posts."""
        return PostInputs(*(None if array is None else array[index] for array in self))


class Retriever(Protocol):
    """Finds posts for a user by the inner product of two vectors."""

    name: ClassVar[str]  # What kind of recommender it is, e.g. `most_popular`.

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the actions in the histories that it reads, in the order of their bits."""
        ...

    def encode_users(self, windows: Windows) -> np.ndarray:
        """`[N, D]` float32: one query per window, from its user and history alone.

        A user about whom nothing is known may get the zero vector.
        """
        ...

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        """`[M, D]` float32: one vector per post.

        Args:
          post_ids: `[M]` int64.
          author_ids: `[M]` int64.
          inputs: What else is known of them, as far as it is read.
        """
        ...


class Ranker(Protocol):
    """Predicts what a user will do with each candidate."""

    name: ClassVar[str]  # What kind of recommender it is, e.g. `most_popular`.

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the A actions."""
        ...

    def predict(self, windows: Windows) -> np.ndarray:
        """`[N, C, A]` float32: probability of each action for each candidate.

        The value for a candidate does not depend on the other candidates. Values of padded
        candidates are finite and meaningless.
        """
        ...

    def predict_dwell(self, windows: Windows) -> np.ndarray | None:
        """`[N, C]` float32: seconds that the user will stay; None where it predicts none."""
        ...
