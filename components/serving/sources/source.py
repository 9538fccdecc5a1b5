"""The interface of a source of candidates, and what it may look at.

Glossary of shapes:
  N: requests, M: posts of the corpus, D: size of a vector, P and Q: pairs.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from components.release.corpus import Corpus
from components.settings.config import Config
from phoenix.data import sorted_ids
from phoenix.data.windows import Windows
from phoenix.recommend.baselines import MostPopular


class Catalogue(NamedTuple):
    """The posts of a release, and what is known of them all."""

    corpus: Corpus  # M posts
    popular: MostPopular
    config: Config


@dataclass(frozen=True)
class Requests:
    """Users who ask for a feed at one moment."""

    windows: Windows  # N; candidates are not read
    queries: np.ndarray  # [N, D] float32, of the retrieval model; zero: nothing is known
    excluded: tuple[np.ndarray, np.ndarray]  # [Q] requests and [Q] rows that they may not be shown

    def without(self, rows: np.ndarray) -> "Requests":
        """Returns the requests without some rows of the corpus too, `[N, any]`, -1 for none."""
        places, columns = np.nonzero(rows >= 0)
        both = zip(self.excluded, (places, rows[places, columns]), strict=True)
        requests, posts = (np.concatenate(each) for each in both)
        return replace(self, excluded=(requests, posts))

    def first(self, requests: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
        """Returns the first rows of each request that it may be shown.

        Args:
          requests: `[P]` int64 places among the requests, ascending.
          rows: `[P]` int64 rows of the corpus, best first within a request.
          count: Rows per request at most.

        Returns:
          `[N, count]` int64, -1 where there are no more.
        """
        is_excluded = sorted_ids.find_keys([requests, rows], self.excluded).is_there
        requests, rows = requests[~is_excluded], rows[~is_excluded]
        place = sorted_ids.places_within(np.bincount(requests, minlength=len(self.queries)))
        table = np.full((len(self.queries), count), -1, np.int64)
        is_in = place < count
        table[requests[is_in], place[is_in]] = rows[is_in]
        return table


class Source(Protocol):
    """A source of candidates, made once for a release."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Looks at the posts."""
        ...

    def find(self, requests: Requests, count: int) -> np.ndarray:
        """Returns rows of the corpus for each request, best first.

        Args:
          requests: N requests.
          count: Rows per request that count; more are cut off.

        Returns:
          `[N, any]` int64 rows, -1 where there are no more. Rows that are excluded, not eligible or
          there twice are left out by the caller, but take a place.
        """
        ...
