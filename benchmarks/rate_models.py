"""Plain models of what happened before a day: smoothed rates, and a regression on their log-odds.

In NumPy and apart from the product, which must beat them. A rate of a key with n impressions, k of
them with an action, is (k + m * r) / (n + m), with r the rate of a wider key: of an author for a
post, of a post for it on a surface, of a user for it on a surface, else that of all.

Glossary of shapes:
  E: impressions, A: actions, K: kinds of keys, F: features.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

_PRIOR, _PRIOR_OF_USERS = 20.0, 5.0  # m: impressions at the rate of the wider key
_HOUR_MS = 3_600_000
_RIDGE, _ITERATIONS = 1.0, 25
_MANY_SURFACES = 1 << 20


class Impressions(NamedTuple):
    """E impressions, in any order."""

    user_ids: np.ndarray  # int64
    post_ids: np.ndarray  # int64
    author_ids: np.ndarray  # int64
    surfaces: np.ndarray  # int
    shown_at: np.ndarray  # int64, ms
    done: np.ndarray  # [E, A] 0 or 1


class Rates(NamedTuple):
    """What is known of E impressions from those of earlier days."""

    odds: dict[str, np.ndarray]  # by kind of key, [E, A]: log-odds of the smoothed rates
    shown: dict[str, np.ndarray]  # by kind of key, [E]

    @property
    def four(self) -> np.ndarray:
        """`[E, 4, A]` log-odds of post, author, surface and user."""
        return np.stack([self.odds[kind] for kind in ("post", "author", "surface", "user")], axis=1)

    def tree_features(self, action: int, others: Sequence[int], log: Impressions) -> np.ndarray:
        """`[E, F]` the log-odds of an action and of some others, counts, surface and hour."""
        columns = [odds[:, action] for odds in self.odds.values()]
        columns += [self.odds[kind][:, a] for kind in ("post", "user") for a in others]
        columns += [np.log1p(each) for each in self.shown.values()]
        columns += [log.surfaces, log.shown_at // _HOUR_MS % 24]
        return np.stack(columns, axis=1).astype(np.float32)


def join(parts: Sequence[Impressions]) -> Impressions:
    """Returns the impressions of all parts, in order."""
    return Impressions(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def rates(past: Impressions, log: Impressions) -> Rates:
    """Counts `past` by the keys of `log`.

    Args:
      past: Of the days before those of `log`; at least one.
      log: E impressions; what followed them is not read.
    """
    overall = (past.done.sum(axis=0) + 1) / (len(past.done) + 2)
    rate: dict[str, np.ndarray] = {}
    shown: dict[str, np.ndarray] = {}

    def add(kind: str, key: Callable[[Impressions], np.ndarray], prior: float, wider: str) -> None:
        keys, inverse = np.unique(key(past), return_inverse=True)
        wanted = key(log)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        is_there = keys[place] == wanted
        counts = np.bincount(inverse)[place] * is_there
        sums = [np.bincount(inverse, column)[place] * is_there for column in past.done.T]
        shown[kind] = counts.astype(np.float64)
        behind = rate[wider] if wider else overall
        rate[kind] = (np.stack(sums, axis=1) + prior * behind) / (counts + prior)[:, None]

    add("author", lambda each: each.author_ids, _PRIOR, "")
    add("post", lambda each: each.post_ids, _PRIOR, "author")
    add("surface", lambda each: each.surfaces, _PRIOR, "")
    add("user", lambda each: each.user_ids, _PRIOR_OF_USERS, "")
    add("post_surface", _on_surface("post_ids"), _PRIOR, "post")
    add("user_surface", _on_surface("user_ids"), _PRIOR_OF_USERS, "user")
    return Rates({kind: np.log(each / (1 - each)) for kind, each in rate.items()}, shown)


def rates_of_posts(past: Impressions, log: Impressions) -> np.ndarray:
    """`[E, A]` rates of posts, smoothed towards that of all: popularity without authors."""
    overall = (past.done.sum(axis=0) + 1) / (len(past.done) + 2)
    keys, inverse = np.unique(past.post_ids, return_inverse=True)
    place = np.minimum(np.searchsorted(keys, log.post_ids), len(keys) - 1)
    is_there = keys[place] == log.post_ids
    shown = np.bincount(inverse)[place] * is_there
    sums = [np.bincount(inverse, column)[place] * is_there for column in past.done.T]
    return (np.stack(sums, axis=1) + _PRIOR * overall) / (shown + _PRIOR)[:, None]


def _on_surface(ids: str) -> Callable[[Impressions], np.ndarray]:
    return lambda log: getattr(log, ids) * _MANY_SURFACES + log.surfaces


def regression(features: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fits a logistic regression with a small ridge, by Newton's method.

    Args:
      features: `[E, F]`.
      labels: `[E]` 0 or 1.

    Returns:
      A function from `[N, F]` features to `[N]` probabilities.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9

    def design(each: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(each), 1)), (each - mean) / deviation], axis=1)

    def predict(each: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-design(each) @ weights))

    x = design(features)
    weights = np.zeros(x.shape[1])
    ridge = np.diag(np.append(0, np.full(x.shape[1] - 1, _RIDGE)))
    for _ in range(_ITERATIONS):
        p = predict(features)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + ridge
        weights = weights + np.linalg.solve(curvature, x.T @ (labels - p) - ridge @ weights)
    return predict
