"""A world in which it is known who likes what, so that learning can be measured against the truth.

Users and posts have latent topics. How likely a user is to do something with a post follows from
the match of their topics, the quality of the post and the activity of the user, and nothing else.
Every day brings new posts and new users, about whom a model knows nothing yet. All of it is a
function of the seed and the day: any day can be made alone, and comes out the same.

Glossary of shapes: L: impressions, N: users, M: posts, A: actions, K: topics.
"""

import datetime
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from phoenix.data.days import DAY_MS
from phoenix.data.population import (
    CALIBRATION,
    IMPRESSIONS,
    SERVED,
    Population,
    Posts,
    Users,
    WorldConfig,
    rows_of_ids,
)

# The share of impressions that lead to an action, on average.
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

_SURFACE_SHARES = (0.7, 0.2, 0.1)  # home, search, profile


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
    positions: np.ndarray  # int32: the place in a feed that was shown, from 1; 0: in none


class Served(NamedTuple):
    """Feeds of N users, of which a part of their impressions is."""

    user_ids: np.ndarray  # [N] int64, ascending
    post_ids: np.ndarray  # [N, P] int64, best first; 0: none
    share: float  # of the impressions of these users


class World:
    """The world from its first day on."""

    def __init__(self, config: WorldConfig) -> None:
        """Makes the population, and the rates of actions on the first day their base rates."""
        self.config = config
        self.population = Population(config)
        self._intercepts = np.zeros(len(config.actions))  # [A]
        self._slopes = np.array([-1.0 if name in _AVERSE else 1.0 for name in config.actions])
        self._calibrate()

    def impressions(self, day: datetime.date, served: Served | None = None) -> Impressions:
        """Returns the impressions of one UTC day, in order of time.

        Who sees how much and when does not depend on feeds: of a user who has one, a share of the
        impressions shows its posts, from the first place on, as long as there are any.

        Args:
          day: The day.
          served: Feeds of posts that exist by then; None shows no post of a feed.

        Raises:
          ValueError: If `day` is before the first day.
        """
        number = self.population.number_of(day)
        rng = self.population.random_numbers(IMPRESSIONS, number)
        users, posts = self.population.users(day), self.population.posts(day)
        shares = users.activities / users.activities.sum()
        counts = rng.multinomial(self.config.impressions_per_day, shares)
        user_rows = np.repeat(np.arange(len(counts)), counts)  # [L]
        shown_at = self.population.midnight(number) + _times_of_day(rng, user_rows)
        post_rows = self._choose_posts(rng, users, posts, user_rows, shown_at)
        positions = np.zeros(len(user_rows), np.int32)
        if served is not None:
            # Of numbers of their own, so that feeds change nothing in what they do not show.
            draws = self.population.random_numbers(SERVED, number).random(len(user_rows))
            viewers = users.user_ids[user_rows]
            posts_of_feeds, positions = _from_feeds(served, viewers, shown_at, draws)
            post_rows = np.where(positions > 0, rows_of_ids(posts_of_feeds), post_rows)
        chances = self._probabilities(users, posts, user_rows, post_rows)  # [L, A]
        is_done = rng.random(chances.shape) < chances
        bits = is_done @ (np.uint64(1) << np.arange(chances.shape[1], dtype=np.uint64))
        affinity = _affinity(users, posts, user_rows, post_rows)
        # Lognormal as in real logs, and longer where the topics match.
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
            positions=positions,
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
        user_rows, post_rows = rows_of_ids(user_ids), rows_of_ids(post_ids)
        day = self.population.first_day_with(user_rows, post_rows)
        users, posts = self.population.users(day), self.population.posts(day)
        return self._probabilities(users, posts, user_rows, post_rows)

    def _choose_posts(
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
        # The bias of a user has no sign per action: who likes readily also reports readily.
        logits = self._intercepts + np.outer(appeal, self._slopes)
        logits += _USER_SLOPE * users.biases[user_rows][:, None]
        return 1 / (1 + np.exp(-logits))  # [n, A]

    def _calibrate(self) -> None:
        """Chooses the intercepts with which the first day's average rates are the base rates."""
        rng = self.population.random_numbers(CALIBRATION, 0)
        first_day = self.config.first_day
        users, posts = self.population.users(first_day), self.population.posts(first_day)
        shares = users.activities / users.activities.sum()
        user_rows = rng.choice(len(shares), 20_000, p=shares)
        noon = np.full(len(user_rows), self.population.midnight(0) + DAY_MS // 2)
        post_rows = self._choose_posts(rng, users, posts, user_rows, noon)
        targets = np.array([BASE_RATES.get(a, DEFAULT_BASE_RATE) for a in self.config.actions])
        # A rate grows with its own intercept and depends on no other: all are bisected at once.
        low, high = np.full_like(targets, -20.0), np.full_like(targets, 20.0)
        for _ in range(40):
            self._intercepts = (low + high) / 2
            rates = self._probabilities(users, posts, user_rows, post_rows).mean(axis=0)
            low = np.where(rates < targets, self._intercepts, low)
            high = np.where(rates < targets, high, self._intercepts)


def _affinity(
    users: Users, posts: Posts, user_rows: np.ndarray, post_rows: np.ndarray
) -> np.ndarray:
    """Returns `[n]` matches of topics with a standard deviation of about 1."""
    products = np.einsum("nk,nk->n", users.vectors[user_rows], posts.vectors[post_rows])
    return 2.0 * products


def _from_feeds(
    served: Served, user_ids: np.ndarray, shown_at: np.ndarray, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Chooses the impressions that feeds fill, and goes down the feed of each user in their order.

    Args:
      served: The feeds.
      user_ids: `[L]` int64.
      shown_at: `[L]` int64, ms.
      draws: `[L]` uniform: below the share, an impression is one of a feed.

    Returns:
      `[L]` int64 posts and `[L]` int32 places from 1 on; 0 both where a feed has nothing more.
    """
    is_of_feed = (draws < served.share) & np.isin(user_ids, served.user_ids)
    rows = np.flatnonzero(is_of_feed)
    rows = rows[np.lexsort((shown_at[rows], user_ids[rows]))]
    viewers = user_ids[rows]
    _, first = np.unique(viewers, return_index=True)
    starts = np.repeat(first, np.diff(np.append(first, len(viewers))))
    places = np.arange(len(rows)) - starts  # from 0 on, of each user
    has_more = places < served.post_ids.shape[1]
    rows, places = rows[has_more], places[has_more]
    posts, positions = np.zeros(len(user_ids), np.int64), np.zeros(len(user_ids), np.int32)
    posts[rows] = served.post_ids[np.searchsorted(served.user_ids, user_ids[rows]), places]
    positions[rows] = places + 1
    return posts, np.where(posts > 0, positions, 0)


def _times_of_day(rng: np.random.Generator, user_rows: np.ndarray) -> np.ndarray:
    """Returns `[L]` ms since midnight: sessions of a few impressions, more of them by day."""
    is_new_user = np.append(True, user_rows[1:] != user_rows[:-1])
    sessions = np.cumsum(is_new_user | (rng.random(len(user_rows)) < 1 / 6)) - 1  # [L]
    starts = np.flatnonzero(np.append(True, np.diff(sessions) > 0))
    begins = rng.beta(2.5, 1.8, len(starts)) * DAY_MS  # a quiet night, a busy evening
    elapsed = np.cumsum(3_000 + rng.exponential(15_000, len(user_rows)))
    elapsed -= elapsed[starts][sessions]
    times = begins[sessions] + elapsed
    return np.minimum(times, DAY_MS - 1).astype(np.int64)
