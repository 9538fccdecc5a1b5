"""The corpus of a day holds its posts and the vectors of the model that the gate chose."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from components import export_corpus
from components.contract import ExitCode
from components.features import day_counts
from components.release import models
from components.release.corpus import Corpus
from phoenix.data.hashing import HashSpec
from phoenix.recommend.recommender import PostInputs

LAST = "2026-01-03"


def test_every_post_is_there_and_every_eligible_one_is_embedded_by_the_chosen_model(world) -> None:
    assert world.run("evaluate_models", LAST, force="promote", reason="a test") == ExitCode.DONE
    assert world.run("export_corpus", LAST) == ExitCode.DONE
    corpus = Corpus.read(world.artifact("export_corpus", LAST).folder)
    posts = pq.read_table(world.artifact("validate_events", LAST).path("posts.parquet"))
    assert corpus.post_ids.tolist() == sorted(posts["post_id"].to_pylist())
    folder = world.artifact("train_retrieval", LAST).path("model")
    assert corpus.model_digest == models.folder_digest(folder)
    ids, counted = (corpus.post_ids, corpus.author_ids), world.artifact("build_features", LAST)
    rates = day_counts.rates_after(counted.folder, counted.manifest, world.config)
    known = PostInputs(rates.popularity(*ids, day_counts.positive_actions(world.config)))
    expected = models.load(folder).encode_posts(*ids, known)
    eligible = corpus.is_eligible
    np.testing.assert_array_equal(corpus.vectors[eligible], expected[eligible])


def test_ids_that_the_tables_confuse_are_counted_and_warned_about(
    world, caplog: pytest.LogCaptureFixture
) -> None:
    world.run_day(LAST, ("evaluate_models", "export_corpus"))
    artifact = world.artifact("export_corpus", LAST)
    num_posts = len(Corpus.read(artifact.folder).post_ids)
    posts = artifact.facts["collisions"]["post"]
    assert posts["num_ids"] == num_posts
    assert posts["num_keys"] == num_posts  # 20,000 rows, two hashes
    assert "share all their rows" not in caplog.text

    spec = HashSpec.documented(user_rows=9, post_rows=9, author_rows=9, num_hashes=1)
    ids = np.arange(1, 21)
    assert export_corpus.collisions(spec, ids, ids)["post"]["num_keys"] <= 8
    assert "of 20 posts share all their rows with another: enlarge hashing.post_rows" in caplog.text


def test_old_posts_leave_the_corpus(world) -> None:
    world.edit("evaluate_models:", "export_corpus: {max_age_days: 1}\nevaluate_models:")
    assert world.run_day(LAST, ("evaluate_models", "export_corpus")) == [0, 0]
    facts = world.artifact("export_corpus", LAST).facts
    assert 0 < facts["eligible"] < facts["posts"]
