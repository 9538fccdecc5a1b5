"""A log of the shape of a public data set, in which the next post follows from taste and the last.

Users have a taste that stays and an interest that follows what they just saw; posts have a place in
the same space and a popularity. Nobody sees a post twice.

Glossary of shapes: U: users, M: posts, K: size of the space, C: posts a user chooses among.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

_SIZE, _CHOICES = 16, 60  # K, C
_TASTE, _INTEREST, _MEMORY = 3.0, 6.0, 0.5


class Shape(NamedTuple):
    """Sizes of a log; lengths are log-normal between the limits."""

    num_users: int
    num_posts: int
    median_length: float
    spread: float  # standard deviation of the logarithm of the length
    limits: tuple[int, int]


MOVIELENS = Shape(6_040, 3_706, 96, 1.0, (20, 2_000))
BEAUTY = Shape(22_363, 12_101, 6, 0.6, (5, 200))


def write(path: Path, shape: Shape, *, seed: int) -> None:
    """Writes one line per user, `user post post ...`; equal arguments give equal bytes."""
    rng = np.random.default_rng(seed)
    popularity = rng.permutation(np.arange(1, shape.num_posts + 1) ** -0.8)
    edges = np.cumsum(popularity / popularity.sum())
    places = _unit(rng.normal(size=(shape.num_posts, _SIZE)))
    taste = _unit(rng.normal(size=(shape.num_users, _SIZE)))
    lengths = np.exp(rng.normal(np.log(shape.median_length), shape.spread, shape.num_users))
    lengths = np.clip(lengths, *shape.limits).astype(int)
    interest = taste.copy()
    seen = np.zeros((shape.num_users, shape.num_posts), bool)
    posts = np.zeros((shape.num_users, lengths.max()), np.int64)
    for step in range(lengths.max()):
        users = np.flatnonzero(lengths > step)
        choices = np.searchsorted(edges, rng.random((len(users), _CHOICES)))
        choices = choices.clip(max=shape.num_posts - 1)
        direction = _TASTE * taste[users] + _INTEREST * interest[users]
        appeal = np.einsum("uck,uk->uc", places[choices], direction)
        appeal += rng.gumbel(size=appeal.shape)
        appeal[seen[users[:, None], choices]] = -np.inf
        best = np.take_along_axis(choices, appeal.argmax(axis=1)[:, None], axis=1)[:, 0]
        seen[users, best] = True
        posts[users, step] = best + 1
        interest[users] = _MEMORY * interest[users] + (1 - _MEMORY) * places[best]
    with path.open("w", encoding="ascii") as file:
        for user, (row, length) in enumerate(zip(posts, lengths, strict=True), start=1):
            file.write(f"{user} {' '.join(map(str, row[:length]))}\n")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
