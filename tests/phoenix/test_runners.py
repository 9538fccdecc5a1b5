"""The ranking runner: safe rankings in few compilations."""

import dataclasses
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.recsys_model import PhoenixModelConfig
from phoenix.runners import ModelRunner, RecsysInferenceRunner
from tests.phoenix.golden_case import GoldenCase
from tests.phoenix.model_inputs import ATTRIBUTES, example, ranker, trunk

OPTIONS = ranker(has_post_age=True, has_dwell=True, attributes=ATTRIBUTES)


@pytest.fixture(scope="module")
def ranking_runner() -> RecsysInferenceRunner:
    runner = RecsysInferenceRunner(ModelRunner(OPTIONS), "test")
    runner.initialize()
    return runner


def test_a_public_ranker_orders_by_favourite_and_keeps_bfloat16(golden: GoldenCase) -> None:
    sizes = golden.sizes
    config = PhoenixModelConfig.public(golden.trunk(), sizes["D"], sizes["A"])
    runner = RecsysInferenceRunner(ModelRunner(config), "test")
    runner.initialize()
    runner.params = golden.params("rank.param|")
    output = runner.rank(golden.batch, golden.embeddings)
    assert output.scores.dtype == jnp.bfloat16
    favourite = np.asarray(output.p_favorite_score, np.float32)
    expected = np.argsort(-favourite[1], kind="stable")
    np.testing.assert_array_equal(output.ranking(1), expected)
    num_valid = np.count_nonzero(golden.batch.candidate_post_hashes[0, :, 0])
    assert set(output.ranking(0)) == set(range(num_valid))


def test_padding_is_never_ranked(ranking_runner: RecsysInferenceRunner) -> None:
    batch, embeddings = example(ranking_runner.runner.model)
    output = ranking_runner.rank(batch, embeddings)
    assert sorted(output.ranking(0)) == [0, 1, 2, 3, 4]
    assert sorted(output.ranking(1)) == [0, 1, 2, 3]
    assert output.ranked_indices[1, 4] == -1


@pytest.mark.parametrize("block_size", [2, 5, 9])
def test_ranking_in_blocks_changes_nothing(
    ranking_runner: RecsysInferenceRunner, block_size: int
) -> None:
    inputs = example(ranking_runner.runner.model)
    whole = ranking_runner.rank(*inputs)
    blocks = ranking_runner.rank(*inputs, block_size=block_size)
    np.testing.assert_allclose(blocks.scores, whole.scores, atol=1e-6)
    np.testing.assert_array_equal(blocks.ranked_indices, whole.ranked_indices)


def test_odd_numbers_of_users_and_candidates_do_not_compile_again() -> None:
    config = ranker(model=trunk(candidate_positions="slot"))  # blocks go on counting the slots
    runner = RecsysInferenceRunner(ModelRunner(config), "test")
    runner.initialize()
    compiled = (runner.rank_candidates, runner.encode_context, runner.score_candidates)
    for users, candidates in ((3, 5), (4, 8), (3, 7), (4, 6)):
        inputs = example(runner.runner.model, users=users, candidates=candidates)
        whole = runner.rank(*inputs)
        assert whole.scores.shape == (users, candidates, 3)
        blocks = runner.rank(*inputs, block_size=4)
        np.testing.assert_allclose(blocks.scores, whole.scores, atol=1e-6)
    assert [function._cache_size() for function in compiled] == [1, 1, 1]


def test_odd_lengths_of_histories_do_not_compile_again() -> None:
    config = ranker(has_post_age=True, has_dwell=True, attributes=ATTRIBUTES)
    runner = RecsysInferenceRunner(ModelRunner(config), "test")
    runner.initialize()
    for events in (17, 18, 16, 5, 1):
        batch, embeddings = example(config, history=events)
        output = runner.rank(batch, embeddings)
        plain = runner.rank_candidates(runner.params, batch, embeddings)
        np.testing.assert_allclose(output.scores, plain.scores, atol=1e-6)
    # One for each length as it is, and two for the buckets of 16 and of 18 events.
    assert runner.rank_candidates._cache_size() == 5 + 2


def test_one_broken_candidate_leaves_the_rest_of_the_slate(
    ranking_runner: RecsysInferenceRunner,
) -> None:
    batch, embeddings = example(ranking_runner.runner.model)
    before = ranking_runner.rank(batch, embeddings)
    best = int(before.ranking(0)[0])
    posts = embeddings.candidate_post_embeddings.copy()
    posts[0, best] = np.nan
    broken = dataclasses.replace(embeddings, candidate_post_embeddings=posts)
    after = ranking_runner.rank(batch, broken)
    np.testing.assert_array_equal(after.ranking(0), [*before.ranking(0)[1:], best])


def test_a_block_of_no_size_is_refused(ranking_runner: RecsysInferenceRunner) -> None:
    for size in (0, 2.5):
        with pytest.raises(ValueError, match=f"block_size`: expected an integer >= 1, got {size}"):
            ranking_runner.rank(*example(OPTIONS), block_size=size)


def test_the_models_import_nothing_but_arrays() -> None:
    code = (
        "import sys, phoenix.runners; "
        "print({m.split('.')[0] for m in sys.modules} & "
        "{'airflow', 'pandas', 'pyarrow', 'components', 'schemas', 'orbax'})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
