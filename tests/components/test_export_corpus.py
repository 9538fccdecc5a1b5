"""The corpus of a day holds its posts and the vectors of the model that the gate chose."""

import numpy as np
import pyarrow.parquet as pq

from components import models
from components.contract import ExitCode
from components.corpus import Corpus

LAST = "2026-01-03"


def test_every_post_is_there_and_every_eligible_one_is_embedded_by_the_chosen_model(world) -> None:
    assert world.run("evaluate_models", LAST, force="promote", reason="a test") == ExitCode.DONE
    assert world.run("export_corpus", LAST) == ExitCode.DONE
    corpus = Corpus.read(world.artifact("export_corpus", LAST).folder)
    posts = pq.read_table(world.artifact("validate_events", LAST).path("posts.parquet"))
    assert corpus.post_ids.tolist() == sorted(posts["post_id"].to_pylist())
    folder = world.artifact("train_retrieval", LAST).path("model")
    assert corpus.model_digest == models.folder_digest(folder)
    expected = models.load(folder).encode_posts(corpus.post_ids, corpus.author_ids)
    eligible = corpus.is_eligible
    np.testing.assert_array_equal(corpus.vectors[eligible], expected[eligible])


def test_old_posts_leave_the_corpus(world) -> None:
    world.edit("evaluate_models:", "export_corpus: {max_age_days: 1}\nevaluate_models:")
    assert world.run_day(LAST, ("evaluate_models", "export_corpus")) == [0, 0]
    facts = world.artifact("export_corpus", LAST).facts
    assert 0 < facts["eligible"] < facts["posts"]
