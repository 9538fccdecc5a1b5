"""The posts of a day from which negatives are drawn: at each moment those that existed by then.

Glossary of shapes:
  M: posts of the day, W: numbers of the attributes of a post.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phoenix.data import sorted_ids
from phoenix.data.engagement.rates import Rates

# The attributes `[n, W]` of posts `[n]` int64 as they are known for impressions at times `[n]` ms.
ValuesOfPosts = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False, kw_only=True)
class KnownPosts:
    """The posts that are known by the end of a day, with all that a window says of candidates."""

    post_ids: np.ndarray  # [M] int64, in order of `created_at`
    author_ids: np.ndarray  # [M] int64
    created_at: np.ndarray  # [M] int64 ms, ascending; 0 = unknown, and then known at any moment
    weights: np.ndarray  # [M] float64 above 0: a post is drawn in proportion to it
    rates: Rates | None = None  # as of the begin of the day; None where no model reads evidence
    values_of: ValuesOfPosts | None = None  # None where posts have no attributes

    @classmethod
    def of(
        cls,
        post_ids: np.ndarray,
        author_ids: np.ndarray,
        created_at: np.ndarray,
        *,
        rates: Rates | None = None,
        values_of: ValuesOfPosts | None = None,
        power: float = 0.0,
    ) -> "KnownPosts":
        """Takes posts in any order.

        Args:
          post_ids: `[M]` int64, distinct.
          author_ids: `[M]` int64.
          created_at: `[M]` int64 ms, 0 = unknown.
          rates: As of the begin of the day; needed where `power` is not 0.
          values_of: Returns attributes of posts.
          power: A post is drawn by (1 + its impressions before the day) ** power: 0 is uniform.
        """
        order = np.lexsort((post_ids, created_at))
        weights = np.ones(len(order))
        if power and rates is not None:
            weights = (1.0 + rates.impressions(post_ids[order])) ** power
        return cls(
            post_ids=post_ids[order],
            author_ids=author_ids[order],
            created_at=created_at[order],
            weights=weights,
            rates=rates,
            values_of=values_of,
        )

    def draw(self, shares: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Draws posts that existed before some moments.

        Args:
          shares: `[...]` uniform in [0, 1).
          times: `[...]` int64 ms.

        Returns:
          `[...]` int64 places among the posts, -1 where none existed.

        >>> ids = np.array([7, 8, 9])
        >>> posts = KnownPosts.of(ids, ids, np.array([100, 300, 200]))
        >>> posts.post_ids[posts.draw(np.array([0.0, 0.9, 0.9]), np.array([250, 250, 999]))]
        array([7, 9, 8])
        """
        num_known = np.searchsorted(self.created_at, times, "left")
        at = np.searchsorted(self._totals, shares * self._totals[num_known], "right") - 1
        # A share just below 1 may round up to the total.
        return np.minimum(at, num_known - 1)

    def places(self, post_ids: np.ndarray) -> np.ndarray:
        """`[...]` int64 places of ids `[...]` among the posts, -1 for one that is not known.

        >>> posts = KnownPosts.of(np.array([7, 9]), np.array([1, 1]), np.array([300, 100]))
        >>> posts.places(np.array([9, 8, 7]))
        array([ 0, -1,  1])
        """
        order = self._by_id
        rows, is_there = sorted_ids.find(self.post_ids[order], post_ids)
        return np.where(is_there, order[rows], -1) if len(order) else np.full(post_ids.shape, -1)

    @cached_property
    def _by_id(self) -> np.ndarray:
        """`[M]` int64 places in order of ids."""
        return np.argsort(self.post_ids)

    @cached_property
    def _totals(self) -> np.ndarray:
        """`[M + 1]` float64 sums of the weights of the first posts."""
        return np.append(0.0, np.cumsum(self.weights))


PostsByDay = Mapping[int, KnownPosts]  # by the number of the day, see `phoenix.data.days`
