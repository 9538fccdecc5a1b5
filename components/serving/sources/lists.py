"""Sources that know lists of posts: what is popular, what is new, and what a deployment lists."""

import numpy as np

from components.serving import rule_lists
from components.serving.sources.source import Catalogue, Requests
from phoenix.data.sorted_ids import Groups
from phoenix.search.exact import ExactIndex

_HOUR_MS = 3_600_000


class Popular:
    """The most popular posts, by smoothed counts."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Counts once."""
        corpus = catalogue.corpus
        values = catalogue.popular.encode_posts(corpus.post_ids, corpus.author_ids)
        self._index = ExactIndex(values, corpus.is_eligible)

    def find(self, requests: Requests, count: int) -> np.ndarray:
        """Returns the same order for all, less what is excluded."""
        return _searched(self._index, requests, count)


class Fresh:
    """Posts of the last hours: those near the user's interests first, else the newest first.

    The vectors are those of retrieval, made of the content of a post where the model reads some.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        """Looks at no post yet: which are new depends on the moment."""
        self._corpus = catalogue.corpus
        self._hours = catalogue.config.materialize_feeds.fresh_hours
        self._indices: tuple[int, ExactIndex, ExactIndex] | None = None

    def find(self, requests: Requests, count: int) -> np.ndarray:
        """Returns new posts, in the user's own order where there is one."""
        queries, starts_at = requests.queries, requests.windows.starts_at
        is_unknown = ~(np.isfinite(queries).all(axis=1) & (queries != 0).any(axis=1))
        found = np.full((len(queries), min(count, len(self._corpus.post_ids))), -1, np.int64)
        for moment in np.unique(starts_at).tolist():  # of the feeds of a day it is one
            _, near, newest = self._indices_at(moment)
            rows = near.search(queries, count, excluded=requests.excluded).rows
            if is_unknown.any():
                rows = np.where(is_unknown[:, None], _searched(newest, requests, count), rows)
            found = np.where((starts_at == moment)[:, None], rows, found)
        return found

    def _indices_at(self, moment: int) -> tuple[int, ExactIndex, ExactIndex]:
        """Returns a moment, ms UTC, and the posts that are new at it, by vector and by time."""
        if self._indices is None or moment != self._indices[0]:
            corpus, oldest = self._corpus, moment - round(self._hours * _HOUR_MS)
            is_new = corpus.is_eligible & (corpus.created_at >= oldest) & (corpus.created_at > 0)
            # Seconds since the oldest: float32 tells those of a year apart by two.
            age = ((corpus.created_at - oldest) / 1000).clip(0).astype(np.float32)[:, None]
            self._indices = moment, ExactIndex(corpus.vectors, is_new), ExactIndex(age, is_new)
        return self._indices


class Listed:
    """The posts that a file lists: those for the user alone first, then those for everybody."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Reads the file.

        Raises:
          BadConfigurationError: If it cannot be read.
        """
        corpus = catalogue.corpus
        listed = rule_lists.listed_posts(catalogue.config)
        users, rows = listed["user_id"].to_numpy(), corpus.rows_of(listed["post_id"].to_numpy())
        users, rows = users[rows >= 0], rows[rows >= 0]
        self._own = Groups.of(users[users != 0], rows[users != 0])
        common, first = np.unique(rows[users == 0], return_index=True)
        is_common, place = np.zeros(len(corpus.post_ids), bool), np.zeros((len(corpus.post_ids), 1))
        is_common[common] = corpus.is_eligible[common]
        place[common, 0] = first
        self._index = ExactIndex(-place.astype(np.float32), is_common)

    def find(self, requests: Requests, count: int) -> np.ndarray:
        """Returns the first posts of both lists."""
        own = requests.first(*self._own.members(requests.windows.user_ids), count)
        rows = np.concatenate([own, _searched(self._index, requests.without(own), count)], axis=1)
        return np.take_along_axis(rows, np.argsort(rows < 0, axis=1, kind="stable"), axis=1)


def _searched(index: ExactIndex, requests: Requests, count: int) -> np.ndarray:
    """Returns the best rows of an index of one number per post."""
    ones = np.ones((len(requests.queries), 1), np.float32)
    return index.search(ones, count, excluded=requests.excluded).rows
