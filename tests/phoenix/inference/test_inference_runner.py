"""The common part of the inference runners: dummy inputs that fit, and no use before its time."""

import pytest

from phoenix.inference.input_shapes import check_inputs
from phoenix.runners import ModelRunner, RecsysInferenceRunner
from tests.phoenix.model_inputs import ATTRIBUTES, example, ranker

OPTIONS = ranker(has_post_age=True, has_dwell=True, attributes=ATTRIBUTES)


@pytest.mark.parametrize("config", [ranker(), OPTIONS], ids=["default", "options"])
def test_dummy_inputs_have_the_shapes_of_the_configuration(config) -> None:
    runner = RecsysInferenceRunner(ModelRunner(config), "test")
    batch, embeddings = runner.create_dummy_batch(3), runner.create_dummy_embeddings(3)
    check_inputs(config, batch, embeddings, "context", "posts", "candidates")
    assert batch.history_post_hashes.shape[:2] == (3, config.history_seq_len)
    assert batch.candidate_post_hashes.shape[:2] == (3, config.candidate_seq_len)


def test_a_runner_says_that_it_was_not_initialized() -> None:
    runner = RecsysInferenceRunner(ModelRunner(OPTIONS), "new")
    with pytest.raises(RuntimeError, match="new: `initialize` must be called first"):
        runner.rank(*example(OPTIONS))
