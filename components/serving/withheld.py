"""Posts that some users may not be shown, by rule: pairs of user and post, and posts for nobody.

Pairs are left out of every search and taken out of every kept feed; a post for nobody is not
eligible.

Glossary of shapes:
  P: pairs of user and author.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from components.release.corpus import Corpus
from components.serving import rule_lists
from components.serving.audience import SeenFiles
from components.serving.seen import SeenPosts
from components.settings.config import Config
from components.store.artifacts import Artifact
from components.tables import bucket_files
from phoenix.data import sorted_ids
from phoenix.data.sorted_ids import Groups

SEEN, BLOCKED, OWN = "seen", "blocked", "own"  # rules about pairs


@dataclass(frozen=True)
class Withheld:
    """The rules about pairs of user and post."""

    corpus: Corpus
    seen_files: SeenFiles
    blocked: tuple[np.ndarray, np.ndarray]  # [P] int64 users and [P] int64 authors
    authors_are_users: bool

    @classmethod
    def of(cls, corpus: Corpus, shown: Sequence[Artifact], config: Config) -> "Withheld":
        """Reads the rules of a deployment.

        Args:
          corpus: Of the release.
          shown: Partitions of validate_events of which no post is shown again.
          config: Names the lists.

        Raises:
          BadConfigurationError: If a list cannot be read.
        """
        listed = rule_lists.blocked_authors(config)
        users, authors = (listed[name].to_numpy() for name in rule_lists.PAIR)
        own = config.materialize_feeds.authors_are_users
        return cls(corpus, SeenFiles(shown), (users, authors), own)

    def by_rule(self, slots: range) -> dict[str, SeenPosts]:
        """Returns the pairs of users in some slots; of eligible posts alone but those seen."""
        return {
            SEEN: self.seen_files.of_slots(slots),
            BLOCKED: self._blocked(slots),
            OWN: self._own(slots),
        }

    def of_slots(self, slots: range) -> SeenPosts:
        """Returns the pairs of all rules, each once."""
        return together(self.by_rule(slots))

    def _blocked(self, slots: range) -> SeenPosts:
        users, authors = self.blocked
        is_in = _lies_in(users, slots)
        users, authors = users[is_in], authors[is_in]
        rows = np.flatnonzero(self.corpus.is_eligible)
        by_author = Groups.of(self.corpus.author_ids[rows], self.corpus.post_ids[rows])
        pairs, posts = by_author.members(authors)
        return _distinct(users[pairs], posts)

    def _own(self, slots: range) -> SeenPosts:
        if not self.authors_are_users:
            return SeenPosts.none()
        authors = self.corpus.author_ids
        is_in = self.corpus.is_eligible & (authors != 0) & _lies_in(authors, slots)
        return _distinct(authors[is_in], self.corpus.post_ids[is_in])


def together(by_rule: Mapping[str, SeenPosts]) -> SeenPosts:
    """Returns the pairs of several rules, each once."""
    users = np.concatenate([each.user_ids for each in by_rule.values()])
    return _distinct(users, np.concatenate([each.post_ids for each in by_rule.values()]))


def without_withdrawn(corpus: Corpus, config: Config) -> Corpus:
    """Returns a corpus in which withdrawn posts are not eligible.

    Raises:
      BadConfigurationError: If the list of them cannot be read.
    """
    is_withdrawn = np.isin(corpus.post_ids, rule_lists.withdrawn_posts(config))
    return replace(corpus, is_eligible=corpus.is_eligible & ~is_withdrawn)


def _lies_in(user_ids: np.ndarray, slots: range) -> np.ndarray:
    own = bucket_files.slots_of(user_ids)
    return (own >= slots.start) & (own < slots.stop)


def _distinct(users: np.ndarray, posts: np.ndarray) -> SeenPosts:
    return SeenPosts(*sorted_ids.distinct_pairs(users, posts))
