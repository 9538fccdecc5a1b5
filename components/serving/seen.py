"""Posts that users have seen already: pairs of user and post, and those of some requests."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from phoenix.data import sorted_ids


class SeenPairs(NamedTuple):
    """Posts not to be shown, each with the place of its user among some requests."""

    places: np.ndarray  # [Q] int64, rising
    post_ids: np.ndarray  # [Q] int64

    @classmethod
    def none(cls) -> "SeenPairs":
        """Returns the pairs of users who have seen nothing."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))

    def of_block(self, start: int, stop: int) -> "SeenPairs":
        """Returns the pairs of the requests from `start` to `stop`, with places from `start` on.

        >>> SeenPairs(np.array([0, 2, 2, 3]), np.array([70, 71, 72, 73])).of_block(2, 3)
        SeenPairs(places=array([0, 0]), post_ids=array([71, 72]))
        """
        block = slice(*np.searchsorted(self.places, [start, stop]))
        return SeenPairs(self.places[block] - start, self.post_ids[block])


@dataclass(frozen=True)
class SeenPosts:
    """Distinct pairs of user and post, sorted."""

    user_ids: np.ndarray  # [P] int64
    post_ids: np.ndarray  # [P] int64

    @classmethod
    def none(cls) -> "SeenPosts":
        """Returns no pairs."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))

    def of_users(self, user_ids: np.ndarray) -> SeenPairs:
        """Returns the pairs of some users.

        Args:
          user_ids: `[N]` int64, distinct, sorted: one request each.
        """
        places, is_asked = sorted_ids.find(user_ids, self.user_ids)
        return SeenPairs(places[is_asked], self.post_ids[is_asked])
