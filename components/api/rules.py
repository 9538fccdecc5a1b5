"""Rules about people and posts that hold from one moment to the next: blocks and withdrawals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from components.errors import BadConfigurationError
from components.serving import rule_lists
from components.settings.config import Config

_SETTINGS = ("blocked_authors", "withdrawn_posts")


@dataclass(frozen=True)
class Rules:
    """The lists of a deployment, as they were read together.

    Glossary of shapes:
      P: pairs of user and author.
    """

    withdrawn: frozenset[int]  # posts
    users: np.ndarray  # [P] int64, rising
    authors: np.ndarray  # [P] int64, whom the user is not shown

    @classmethod
    def of(cls, config: Config) -> "Rules":
        """Reads the lists.

        Raises:
          BadConfigurationError: If one cannot be read, or a cell is no id.
        """
        pairs = rule_lists.blocked_authors(config)
        users, authors = (pairs[name].to_numpy() for name in rule_lists.PAIR)
        order = np.argsort(users, kind="stable")
        posts = frozenset(rule_lists.withdrawn_posts(config).tolist())
        return cls(posts, users[order], authors[order])

    def blocked_by(self, user_id: int) -> frozenset[int]:
        """Returns the authors whom a user is not shown."""
        first, last = np.searchsorted(self.users, [user_id, user_id + 1])
        return frozenset(self.authors[first:last].tolist())


def versions(config: Config) -> Mapping[str, tuple[int, ...]]:
    """Returns what tells one version of each list's file from the next, without reading it.

    Raises:
      BadConfigurationError: If a file is not there.
    """
    found = {}
    for name in _SETTINGS:
        path = getattr(config.materialize_feeds, name)
        if path is None:
            continue
        try:
            state = path.stat()
        except OSError as error:
            raise BadConfigurationError(
                f"materialize_feeds.{name}: {path}: it cannot be read: {error}"
            ) from error
        found[name] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return found
