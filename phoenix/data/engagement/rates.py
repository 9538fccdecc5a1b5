"""Rates of actions by post, author, surface and user, smoothed, as log-odds that a model reads.

A key with n impressions, k of them with an action, has the rate (k + m * r) / (n + m): it starts
with m impressions at the rate r of a wider key and leaves it as its own evidence grows (empirical
Bayes). An author is backed off to all, a post to its author, its recent rate to its rate ever, a
surface and a user to all, and a post on a surface to what the two say together, their log-odds
added.

Glossary of shapes:
  A: actions, L: levels, F: numbers of popularity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from phoenix.data import sorted_ids
from phoenix.data.engagement import counts
from phoenix.data.engagement.counts import Counts, Ids

LEVELS = ("all", "author", "post", "recent_post", "surface", "post_surface", "user")
POST_KINDS = ("all", "author", "post")  # of keys, as much as the rate of a post needs


# Logarithms of what is known of a post: the engagements to expect of it, as the most popular
# recommender has them, which are its recent impressions, and 1, times its rate of engagements; its
# impressions of late and ever, and 1; its recent rate; its author's impressions of late, and 1, and
# rate. An engagement is an impression with a positive action.
POPULARITY = (
    "engagement",
    "recent_shown",
    "shown",
    "recent_rate",
    "author_shown",
    "author_rate",
)
_LEAST_RATE = 1e-6  # so that without positive actions there is a logarithm


class Evidence(NamedTuple):
    """What is known of some impressions before they are shown; arrays of one shape `[...]`."""

    log_odds: np.ndarray  # [..., L, A] float32, of the smoothed rates
    log_counts: np.ndarray  # [..., L] float32: log(1 + impressions)


@dataclass(frozen=True, eq=False)
class Rates:
    """The counts as of the end of a day, and how strongly keys are drawn to wider ones."""

    tables: Mapping[str, Counts]  # by kind
    priors: Mapping[str, np.ndarray]  # [A] impressions, by kind

    @classmethod
    def of(cls, tables: Mapping[str, Counts]) -> Self:
        """Takes counts of all kinds, and estimates the priors from them."""
        return cls(tables, {kind: counts.priors(table) for kind, table in tables.items()})

    @classmethod
    def none(cls, num_actions: int) -> Self:
        """The rates where nothing was counted, of A actions."""
        return cls.of({kind: Counts.none(num_actions) for kind in counts.KINDS})

    @property
    def num_actions(self) -> int:
        """A."""
        return self.tables["all"].shown.shape[1]

    def only(self, kinds: Sequence[str]) -> "Rates":
        """The rates by some kinds of keys alone."""
        tables = {kind: self.tables[kind] for kind in kinds}
        return Rates(tables, {kind: self.priors[kind] for kind in kinds})

    def smoothed(self, post_ids: np.ndarray, author_ids: np.ndarray) -> np.ndarray:
        """`[..., A]` the rates of posts, backed off to authors and to all; see `POST_KINDS`."""
        nobody = np.zeros_like(post_ids)
        found = _Found()
        self._add_posts(found, Ids(nobody, post_ids, author_ids, nobody))
        return found.rates["post"]

    def impressions(self, post_ids: np.ndarray, *, are_recent: bool = False) -> np.ndarray:
        """`[...]` float64 how often posts were shown, by the action of which most is known."""
        table = self.tables["post"]
        shown = table.recent_shown if are_recent else table.shown
        return _at(shown, *sorted_ids.find(table.keys, post_ids)).max(axis=-1)

    def evidence(self, ids: Ids) -> Evidence:
        """What the counts say of impressions with some ids.

        Args:
          ids: `[...]` each; an id that was never counted has the rate of the wider key.
        """
        found = _Found()
        self._add_posts(found, ids)
        rates = found.rates
        self._add(found, "recent_post", ids, rates["post"], is_recent=True)
        self._add(found, "surface", ids, rates["all"])
        together = [_log_odds(rates[each]) for each in ("post", "surface", "all")]
        wider = _rates_of(together[0] + together[1] - together[2])
        self._add(found, "post_surface", ids, wider)
        self._add(found, "user", ids, rates["all"])
        odds = [_log_odds(rates[level]) for level in LEVELS]
        sizes = [np.log1p(found.shown[level]) for level in LEVELS]
        return Evidence(
            np.stack(odds, axis=-2).astype(np.float32), np.stack(sizes, axis=-1).astype(np.float32)
        )

    def popularity(
        self, post_ids: np.ndarray, author_ids: np.ndarray, is_positive: np.ndarray
    ) -> np.ndarray:
        """What the counts say of how popular posts are, on any surface.

        Args:
          post_ids: `[...]`.
          author_ids: `[...]`.
          is_positive: `[A]` bool: the actions that speak for a post.

        Returns:
          `[..., F]` float32, see `POPULARITY`.
        """
        found = _Found()
        ids = Ids(np.zeros_like(post_ids), post_ids, author_ids, np.zeros_like(post_ids))
        self._add_posts(found, ids)
        self._add(found, "recent_post", ids, found.rates["post"], is_recent=True)
        self._add(found, "recent_author", ids, found.rates["author"], is_recent=True)
        logarithms = {
            level: np.log(np.maximum(any_of(rates, is_positive), _LEAST_RATE))
            for level, rates in found.rates.items()
        }
        recent_shown = np.log1p(found.shown["recent_post"])
        numbers = (
            recent_shown + logarithms["post"],
            recent_shown,
            np.log1p(found.shown["post"]),
            logarithms["recent_post"],
            np.log1p(found.shown["recent_author"]),
            logarithms["author"],
        )
        return np.stack(numbers, axis=-1).astype(np.float32)

    def _add_posts(self, found: "_Found", ids: Ids) -> None:
        """Adds the levels of `POST_KINDS`."""
        shape = ids.post_ids.shape
        every = self.tables["all"]
        n, k = (_at(each, np.zeros(shape, np.int64), np.ones(shape, bool)) for each in every[1:3])
        found.rates["all"], found.shown["all"] = (np.minimum(k, n) + 1) / (n + 2), n.max(axis=-1)
        self._add(found, "author", ids, found.rates["all"])
        self._add(found, "post", ids, found.rates["author"])

    def _add(
        self, found: "_Found", level: str, ids: Ids, wider: np.ndarray, *, is_recent: bool = False
    ) -> None:
        """Adds a level, backed off to the rates `wider`, `[..., A]`."""
        kind = level.removeprefix("recent_")
        table, prior = self.tables[kind], self.priors[kind]
        own = table[3:] if is_recent else table[1:3]
        place = sorted_ids.find(table.keys, ids.keys(kind))
        shown, followed = (_at(values, *place) for values in own)
        # A late action may be counted of an impression that is not: it was shown before the
        # counts began, or is under `OTHER`. A rate of 1 or more would have no log-odds.
        found.rates[level] = (np.minimum(followed, shown) + prior * wider) / (shown + prior)
        found.shown[level] = shown.max(axis=-1)


class _Found:
    """What is known of some impressions so far, by level."""

    def __init__(self) -> None:
        """Starts at nothing."""
        self.rates: dict[str, np.ndarray] = {}  # [..., A] smoothed
        self.shown: dict[str, np.ndarray] = {}  # [...] impressions


def any_of(rates: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
    """`[...]` the rate of impressions with a positive action, were actions independent.

    Args:
      rates: `[..., A]`.
      is_positive: `[A]` bool.

    >>> any_of(np.array([0.5, 0.2, 0.5]), np.array([True, False, True])).item()
    0.75
    """
    return 1 - np.prod(1 - rates[..., is_positive], axis=-1)


def _at(values: np.ndarray, rows: np.ndarray, is_there: np.ndarray) -> np.ndarray:
    """`[..., A]` float64 rows of a table, zeros where there is none."""
    if not len(values):
        return np.zeros((*rows.shape, values.shape[1]))
    return np.where(is_there[..., None], values[rows], 0).astype(np.float64)


def _log_odds(rates: np.ndarray) -> np.ndarray:
    return np.log(rates) - np.log1p(-rates)


def _rates_of(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))
