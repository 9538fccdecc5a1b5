"""How feeds differ: from each other, from those of the day before, and from what users know.

Sources: Gini index of places over posts as in Gini's mean difference; novelty as the mean
self-information of what is recommended (Zhou et al., PNAS 107:10, 2010).

Glossary of shapes:
  R: places, A: authors.
"""

import datetime
from typing import Any, NamedTuple

import numpy as np

from components.release.corpus import Corpus
from components.serving.seen import SeenPosts
from phoenix.data import sorted_ids
from phoenix.data.days import DAY_MS, midnight_ms

_HOUR_MS = 3_600_000


class Places(NamedTuple):
    """Places of some feeds."""

    users: np.ndarray  # [R] int64
    posts: np.ndarray  # [R] int64
    authors: np.ndarray  # [R] int64
    is_ranked: np.ndarray  # [R] bool: of feeds made on the day from the user's history


class Variety:
    """The variety of the feeds of a day, which adds up over parts of its users."""

    def __init__(self, corpus: Corpus, day: datetime.date) -> None:
        """Begins without feeds.

        Args:
          corpus: Of the release.
          day: Of the feeds, whose end is their moment.
        """
        self._corpus, self._starts_at = corpus, midnight_ms(day)
        self._new_authors = _authors_since(corpus, self._starts_at)
        self._posts = self._authors = self._shown = _Occurrences.none()
        self._num_shown_users = 0
        self._num_places = self._num_of_day = self._num_of_new_authors = 0
        self._num_repeatable = self._num_repeated = self._num_author_pairs = 0
        # Of all places, 4 bytes each: quantiles do not add up.
        self._ages = [np.empty(0, np.float32)]

    def add(self, places: Places, shown: SeenPosts, earlier: SeenPosts) -> None:
        """Looks at the feeds of some users.

        Args:
          places: Of their feeds.
          shown: What these and maybe other users of the same part were shown in the last days.
          earlier: What stood in the feeds of the same users before.
        """
        rows = self._corpus.rows_of(places.posts)
        created_at = np.append(self._corpus.created_at, 0)[rows]
        ages = self._starts_at + DAY_MS - created_at[created_at > 0]
        self._ages.append((ages / _HOUR_MS).astype(np.float32))
        self._num_places += len(places.posts)
        self._num_of_day += int(
            ((created_at >= self._starts_at) & (created_at < self._starts_at + DAY_MS)).sum()
        )
        self._num_of_new_authors += int(np.isin(places.authors, self._new_authors).sum())
        self._num_author_pairs += len(sorted_ids.distinct_pairs(places.users, places.authors)[0])
        self._posts = self._posts.with_ids(places.posts)
        self._authors = self._authors.with_ids(places.authors)
        self._shown = self._shown.with_ids(shown.post_ids)
        self._num_shown_users += len(sorted_ids.distinct(shown.user_ids))
        is_repeatable = places.is_ranked & np.isin(places.users, earlier.user_ids)
        pairs = [places.users[is_repeatable], places.posts[is_repeatable]]
        table = [earlier.user_ids, earlier.post_ids]
        self._num_repeatable += len(pairs[0])
        self._num_repeated += int(sorted_ids.find_keys(pairs, table).is_there.sum())

    def report(self, num_users: int) -> dict[str, Any]:
        """Returns the measures; None where nothing can be said.

        Args:
          num_users: For whom feeds were to be made.
        """
        largest = int(self._posts.counts.max(initial=0))
        ages = np.concatenate(self._ages)
        quantiles = np.quantile(ages, [0, 0.25, 0.5, 0.75, 1]) if len(ages) else None
        return {
            "unique_posts": len(self._posts.ids),
            "unique_authors": len(self._authors.ids),
            "author_repetition": 1 - self._share(self._num_author_pairs, empty=1.0),
            "largest_post_share": largest / num_users if self._num_places else 0.0,
            "gini": self._gini(),
            "new_share": self._share(self._num_of_day),
            "new_author_share": self._share(self._num_of_new_authors),
            "repeated_share": (
                self._num_repeated / self._num_repeatable if self._num_repeatable else None
            ),
            "novelty_bits": self._novelty(),
            "age_hours": None if quantiles is None else quantiles.tolist(),
        }

    def _share(self, count: int, empty: float = 0.0) -> float:
        return count / self._num_places if self._num_places else empty

    def _gini(self) -> float | None:
        """0: every eligible post has as many places; near 1: one has all."""
        num_posts = max(int(self._corpus.is_eligible.sum()), len(self._posts.ids))
        if not self._num_places:
            return None
        counts = np.sort(self._posts.counts)
        ranks = np.arange(num_posts - len(counts), num_posts) + 1  # those without a place are below
        weighted = float((ranks * counts).sum())
        return 2 * weighted / (num_posts * counts.sum()) - (num_posts + 1) / num_posts

    def _novelty(self) -> float | None:
        """Bits of information in a place: 1 where half of the users have seen the post."""
        if not self._num_shown_users or not self._num_places:
            return None
        place, is_there = sorted_ids.find(self._shown.ids, self._posts.ids)
        num_shown = np.where(is_there, np.append(self._shown.counts, 0)[place], 0)
        # As if one user more had seen every post: nothing is infinitely new.
        bits = -np.log2((num_shown + 1) / (self._num_shown_users + 1))
        return float((bits * self._posts.counts).sum() / self._num_places)


class _Occurrences(NamedTuple):
    """Distinct ids, and how often each is there."""

    ids: np.ndarray  # [n] int64, sorted
    counts: np.ndarray  # [n] int64

    @classmethod
    def none(cls) -> "_Occurrences":
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))

    def with_ids(self, more: np.ndarray) -> "_Occurrences":
        """Returns what it is with more ids, `[m]` int64."""
        ids, counts = np.unique(more, return_counts=True)
        distinct, places = np.unique(np.concatenate((self.ids, ids)), return_inverse=True)
        weights = np.concatenate((self.counts, counts))
        return _Occurrences(distinct, np.bincount(places, weights).astype(np.int64))


def _authors_since(corpus: Corpus, moment: int) -> np.ndarray:
    """`[A]` int64: authors of whom no post in the corpus is older than a moment, ms UTC."""
    authors = np.unique(corpus.author_ids[corpus.created_at >= moment])
    return np.setdiff1d(authors, [0, *corpus.author_ids[corpus.created_at < moment]])
