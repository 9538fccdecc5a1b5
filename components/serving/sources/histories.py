"""Sources that start at a user's history: authors engaged with, posts like the last positives."""

import numpy as np

from components.serving.sources.source import Catalogue, Requests
from components.settings.config import Config
from phoenix.data import sorted_ids
from phoenix.data.windows import Engagement, Windows
from phoenix.search.exact import ExactIndex

_LAST = 3  # positives of which likes are looked for: a mean of more is near to everything


def is_positive(windows: Windows, config: Config) -> np.ndarray:
    """`[N, S]` bool: whether the user engaged with a post of the history and did not report it."""
    names = config.action_names, config.positive_actions, config.negative_actions
    return Engagement.of(*names).is_positive(windows.history_actions)


class Authors:
    """The newest posts of authors with whom the user engaged, the last one's first."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Sorts eligible posts by author, the newest first."""
        corpus = catalogue.corpus
        self._config = catalogue.config
        rows = np.flatnonzero(corpus.is_eligible & (corpus.author_ids != 0))
        order = np.lexsort((-corpus.created_at[rows], corpus.author_ids[rows]))
        self._rows = rows[order]
        self._authors, self._starts = np.unique(corpus.author_ids[self._rows], return_index=True)
        self._ends = np.append(self._starts[1:], len(self._rows))

    def find(self, requests: Requests, count: int) -> np.ndarray:
        """Returns posts of each author in turn, `count` of each at most before exclusion."""
        windows = requests.windows
        is_liked = is_positive(windows, self._config) & (windows.history_author_ids != 0)
        user, place = np.nonzero(is_liked)
        author, is_there = sorted_ids.find(self._authors, windows.history_author_ids[user, place])
        user, place, author = user[is_there], place[is_there], author[is_there]
        order = np.lexsort((-place, user))  # the last engagement first
        user, author = user[order], author[order]
        # Each author once, at the last engagement.
        _, first = np.unique(user * (len(self._authors) + 1) + author, return_index=True)
        first = np.sort(first)
        user, author = user[first], author[first]
        lengths = np.minimum(self._ends - self._starts, count)[author]
        pair = np.repeat(np.arange(len(user)), lengths)
        offset = sorted_ids.places_within(lengths)
        rows = self._rows[self._starts[author[pair]] + offset]
        # In turn: the newest post of each author, then the second of each.
        order = np.lexsort((pair, offset, user[pair]))
        return _allowed(requests, user[pair][order], rows[order], count)


class Similar:
    """Posts like the last ones that the user engaged with, by the vectors of retrieval."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Makes all vectors as long as each other: what is like a post need not be popular."""
        corpus = catalogue.corpus
        self._corpus, self._config = corpus, catalogue.config
        norms = np.linalg.norm(corpus.vectors, axis=1, keepdims=True)
        self._vectors = corpus.vectors / np.where(norms > 0, norms, 1)
        self._index = ExactIndex(self._vectors, corpus.is_eligible)

    def find(self, requests: Requests, count: int) -> np.ndarray:
        """Returns posts near the mean of the last positives; none for a user without any."""
        windows = requests.windows
        liked = np.where(is_positive(windows, self._config), windows.history_post_ids, 0)
        rows = self._corpus.rows_of(liked)
        is_there = (rows >= 0) & (liked != 0)
        from_last = np.cumsum(is_there[:, ::-1], axis=1)[:, ::-1]
        is_there &= from_last <= _LAST
        vectors = np.where(is_there[..., None], self._vectors[np.maximum(rows, 0)], 0)
        queries = vectors.sum(axis=1).astype(np.float32)
        # The number of most popular is no content: everything would be like everything.
        if self._vectors.shape[1] < 2:
            return np.full((len(queries), count), -1, np.int64)
        found = self._index.search(queries, count, excluded=requests.excluded).rows
        return np.where((queries != 0).any(axis=1)[:, None], found, -1)


def _allowed(requests: Requests, user: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """`[N, count]` rows of pairs in order of users and preference, less those that are excluded."""
    is_excluded = sorted_ids.find_keys([user, rows], requests.excluded).is_there
    user, rows = user[~is_excluded], rows[~is_excluded]
    start = np.searchsorted(user, user)
    place = np.arange(len(user)) - start
    table = np.full((len(requests.queries), count), -1, np.int64)
    is_in = place < count
    table[user[is_in], place[is_in]] = rows[is_in]
    return table
