"""One release answers, also for users of whom it knows nothing and with a broken head."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import BadDataError
from components.features import shapes, windows_files
from components.serving.seen import SeenPairs
from components.serving.server import Server
from components.training import model_configs
from phoenix.data.windows import Windows
from phoenix.inputs.model_inputs import model_inputs
from phoenix.recommend.recommender import PostInputs
from tests.components.numbered import numbered

LAST = "2026-01-03"
NOTHING = SeenPairs.none()


class Silent:
    """A retriever that knows nothing of the first user."""

    name = "silent"

    def encode_users(self, windows: Windows) -> np.ndarray:
        vectors = np.ones((len(windows.user_ids), 1), np.float32)
        vectors[0] = 0
        return vectors

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        raise AssertionError("the corpus is embedded already")


class Broken:
    """A ranker whose first head gives no numbers."""

    name = "broken"

    def __init__(self, actions: tuple[str, ...]) -> None:
        self.actions = actions

    def predict(self, windows: Windows) -> np.ndarray:
        values = np.full((*windows.candidate_post_ids.shape, len(self.actions)), 0.5, np.float32)
        values[..., 0] = np.nan
        return values


@pytest.fixture
def server(three_days) -> Server:
    release = three_days.artifact("publish_release", LAST)
    return Server.open(release.folder, three_days.config)


@pytest.fixture
def requests(three_days) -> Windows:
    path = three_days.artifact("build_features", LAST).folder
    windows = windows_files.read_windows(path, spec=shapes.hash_spec(three_days.config.hashing))
    _, first = np.unique(windows.user_ids, return_index=True)
    return windows.rows(first[:3])


def test_a_user_of_whom_nothing_is_known_gets_the_most_popular(server, requests) -> None:
    corpus = server.corpus
    spread = np.arange(len(corpus.post_ids), dtype=np.float32)[:, None]
    unknowing = replace(server, retriever=Silent(), corpus=replace(corpus, vectors=spread))
    candidates = unknowing.retrieve(requests, NOTHING, count=5)
    assert candidates.is_unscored.tolist() == [True, False, False]
    popularity = server.fallback.encode_posts(corpus.post_ids, corpus.author_ids)[:, 0]
    popularity[~corpus.is_eligible] = -1
    best = np.argsort(-popularity, kind="stable")[:5]
    assert candidates.post_ids[0].tolist() == corpus.post_ids[best].tolist()
    assert np.isnan(candidates.retrieval_scores[0]).all()
    assert candidates.post_ids[1, 0] == corpus.post_ids[corpus.is_eligible][-1]


def test_a_broken_head_counts_as_zero_and_is_counted(server, requests) -> None:
    broken = replace(server, ranker=Broken(server.config.action_names))
    candidates = broken.retrieve(requests, NOTHING, count=4)
    ranked = broken.rank(requests, candidates)
    assert ranked.num_not_finite.tolist() == [12, 0, 0, 0]
    assert np.isfinite(ranked.base_scores).all()
    feeds = broken.cut(requests, candidates, ranked)
    assert (feeds.post_ids[:, 0] != 0).all()


def test_a_user_who_saw_everything_gets_an_empty_feed(server, requests) -> None:
    posts = server.corpus.post_ids
    (feeds,) = server.serve(requests, SeenPairs(np.zeros(len(posts), np.int64), posts))
    assert (feeds.post_ids[0] == 0).all()
    assert (feeds.post_ids[1:, 0] != 0).all()


def test_feeds_do_not_depend_on_who_asks_at_the_same_time(server, requests) -> None:
    (together,) = server.serve(requests, NOTHING)
    (alone,) = server.serve(requests.rows(slice(1, 2)), NOTHING)
    np.testing.assert_array_equal(alone.post_ids[0], together.post_ids[1])
    np.testing.assert_allclose(alone.scores[0], together.scores[1], rtol=1e-5)


def test_a_release_of_other_actions_is_refused(world) -> None:
    world.edit("{name: click}", "{name: vqv}")
    with pytest.raises(BadDataError, match="the release has `actions`"):
        Server.open(world.artifact("publish_release", LAST).folder, world.config)


def test_a_candidate_is_as_old_as_it_is_at_the_time_of_the_feed(
    three_days, server, requests
) -> None:
    asked = []

    class Recording:
        name = "recording"

        def predict(self, windows: Windows) -> np.ndarray:
            asked.append(windows)
            return server.ranker.predict(windows)

    recording = replace(server, ranker=Recording())
    candidates = recording.retrieve(requests, NOTHING, count=200)
    recording.rank(requests, candidates)
    posts = pq.read_table(three_days.artifact("validate_events", LAST).path("posts.parquet"))
    created_at = posts["created_at"].cast(pa.int64()).to_pylist()
    written = dict(zip(posts["post_id"].to_pylist(), created_at, strict=True))
    expected = [[written.get(post, 0) for post in row] for row in candidates.post_ids.tolist()]
    assert asked[0].candidate_created_at.tolist() == expected
    assert len({post for row in expected for post in row}) > 10
    config = model_configs.ranker(numbered(three_days.config))
    ages = model_inputs(asked[0], server.config.action_names, config)
    assert ages.candidate_post_age_minutes is not None
    minutes = (requests.starts_at[:, None] - np.array(expected)) / 60_000
    np.testing.assert_allclose(
        ages.candidate_post_age_minutes, np.where(candidates.post_ids, minutes, np.nan), rtol=1e-6
    )
