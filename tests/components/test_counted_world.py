"""Models that read counts go from training to feeds, and explain them."""

import dataclasses
import datetime
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from components import contract
from components.contract import ExitCode
from components.evaluation.retrieval_contest import RetrievalContest
from components.features import day_counts, shapes, windows_files
from components.features.post_facts import PostFacts
from components.release import eligible_posts, models
from components.release.corpus import Corpus
from components.run.context import Context
from components.serving import retrace
from phoenix.recommend import named_actions
from phoenix.recommend.recommender import PostInputs
from tests.components.conftest import CHAIN, DAYS, new_world


def test_feeds_are_ranked_by_what_was_counted_through_the_end_of_their_day(tmp_path) -> None:
    world = new_world(tmp_path).edit("reads_post_age: true}", "reads_counts: true}")
    done = (ExitCode.DONE, ExitCode.NOTHING_TO_DO)
    assert all(code in done for code in world.run_day(DAYS[0]))
    for name in CHAIN[: CHAIN.index("evaluate_models")]:
        assert world.run(name, DAYS[1]) in done
    assert world.run("evaluate_models", DAYS[1], force="promote", reason="a test") in done
    rest = CHAIN[CHAIN.index("evaluate_models") + 1 :]
    assert all(code in done for code in world.run_day(DAYS[1], rest))
    release = world.artifact("publish_release", DAYS[1])
    assert named_actions.reads_evidence(models.load_ranker(release.path("ranker")))
    features = world.artifact("build_features", DAYS[1])
    rates = day_counts.rates_after(features.folder, features.manifest, world.config)
    assert rates.tables["all"].shown.max() == sum(
        world.artifact("build_features", day).facts["impressions"] for day in DAYS[:2]
    )
    assert_is_retraced(world)


def assert_is_retraced(world) -> None:
    """A place in a feed has the number that the release gives it again."""
    feeds = world.artifact("publish_feeds", DAYS[1]).path("feeds.parquet")
    row = pq.read_table(feeds).to_pylist()[0]
    told = retrace.retrace(
        world.store,
        world.config,
        release_digest=world.artifact("publish_release", DAYS[1]).ref.digest,
        user_id=row["user_id"],
        post_id=row["post_id"],
    )
    assert told.score_place == row["rank"]
    # One user is scored in a smaller batch than many, which may round the last bit otherwise.
    assert told.score == pytest.approx(row["score"], rel=1e-6)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two days whose retrieval reads counts, as by default, and ages of posts, and is promoted."""
    world = new_world(tmp_path_factory.mktemp("counted")).edit(
        "key_size: 8}\n  min", "key_size: 8, reads_post_age: true}\n  min"
    )
    done = (ExitCode.DONE, ExitCode.NOTHING_TO_DO)
    assert all(code in done for code in world.run_day(DAYS[0]))
    for name in CHAIN[: CHAIN.index("evaluate_models")]:
        assert world.run(name, DAYS[1]) in done
    assert world.run("evaluate_models", DAYS[1], force="promote", reason="a test") in done
    rest = CHAIN[CHAIN.index("evaluate_models") + 1 :]
    assert all(code in done for code in world.run_day(DAYS[1], rest))
    return world


def test_posts_are_retrieved_by_what_was_counted_through_the_end_of_the_day(world) -> None:
    training, counted = (
        world.artifact(name, DAYS[1]) for name in ("train_retrieval", "build_features")
    )
    model = models.load(training.path("model"))
    corpus = Corpus.read(world.artifact("export_corpus", DAYS[1]).folder)
    rates = day_counts.rates_after(counted.folder, counted.manifest, world.config)
    positive = np.array([action.is_positive for action in world.config.actions])
    ids = corpus.post_ids, corpus.author_ids
    ages = minutes_until("2026-01-03", corpus.created_at)
    known = PostInputs(rates.popularity(*ids, positive), age_minutes=ages)
    expected = model.encode_posts(*ids, known)
    eligible = corpus.is_eligible
    np.testing.assert_array_equal(corpus.vectors[eligible], expected[eligible])
    assert_is_retraced(world)


def minutes_until(day: str, created_at: np.ndarray) -> np.ndarray:
    """How old posts are when a day begins; 0 of those that are written on it."""
    start = datetime.datetime.fromisoformat(f"{day}T00:00+00:00").timestamp() * 1000
    return np.maximum((start - created_at) / 60_000, 0).astype(np.float32)


def test_models_are_compared_by_what_was_known_of_all_posts_before_the_day(world) -> None:
    context = Context(
        contract.EVALUATE_MODELS, world.config, datetime.date.fromisoformat(DAYS[1]), world.store
    )
    posts = world.artifact("validate_events", DAYS[1]).path("posts.parquet")
    collection = eligible_posts.collection_of(posts, world.config, context.day)
    created_at = PostFacts.read(posts).created_at(collection.post_ids)
    assert (created_at > 0).all()
    before = world.artifact("build_features", DAYS[0])
    rates = day_counts.rates_after(before.folder, before.manifest, world.config)
    positive = day_counts.positive_actions(world.config)
    known = rates.popularity(collection.post_ids, collection.author_ids, positive)
    windows = windows_files.read_windows(
        world.artifact("build_features", DAYS[1]).folder,
        spec=shapes.hash_spec(world.config.hashing),
    )
    contest = RetrievalContest(
        world.config,
        windows,
        dataclasses.replace(
            collection, inputs=PostInputs(known, age_minutes=minutes_until(DAYS[1], created_at))
        ),
    )
    model = models.load(world.artifact("train_retrieval", DAYS[1]).path("model"))
    metrics = json.loads(
        world.artifact("evaluate_models", DAYS[1]).path("metrics.json").read_text()
    )
    assert metrics["retrieval"]["candidate"] == contest.judge(model).report
