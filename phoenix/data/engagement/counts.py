"""Counts of what was shown and what followed, by post, author, surface and user, as of a day's end.

The counts as of the end of a day are those of the day before, in part faded, plus the day's own.
A window of a day reads those as of the end of the day before, so never its own labels. What arrives
late counts from the day of its arrival on. Of an action that nobody could know on a day, the
impressions of the day count neither as shown for it nor as followed by it.

Glossary of shapes:
  E: impressions, K: keys of one kind, A: actions.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from phoenix.data import sorted_ids
from phoenix.data.hashing import GOLDEN

# The kinds of keys, each after those to whose rates it is backed off.
KINDS = ("all", "author", "post", "surface", "post_surface", "user")
OTHER = 0  # the key of all keys that a table had no place for; no id is 0
_MIN_PRIOR, _MAX_PRIOR = 2.0, 500.0
_MOST_PENDING = 1 << 18  # rows of parts before they are added up


class Ids(NamedTuple):
    """The ids of E impressions, in arrays of one shape."""

    user_ids: np.ndarray  # int64
    post_ids: np.ndarray  # int64
    author_ids: np.ndarray  # int64
    surfaces: np.ndarray  # int

    def keys(self, kind: str) -> np.ndarray:
        """The key of each impression among those of a kind, int64; pairs are hashed."""
        if kind == "all":
            return np.zeros(self.post_ids.shape, np.int64)
        if kind == "post_surface":
            return _hashed(self.post_ids, self.surfaces)
        columns = {"author": self.author_ids, "post": self.post_ids, "user": self.user_ids}
        # Surface 0 is one, and key 0 is none.
        return columns[kind] if kind in columns else self.surfaces.astype(np.int64) + 1


class Outcomes(NamedTuple):
    """What followed E impressions."""

    actions: np.ndarray  # [E] uint64, bit a = action a followed
    unknown: np.ndarray  # [E] uint64, bit a = nobody could know of action a
    weights: np.ndarray  # [E] impressions for which one stands


class Counts(NamedTuple):
    """The counts of K keys of one kind; float64 in sums, float32 where they are kept."""

    keys: np.ndarray  # [K] int64, ascending, distinct
    shown: np.ndarray  # [K, A] impressions of which it is known whether the action followed
    followed: np.ndarray  # [K, A] those that the action followed
    recent_shown: np.ndarray  # [K, A] the same, where older days count less
    recent_followed: np.ndarray  # [K, A]

    @classmethod
    def none(cls, num_actions: int) -> Self:
        """The counts of no keys."""
        return cls(np.empty(0, np.int64), *4 * [np.empty((0, num_actions), np.float32)])

    def faded(self, factor: float) -> "Counts":
        """The counts a day later: the recent ones times `factor`."""
        return self._replace(
            recent_shown=self.recent_shown * np.float32(factor),
            recent_followed=self.recent_followed * np.float32(factor),
        )

    def only(self, keys: np.ndarray) -> "Counts":
        """The counts of those keys that are among `keys`, which are ascending."""
        rows = np.flatnonzero(sorted_ids.find(keys, self.keys).is_there)
        return Counts(*(array[rows] for array in self))

    def limited(self, most: int) -> "Counts":
        """The counts with at most `most` keys and `OTHER`, which takes what is shown least.

        Compared is what was shown of late, then what was ever shown, then the lower key goes on.
        """
        own = self.keys != OTHER
        if np.count_nonzero(own) <= most:
            return self
        ever, recent = (each.max(axis=1) for each in (self.shown, self.recent_shown))
        order = np.lexsort((self.keys, -ever, -recent, ~own))
        keys = self.keys.copy()
        keys[order[most:]] = OTHER
        return _summed(self._replace(keys=keys))

    def with_actions(self, places: Sequence[int | None]) -> "Counts":
        """The counts for another list of actions.

        Args:
          places: Of each action of the new list its place in the old one, or None: what nobody
            knew was never shown for it.
        """
        columns = np.array([0 if place is None else place for place in places], np.int64)
        is_new = np.array([place is None for place in places])
        arrays = (np.where(is_new, np.float32(0), each[:, columns]) for each in self[1:])
        return Counts(self.keys, *arrays)

    def float32(self) -> "Counts":
        """The counts as they are kept."""
        return Counts(self.keys, *(array.astype(np.float32) for array in self[1:]))


def add(parts: Sequence[Counts]) -> Counts:
    """Adds up the counts of one kind in some parts, in any order; at least one part."""
    return _summed(Counts(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True))))


class Tally:
    """The counts of a day, from its impressions block by block."""

    def __init__(self, num_actions: int) -> None:
        """Starts at nothing, for A actions."""
        self._num_actions = num_actions
        self._parts = {kind: [Counts.none(num_actions)] for kind in KINDS}
        self._waiting: list[tuple[Ids, Outcomes]] = []  # impressions that are not counted yet

    def add(self, ids: Ids, outcomes: Outcomes) -> None:
        """Counts E impressions of the day."""
        self._waiting.append((ids, outcomes))
        if sum(len(each.weights) for _, each in self._waiting) > _MOST_PENDING:
            self._count()

    def _count(self) -> None:
        """Counts the impressions that wait: many at a time, which have most of their keys twice."""
        if not self._waiting:
            return
        of_blocks = (zip(*each, strict=True) for each in zip(*self._waiting, strict=True))
        columns = [[np.concatenate(arrays) for arrays in each] for each in of_blocks]
        self._waiting = []
        ids, outcomes = Ids(*columns[0]), Outcomes(*columns[1])
        # Posts are shown many times on a surface, so that one pass over rows serves all four kinds.
        triples = _hashed(_hashed(ids.post_ids, ids.author_ids), ids.surfaces)
        for of_kinds, keys in ((KINDS[:-1], triples), (KINDS[-1:], ids.user_ids)):
            _, first, group = np.unique(keys, return_index=True, return_inverse=True)
            shown = np.bincount(group, outcomes.weights, minlength=len(first))[:, None]
            unknown = self._sums(group, len(first), outcomes.unknown, outcomes.weights)
            followed = self._sums(group, len(first), outcomes.actions, outcomes.weights)
            own = Ids(*(array[first] for array in ids))
            shown = shown - unknown
            for kind in of_kinds:
                self._append(kind, Counts(own.keys(kind), shown, followed, shown, followed))

    def add_late(self, ids: Ids, outcomes: Outcomes, fading: np.ndarray) -> None:
        """Counts actions that became known of impressions of earlier days.

        Args:
          ids: Of E impressions, which were counted as shown on their own days.
          outcomes: The actions that were not known before.
          fading: `[E]` what an impression of its day counts by now.
        """
        if not len(ids.user_ids):
            return
        group = np.arange(len(ids.user_ids))
        followed, recent = (
            self._sums(group, len(group), outcomes.actions, outcomes.weights * each)
            for each in (1.0, fading)
        )
        nothing = np.zeros_like(followed)
        for kind in KINDS:
            counts = Counts(ids.keys(kind), nothing, followed, nothing, recent)
            self._append(kind, counts)

    def counts(self) -> dict[str, Counts]:
        """The counts by kind."""
        self._count()
        return {kind: add(parts) for kind, parts in self._parts.items()}

    def _append(self, kind: str, counts: Counts) -> None:
        parts = [*self._parts[kind], _summed(counts)]
        if sum(len(each.keys) for each in parts) > _MOST_PENDING + len(parts[0].keys):
            parts = [add(parts)]
        self._parts[kind] = parts

    def _sums(
        self, group: np.ndarray, num_groups: int, bits: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """`[G, A]` sums of the weights of those rows of each group that have each bit."""
        sums = np.zeros((num_groups, self._num_actions))
        if not bits.any():
            return sums
        for action in range(self._num_actions):
            rows = np.flatnonzero(bits & np.uint64(1 << action))
            if len(rows):
                sums[:, action] = np.bincount(group[rows], weights[rows], minlength=num_groups)
        return sums


def priors(counts: Counts) -> np.ndarray:
    """Estimates how many impressions at the rate of all a key starts with.

    With keys whose rates vary around p as a beta distribution of total m, the squared deviations
    of their observed rates are larger than chance by a share of 1 / (m + 1) of p (1 - p) for every
    impression beyond the first. By the method of moments (Kleinman 1973, "Proportions with
    Extraneous Variance: Single and Independent Samples").

    Args:
      counts: Of one kind.

    Returns:
      `[A]` m, from 2 to 500.

    >>> shown = np.full((2, 1), 100.0)
    >>> one = Counts(np.array([1, 2]), shown, np.array([[40.0], [60.0]]), shown, shown)
    >>> priors(one).round(1).tolist()
    [32.0]
    """
    n, k = (array.astype(np.float64) for array in (counts.shown, counts.followed))
    rate = k.sum(axis=0) / np.maximum(n.sum(axis=0), 1)
    variance = np.maximum(rate * (1 - rate), 1e-12)
    has_any = n > 0
    deviations = np.where(has_any, (k - n * rate) ** 2 / np.maximum(n, 1e-9), 0).sum(axis=0)
    chance = has_any.sum(axis=0) * variance
    share = (deviations - chance) / np.maximum(np.maximum(n - 1, 0).sum(axis=0) * variance, 1e-12)
    return np.clip(1 / np.clip(share, 1e-9, 1) - 1, _MIN_PRIOR, _MAX_PRIOR)


def _summed(counts: Counts) -> Counts:
    """Counts whose keys may repeat and be in any order, added up by key."""
    order = np.argsort(counts.keys, kind="stable")
    keys = counts.keys[order]
    starts = np.flatnonzero(np.append(True, np.diff(keys) != 0)[: len(keys)])
    if len(starts) == len(keys):
        return Counts(keys, *(array[order] for array in counts[1:]))
    sums = (np.add.reduceat(array[order].astype(np.float64), starts) for array in counts[1:])
    return Counts(keys[starts], *sums)


def _hashed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`[...]` int64 hashes of pairs of ids, never 0; of billions of pairs two are one by chance."""
    with np.errstate(over="ignore"):
        bits = first.astype(np.uint64) * GOLDEN
        bits ^= bits >> np.uint64(32)
        bits = (bits + second.astype(np.uint64) + np.uint64(1)) * np.uint64(0xBF58476D1CE4E5B9)
        bits ^= bits >> np.uint64(29)
        bits *= np.uint64(0x94D049BB133111EB)
        bits ^= bits >> np.uint64(32)
    return np.where(bits == 0, np.uint64(1), bits).view(np.int64)
