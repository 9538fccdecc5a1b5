"""Sources that start at what a user did: authors engaged with, posts like the last positives."""

import numpy as np

from components.serving import rule_lists
from components.serving.sources.source import Catalogue, Requests
from components.settings.config import Config
from phoenix.data import sorted_ids
from phoenix.data.sorted_ids import Groups
from phoenix.data.windows import Engagement, Windows
from phoenix.search.exact import ExactIndex

_LAST = 3  # positives of which likes are looked for: a mean of more is near to everything


def is_positive(windows: Windows, config: Config) -> np.ndarray:
    """`[N, S]` bool: whether the user engaged with a post of the history and did not report it."""
    names = config.action_names, config.positive_actions, config.negative_actions
    return Engagement.of(*names).is_positive(windows.history_actions)


class Authors:
    """The newest posts of authors with whom the user engaged, and of those whom they follow."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Sorts eligible posts by author, the newest first.

        Raises:
          BadConfigurationError: If the list of who follows whom cannot be read.
        """
        corpus = catalogue.corpus
        self._config = catalogue.config
        rows = np.flatnonzero(corpus.is_eligible & (corpus.author_ids != 0))
        order = np.lexsort((-corpus.created_at[rows], corpus.author_ids[rows]))
        self._rows = rows[order]
        self._authors, self._starts = np.unique(corpus.author_ids[self._rows], return_index=True)
        self._ends = np.append(self._starts[1:], len(self._rows))
        followed = rule_lists.followed_authors(catalogue.config)
        users, authors = (followed[name].to_numpy() for name in rule_lists.PAIR)
        author, is_there = sorted_ids.find(self._authors, authors)
        users, author = users[is_there], author[is_there]
        # Who follows many is shown those who wrote last.
        newest = corpus.created_at[self._rows[self._starts[author]]]
        order = np.argsort(-newest, kind="stable")
        self._followed = Groups.of(users[order], author[order])

    def find(self, requests: Requests, count: int) -> np.ndarray:
        """Returns posts of each author in turn, `count` of each at most before exclusion.

        The last one with whom the user engaged comes first; those whom they follow come last.
        """
        followed = self._followed.members(requests.windows.user_ids)
        parts = zip(self._engaged(requests), followed, strict=True)
        user, author = (np.concatenate(part) for part in parts)
        # Each author once, at the first place.
        _, first = np.unique(user * (len(self._authors) + 1) + author, return_index=True)
        first = np.sort(first)
        user, author = user[first], author[first]
        lengths = np.minimum(self._ends - self._starts, count)[author]
        pair = np.repeat(np.arange(len(user)), lengths)
        offset = sorted_ids.places_within(lengths)
        rows = self._rows[self._starts[author[pair]] + offset]
        # In turn: the newest post of each author, then the second of each.
        order = np.lexsort((pair, offset, user[pair]))
        return requests.first(user[pair][order], rows[order], count)

    def _engaged(self, requests: Requests) -> tuple[np.ndarray, np.ndarray]:
        """Returns requests and places of authors engaged with, the last engagement first."""
        windows = requests.windows
        is_liked = is_positive(windows, self._config) & (windows.history_author_ids != 0)
        user, place = np.nonzero(is_liked)
        author, is_there = sorted_ids.find(self._authors, windows.history_author_ids[user, place])
        user, place, author = user[is_there], place[is_there], author[is_there]
        order = np.lexsort((-place, user))
        return user[order], author[order]


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
