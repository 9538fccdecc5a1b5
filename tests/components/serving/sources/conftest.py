"""A small corpus, and users who ask for feeds at one moment."""

from dataclasses import dataclass

import numpy as np
import pytest

from components.release.corpus import Corpus
from components.serving.sources.source import Catalogue, Requests
from components.settings.config import Config
from phoenix.data.engagement.rates import Rates
from phoenix.recommend.baselines import MostPopular
from tests.phoenix.recommend import test_baselines as windows

HOUR = 3_600_000
SETTINGS = {
    "store": "store",
    "first_day": "2026-01-01",
    "ingest_events": {"source": {"layout": "synthetic"}},
    "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}, {"name": "report"}],
}
MOMENT = 1_000 * HOUR


@dataclass
class Small:
    """Posts 1 to 8 of authors 1, 1, 1, 2, 2, 3, 0, 3; the last is held back, even rows are new."""

    catalogue: Catalogue

    def requests(self, liked: list[list[int]], excluded: tuple[list[int], list[int]] = ([], [])):
        """Users with histories of posts with a positive action; 0 is padding."""
        posts = np.array(liked, np.int64).reshape(len(liked), -1)
        corpus = self.catalogue.corpus
        plain = windows.windows([*range(1, len(liked) + 1)], [[1]] * len(liked))
        asked = plain._replace(
            starts_at=np.full(len(liked), MOMENT),
            history_post_ids=posts,
            history_author_ids=np.where(posts > 0, corpus.author_ids[posts - 1], 0),
            history_actions=np.where(posts > 0, 1, 0).astype(np.uint64),
        )
        queries = np.zeros((len(liked), 2), np.float32)
        queries[:, 0] = [bool(any(each)) for each in liked]
        pairs = tuple(np.array(each, np.int64) for each in excluded)
        return Requests(asked, queries, (pairs[0], pairs[1]))


@pytest.fixture(scope="session")
def small() -> Small:
    """The corpus."""
    count, config = 8, Config.model_validate(SETTINGS)
    ages = np.array([1, 100, 2, 100, 3, 100, 4, 1]) * HOUR
    angle = np.linspace(0, np.pi / 2, count)
    corpus = Corpus(
        "a",
        np.arange(1, count + 1),
        np.array([1, 1, 1, 2, 2, 3, 0, 3]),
        np.arange(count) != count - 1,
        MOMENT - ages,
        np.zeros((count, 0), np.float32),
        np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32),
    )
    actions = config.action_names
    popular = MostPopular(actions, actions[:1], Rates.none(len(actions)))
    return Small(Catalogue(corpus, popular, config))


def with_settings(config: Config, **settings: object) -> Config:
    """A configuration with other settings of feeds."""
    section = config.materialize_feeds.model_copy(update=settings)
    return config.model_copy(update={"materialize_feeds": section})
