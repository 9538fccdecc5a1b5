"""The popularity of posts as it was known before each of some days, for training on these days.

Glossary of shapes:
  N: windows, C: candidates, A: actions, F: numbers of popularity.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from phoenix.data.days import DAY_MS
from phoenix.data.engagement.rates import POPULARITY, Rates


@dataclass(frozen=True, eq=False)
class PopularityByDay:
    """The counts before each of some days, of all posts and not of those alone that were shown.

    A post that is drawn to be a negative on a day must have the counts of that day, too: were they
    missing, or newer, they would tell which posts were shown.
    """

    rates: Mapping[int, Rates]  # by the day since 1970: as of the end of the day before
    is_positive: np.ndarray  # [A] bool: the actions that speak for a post

    def at(self, starts_at: np.ndarray, posts: np.ndarray, authors: np.ndarray) -> np.ndarray:
        """Returns what was known of candidates before the days of their windows.

        Args:
          starts_at: `[N]` int64, ms UTC.
          posts: `[N, C]` int64; 0 is padding.
          authors: `[N, C]` int64.

        Returns:
          `[N, C, F]` float32, see `POPULARITY`; of a day that is none of these nothing is known.
        """
        days = starts_at // DAY_MS
        known = np.empty((*posts.shape, len(POPULARITY)), np.float32)
        for day in np.unique(days):
            rows = np.flatnonzero(days == day)
            rates = self.rates.get(int(day))
            if rates is None:
                rates = Rates.none(len(self.is_positive))
            known[rows] = rates.popularity(posts[rows], authors[rows], self.is_positive)
        return known
