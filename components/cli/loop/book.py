"""The world's own book: what impressions were worth, by where they came from.

Engagement is the sum of the weights of the actions that followed. Beside what feeds earned stands
what most popular would have earned in their places: of the same users, by the probabilities from
which the world draws.
"""

import datetime
from dataclasses import dataclass

import numpy as np

from components import contract
from components.cli.loop.world_log import WorldLog
from components.release import models, releases
from components.release.corpus import Corpus
from components.release.decisions import FALLBACK
from components.release.release_files import CORPUS_FOLDER
from components.settings.config import Config
from components.store.artifacts import Ref
from phoenix.data.synthetic import Impressions
from phoenix.data.windows import unpack_actions
from schemas.earnings import ENGAGEMENT


@dataclass(frozen=True)
class Entry:
    """A day in the book. Engagement is per impression."""

    day: datetime.date
    served: int  # impressions from feeds
    feeds: float | None  # engagement of these; None without any
    most_popular: float | None  # expected of the most popular posts in the same places
    elsewhere: float  # engagement of all other impressions
    measured: float | None  # of feeds, by `measure_feeds`; None until the next day is done


def entry(log: WorldLog, config: Config, day: datetime.date) -> Entry:
    """Returns a day in the book.

    Args:
      log: Of the world, which has written the day.
      config: Of the pipeline.
      day: The day.

    Raises:
      BadDataError: If the feeds or the release behind them are damaged.
    """
    shown, weights = log.impressions(day), _weights(config)
    engagement = unpack_actions(shown.actions, len(weights)) @ weights
    is_served = shown.positions > 0
    feeds = log.feeds_before(day)
    has_some = feeds is not None and bool(is_served.any())
    return Entry(
        day=day,
        served=int(is_served.sum()),
        feeds=float(engagement[is_served].mean()) if has_some else None,
        most_popular=_of_most_popular(log, weights, shown, feeds) if feeds and has_some else None,
        elsewhere=float(engagement[~is_served].mean()),
        measured=_measured(log, day),
    )


def _weights(config: Config) -> np.ndarray:
    return np.array([action.score_weight for action in config.actions])


def _of_most_popular(log: WorldLog, weights: np.ndarray, shown: Impressions, feeds: Ref) -> float:
    """The engagement that is expected of the most popular posts, in the places of feeds."""
    digest = log.store.manifest(feeds)["facts"]["release"]
    release = log.store.read(releases.find(log.store, digest))
    popular = models.load_most_popular(release.path(FALLBACK))
    corpus = Corpus.read(release.path(CORPUS_FOLDER))
    worth = popular.encode_posts(corpus.post_ids, corpus.author_ids)[:, 0]
    worth = np.where(corpus.is_eligible, worth, -np.inf)
    best = corpus.post_ids[np.argsort(-worth, kind="stable")]
    is_served = shown.positions > 0
    posts = best[np.minimum(shown.positions[is_served], len(best)) - 1]
    return float((log.world.true_probabilities(shown.user_ids[is_served], posts) @ weights).mean())


def _measured(log: WorldLog, day: datetime.date) -> float | None:
    """What `measure_feeds` of the next day says of the feeds that the day's log names."""
    ref = log.store.head(contract.MEASURE_FEEDS.name, str(day + datetime.timedelta(days=1)))
    found = [] if ref is None else log.store.manifest(ref)["facts"]["releases"]
    parts = [each["measures"][ENGAGEMENT] for each in found]
    total = sum(each["impressions"] for each in parts)
    return sum(each["mean"] * each["impressions"] for each in parts) / total if total else None
