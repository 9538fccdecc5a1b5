"""A world in which it is known who likes what, so that learning can be measured against the truth.

Users and posts have latent topics. How likely a user is to do something with a post follows from
the match of their topics, the quality of the post and the activity of the user, and nothing else.
Every day brings new posts and new users, about whom a model knows nothing yet. All of it is a
function of the seed and the day: any day can be made alone, and comes out the same.

Glossary of shapes: L: impressions, N: users, M: posts, A: actions, K: topics.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from phoenix.data.days import DAY_MS, midnight_ms

NUM_TOPICS = 8

# How often an average impression leads to an action.
BASE_RATES: Mapping[str, float] = MappingProxyType(
    {
        "favorite": 0.10,
        "reply": 0.03,
        "repost": 0.04,
        "photo_expand": 0.10,
        "click": 0.25,
        "profile_click": 0.04,
        "vqv": 0.30,
        "share": 0.03,
        "dwell": 0.50,
        "quote": 0.02,
        "follow_author": 0.02,
        # Rare, as in real logs: the published weights count on it.
        "not_interested": 0.003,
        "block_author": 0.001,
        "mute_author": 0.001,
        "report": 0.0005,
    }
)
DEFAULT_BASE_RATE = 0.05
_AVERSE = frozenset({"not_interested", "block_author", "mute_author", "report", "not_dwelled"})
_AFFINITY_SLOPE, _QUALITY_SLOPE, _USER_SLOPE = 2.0, 0.5, 0.4

_TWITTER_EPOCH_MS = 1_288_834_974_657  # ids are numbered like the snowflakes of real logs
_INDEX_BITS = 22
_SURFACE_SHARES = (0.7, 0.2, 0.1)  # home, search, profile
# One stream of random numbers per purpose, so that more users do not change the posts.
_USERS, _AUTHORS, _POSTS, _IMPRESSIONS, _CALIBRATION = range(5)


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


class Impressions(NamedTuple):
    """L impressions in order of time."""

    user_ids: np.ndarray  # int64
    post_ids: np.ndarray  # int64
    author_ids: np.ndarray  # int64
    shown_at: np.ndarray  # int64, ms UTC, within the day
    ingested_at: np.ndarray  # int64, ms UTC, seconds later
    surfaces: np.ndarray  # int32
    actions: np.ndarray  # uint64, bit a = action a
    dwell_seconds: np.ndarray  # float32


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


class World:
    """The world from its first day on."""

    def __init__(self, config: WorldConfig) -> None:
        self.config = config
        rng = self._rng(_AUTHORS, 0)
        self._author_ids = _snowflakes(
            rng.integers(-900, -300, config.num_authors) * DAY_MS + self._midnight(0),
            np.arange(config.num_authors),
        )
        self._author_vectors = _peaked(rng, config.num_authors)
        self._user_days: list[Users] = []
        self._post_days: list[Posts] = []
        self._intercepts = np.zeros(len(config.actions))  # [A]
        self._slopes = np.array([-1.0 if name in _AVERSE else 1.0 for name in config.actions])
        self._calibrate()

    def posts(self, day: datetime.date) -> Posts:
        """Returns all posts that exist by the end of `day`.

        Raises:
          ValueError: If `day` is before the first day.
        """
        number = self._number(day)
        while len(self._post_days) <= number:
            self._post_days.append(self._new_posts(len(self._post_days)))
        parts = self._post_days[: number + 1]
        return Posts(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def users(self, day: datetime.date) -> Users:
        """Returns all users who have joined by the end of `day`.

        Raises:
          ValueError: If `day` is before the first day.
        """
        number = self._number(day)
        while len(self._user_days) <= number:
            self._user_days.append(self._new_users(len(self._user_days)))
        parts = self._user_days[: number + 1]
        return Users(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def impressions(self, day: datetime.date) -> Impressions:
        """Returns the impressions of one UTC day, in order of time.

        Raises:
          ValueError: If `day` is before the first day.
        """
        rng = self._rng(_IMPRESSIONS, self._number(day))
        users, posts = self.users(day), self.posts(day)
        shares = users.activities / users.activities.sum()
        counts = rng.multinomial(self.config.impressions_per_day, shares)
        user_rows = np.repeat(np.arange(len(counts)), counts)  # [L]
        shown_at = self._midnight(self._number(day)) + _times(rng, user_rows)
        post_rows = self._shown(rng, users, posts, user_rows, shown_at)
        chances = self._probabilities(users, posts, user_rows, post_rows)  # [L, A]
        done = rng.random(chances.shape) < chances
        bits = done @ (np.uint64(1) << np.arange(done.shape[1], dtype=np.uint64))
        affinity = _affinity(users, posts, user_rows, post_rows)
        dwell = np.exp(1.0 + 0.6 * affinity + rng.normal(0, 0.7, len(user_rows)))
        order = np.lexsort((posts.post_ids[post_rows], users.user_ids[user_rows], shown_at))
        delays = rng.exponential(4_000, len(user_rows)).astype(np.int64)
        unordered = Impressions(
            user_ids=users.user_ids[user_rows],
            post_ids=posts.post_ids[post_rows],
            author_ids=posts.author_ids[post_rows],
            shown_at=shown_at,
            ingested_at=shown_at + 500 + delays,
            surfaces=rng.choice(3, len(user_rows), p=_SURFACE_SHARES).astype(np.int32),
            actions=bits.astype(np.uint64),
            dwell_seconds=np.minimum(dwell, 600).astype(np.float32),
        )
        return Impressions(*(array[order] for array in unordered))

    def true_probabilities(self, user_ids: np.ndarray, post_ids: np.ndarray) -> np.ndarray:
        """Returns the probabilities from which the actions are drawn.

        Args:
          user_ids: `[n]` ids of this world.
          post_ids: `[n]` ids of this world.

        Returns:
          `[n, A]` float64.
        """
        user_rows = (user_ids & (2**_INDEX_BITS - 1)).astype(np.int64)
        post_rows = (post_ids & (2**_INDEX_BITS - 1)).astype(np.int64)
        new_users, new_posts = self._num_new_users(1), max(self.config.num_posts_per_day, 1)
        number = max(
            0,
            -(-(int(user_rows.max(initial=0)) + 1 - self.config.num_users) // new_users),
            -(-(int(post_rows.max(initial=0)) + 1 - self.config.num_posts) // new_posts),
        )
        day = self.config.first_day + datetime.timedelta(days=number)
        return self._probabilities(self.users(day), self.posts(day), user_rows, post_rows)

    def _rng(self, stream: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, stream, number])

    def _number(self, day: datetime.date) -> int:
        number = (day - self.config.first_day).days
        if number < 0:
            raise ValueError(f"The world begins on {self.config.first_day}, got {day}.")
        return number

    def _midnight(self, number: int) -> int:
        day = self.config.first_day + datetime.timedelta(days=number)
        return midnight_ms(day)

    def _num_new_users(self, number: int) -> int:
        return self.config.num_users if number == 0 else max(self.config.num_users // 100, 1)

    def _new_users(self, number: int) -> Users:
        rng = self._rng(_USERS, number)
        count = self._num_new_users(number)
        first = 0 if number == 0 else self.config.num_users + (number - 1) * count
        age = rng.integers(1, 900 * DAY_MS, count) if number == 0 else rng.integers(1, 1000, count)
        return Users(
            user_ids=_snowflakes(self._midnight(number) - age, first + np.arange(count)),
            vectors=_peaked(rng, count),
            biases=rng.normal(size=count),
            activities=rng.lognormal(0.0, 0.8, count),
        )

    def _new_posts(self, number: int) -> Posts:
        rng = self._rng(_POSTS, number)
        config = self.config
        if number == 0:
            first, count = 0, config.num_posts
            created = self._midnight(0) - rng.integers(1, 14 * DAY_MS, count)
        else:
            count = config.num_posts_per_day
            first = config.num_posts + (number - 1) * count
            created = self._midnight(number) + rng.integers(0, DAY_MS, count)
        created.sort()
        authors = rng.integers(config.num_authors, size=count)
        vectors = _unit(self._author_vectors[authors] + rng.normal(0, 0.15, (count, NUM_TOPICS)))
        return Posts(
            post_ids=_snowflakes(created, first + np.arange(count)),
            author_ids=self._author_ids[authors],
            created_at=created,
            topics=vectors.argmax(axis=1),
            vectors=vectors,
            qualities=rng.normal(size=count),
        )

    def _shown(
        self,
        rng: np.random.Generator,
        users: Users,
        posts: Posts,
        user_rows: np.ndarray,
        shown_at: np.ndarray,
    ) -> np.ndarray:
        """Chooses a post that exists already for each impression: new ones more often than old."""
        order = np.argsort(posts.created_at, kind="stable")
        num_existing = np.searchsorted(posts.created_at[order], shown_at, "left")  # [L]
        # The square root of a uniform number prefers the newest; two draws and, for a third of the
        # impressions, the better match of them: logs come from a recommender that is not blind.
        draws = np.sqrt(rng.random((2, len(user_rows)))) * num_existing
        first, second = order[draws.astype(np.int64)]
        is_second_better = _affinity(users, posts, user_rows, second) > _affinity(
            users, posts, user_rows, first
        )
        return np.where(is_second_better & (rng.random(len(user_rows)) < 1 / 3), second, first)

    def _probabilities(
        self, users: Users, posts: Posts, user_rows: np.ndarray, post_rows: np.ndarray
    ) -> np.ndarray:
        appeal = (
            _AFFINITY_SLOPE * _affinity(users, posts, user_rows, post_rows)
            + _QUALITY_SLOPE * posts.qualities[post_rows]
        )
        logits = self._intercepts + np.outer(appeal, self._slopes)
        logits += _USER_SLOPE * users.biases[user_rows][:, None]
        return 1 / (1 + np.exp(-logits))  # [n, A]

    def _calibrate(self) -> None:
        """Chooses the intercepts with which the first day's average rates are the base rates."""
        rng = self._rng(_CALIBRATION, 0)
        users, posts = self.users(self.config.first_day), self.posts(self.config.first_day)
        shares = users.activities / users.activities.sum()
        user_rows = rng.choice(len(shares), 20_000, p=shares)
        noon = np.full(len(user_rows), self._midnight(0) + DAY_MS // 2)
        post_rows = self._shown(rng, users, posts, user_rows, noon)
        wanted = np.array([BASE_RATES.get(a, DEFAULT_BASE_RATE) for a in self.config.actions])
        low, high = np.full_like(wanted, -20.0), np.full_like(wanted, 20.0)
        for _ in range(40):
            self._intercepts = (low + high) / 2
            rates = self._probabilities(users, posts, user_rows, post_rows).mean(axis=0)
            low = np.where(rates < wanted, self._intercepts, low)
            high = np.where(rates < wanted, high, self._intercepts)


def _snowflakes(created_at: np.ndarray, index: np.ndarray) -> np.ndarray:
    return ((created_at - _TWITTER_EPOCH_MS) << _INDEX_BITS) | index


def _peaked(rng: np.random.Generator, count: int) -> np.ndarray:
    """Returns `[count, K]` interests, most of which are in one or two topics."""
    return _unit(rng.dirichlet(np.full(NUM_TOPICS, 0.2), count) - 1 / NUM_TOPICS)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _affinity(
    users: Users, posts: Posts, user_rows: np.ndarray, post_rows: np.ndarray
) -> np.ndarray:
    """Returns `[n]` matches of topics with a standard deviation of about 1."""
    products = np.einsum("nk,nk->n", users.vectors[user_rows], posts.vectors[post_rows])
    return 2.0 * products


def _times(rng: np.random.Generator, user_rows: np.ndarray) -> np.ndarray:
    """Returns `[L]` ms since midnight: sessions of a few impressions, more of them by day."""
    is_new_user = np.append(True, user_rows[1:] != user_rows[:-1])
    sessions = np.cumsum(is_new_user | (rng.random(len(user_rows)) < 1 / 6)) - 1  # [L]
    starts = np.flatnonzero(np.append(True, np.diff(sessions) > 0))
    begins = rng.beta(2.5, 1.8, len(starts)) * DAY_MS  # a quiet night, a busy evening
    elapsed = np.cumsum(3_000 + rng.exponential(15_000, len(user_rows)))
    elapsed -= elapsed[starts][sessions]
    times = begins[sessions] + elapsed
    return np.minimum(times, DAY_MS - 1).astype(np.int64)
