"""The users and posts of a synthetic world: who is there on a day, and what they are about.

Authors have topics, posts have those of their author with a little noise, users have theirs. Every
day brings new posts and new users. Each purpose and each day draw from random numbers of their own,
so a day is the same whichever days were made before it.

Glossary of shapes: N: users, M: posts, K: topics.
"""

import datetime
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from phoenix.data.days import DAY_MS, midnight_ms

NUM_TOPICS = 8

_TWITTER_EPOCH_MS = 1_288_834_974_657  # ids are numbered like the snowflakes of real logs
_INDEX_BITS = 22
# One stream of random numbers per purpose, so that more users do not change the posts.
_USERS, _AUTHORS, _POSTS, IMPRESSIONS, CALIBRATION, SERVED = range(6)


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """Sizes of the world."""

    first_day: datetime.date
    actions: tuple[str, ...]  # A, in the order of their bits
    num_users: int  # on the first day; a hundredth of it joins every day after
    num_authors: int
    num_posts: int  # on the first day
    num_posts_per_day: int  # new ones, every day
    impressions_per_day: int
    seed: int


class Posts(NamedTuple):
    """M posts in order of their creation within each day."""

    post_ids: np.ndarray  # int64
    author_ids: np.ndarray  # int64
    created_at: np.ndarray  # int64, ms UTC
    topics: np.ndarray  # [M] int64, the strongest one
    vectors: np.ndarray  # [M, K], of length 1
    qualities: np.ndarray  # [M], standard normal


class Users(NamedTuple):
    """N users."""

    user_ids: np.ndarray  # int64
    vectors: np.ndarray  # [N, K], of length 1
    biases: np.ndarray  # [N], standard normal: how readily they act
    activities: np.ndarray  # [N], > 0: how much they see


class Population:
    """The users and posts of a world from its first day on."""

    def __init__(self, config: WorldConfig) -> None:
        """Makes the authors, who are the same on all days."""
        self.config = config
        rng = self.random_numbers(_AUTHORS, 0)
        self._author_ids = _snowflakes(
            rng.integers(-900, -300, config.num_authors) * DAY_MS + self.midnight(0),
            np.arange(config.num_authors),
        )
        self._author_vectors = peaked_vectors(rng, config.num_authors)
        # Days are made in order and kept: a world of weeks asks for the same days many times.
        self._user_days: list[Users] = []
        self._post_days: list[Posts] = []

    def posts(self, day: datetime.date) -> Posts:
        """Returns all posts that exist by the end of `day`.

        Raises:
          ValueError: If `day` is before the first day.
        """
        number = self.number_of(day)
        while len(self._post_days) <= number:
            self._post_days.append(self._new_posts(len(self._post_days)))
        parts = self._post_days[: number + 1]
        return Posts(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def users(self, day: datetime.date) -> Users:
        """Returns all users who have joined by the end of `day`.

        Raises:
          ValueError: If `day` is before the first day.
        """
        number = self.number_of(day)
        while len(self._user_days) <= number:
            self._user_days.append(self._new_users(len(self._user_days)))
        parts = self._user_days[: number + 1]
        return Users(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def first_day_with(self, user_rows: np.ndarray, post_rows: np.ndarray) -> datetime.date:
        """Returns the first day by whose end all rows of users and of posts exist."""
        new_users, new_posts = self._num_new_users(1), max(self.config.num_posts_per_day, 1)
        number = max(
            0,
            -(-(int(user_rows.max(initial=0)) + 1 - self.config.num_users) // new_users),
            -(-(int(post_rows.max(initial=0)) + 1 - self.config.num_posts) // new_posts),
        )
        return self.config.first_day + datetime.timedelta(days=number)

    def random_numbers(self, stream: int, number: int) -> np.random.Generator:
        """Returns the random numbers of one purpose on the day with a number."""
        return np.random.default_rng([self.config.seed, stream, number])

    def number_of(self, day: datetime.date) -> int:
        """Returns the number of a day, 0 for the first one.

        Raises:
          ValueError: If `day` is before the first day.
        """
        number = (day - self.config.first_day).days
        if number < 0:
            raise ValueError(f"The world begins on {self.config.first_day}, got {day}.")
        return number

    def midnight(self, number: int) -> int:
        """Returns the first millisecond of the day with a number, UTC."""
        return midnight_ms(self.config.first_day + datetime.timedelta(days=number))

    def _num_new_users(self, number: int) -> int:
        return self.config.num_users if number == 0 else max(self.config.num_users // 100, 1)

    def _new_users(self, number: int) -> Users:
        rng = self.random_numbers(_USERS, number)
        count = self._num_new_users(number)
        first = 0 if number == 0 else self.config.num_users + (number - 1) * count
        # Those of the first day have been around for years, later ones joined the moment before.
        age = rng.integers(1, 900 * DAY_MS, count) if number == 0 else rng.integers(1, 1000, count)
        return Users(
            user_ids=_snowflakes(self.midnight(number) - age, first + np.arange(count)),
            vectors=peaked_vectors(rng, count),
            biases=rng.normal(size=count),
            activities=rng.lognormal(0.0, 0.8, count),
        )

    def _new_posts(self, number: int) -> Posts:
        rng = self.random_numbers(_POSTS, number)
        config = self.config
        if number == 0:
            first, count = 0, config.num_posts
            created = self.midnight(0) - rng.integers(1, 14 * DAY_MS, count)
        else:
            count = config.num_posts_per_day
            first = config.num_posts + (number - 1) * count
            created = self.midnight(number) + rng.integers(0, DAY_MS, count)
        created.sort()  # An id holds a row, and rows follow the time of creation within a day.
        authors = rng.integers(config.num_authors, size=count)
        noise = rng.normal(0, 0.15, (count, NUM_TOPICS))
        vectors = _unit_vectors(self._author_vectors[authors] + noise)
        return Posts(
            post_ids=_snowflakes(created, first + np.arange(count)),
            author_ids=self._author_ids[authors],
            created_at=created,
            topics=vectors.argmax(axis=1),
            vectors=vectors,
            qualities=rng.normal(size=count),
        )


def rows_of_ids(ids: np.ndarray) -> np.ndarray:
    """Returns the rows of users or posts, in the order of their making, that their ids carry.

    >>> rows_of_ids(np.array([(1_000 << 22) + 7, 0]))
    array([7, 0])
    """
    # The low bits, see `_snowflakes`: so the truth about an id is found without a table of ids.
    return (ids & (2**_INDEX_BITS - 1)).astype(np.int64)


def _snowflakes(created_at: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Returns `[n]` ids that hold the moment of creation and, in the low bits, a row."""
    return ((created_at - _TWITTER_EPOCH_MS) << _INDEX_BITS) | index


def peaked_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    """Returns `[count, K]` interests, most of which are in one or two topics."""
    # Less the mean of the shares, so that two users or posts match or clash by chance alike.
    return _unit_vectors(rng.dirichlet(np.full(NUM_TOPICS, 0.2), count) - 1 / NUM_TOPICS)


def _unit_vectors(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
