"""Runners: safe rankings and retrievals, few compilations, 64-bit ids."""

import dataclasses
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.recsys_model import PhoenixModelConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.runners import (
    ACTIONS,
    ModelRunner,
    RecsysInferenceRunner,
    RecsysRetrievalInferenceRunner,
    RetrievalModelRunner,
    create_example_corpus,
)
from tests.phoenix.golden_case import GoldenCase
from tests.phoenix.model_inputs import ATTRIBUTES, example, ranker, trunk

OPTIONS = ranker(has_post_age=True, has_dwell=True, attributes=ATTRIBUTES)
FIRST_ID = 2_013_267_655_123_456_789


@pytest.fixture(scope="module")
def ranking_runner() -> RecsysInferenceRunner:
    runner = RecsysInferenceRunner(ModelRunner(OPTIONS), "test")
    runner.initialize()
    return runner


@pytest.fixture(scope="module")
def retrieval_runner() -> RecsysRetrievalInferenceRunner:
    config = PhoenixRetrievalModelConfig(trunk(), 16, product_surface_vocab_size=4)
    runner = RecsysRetrievalInferenceRunner(RetrievalModelRunner(config), "test")
    runner.initialize()
    return runner


def retrieval_inputs():
    return example(ranker(), num_actions=len(ACTIONS))


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


def test_the_retrieval_runner_initialises_both_towers(
    retrieval_runner: RecsysRetrievalInferenceRunner,
) -> None:
    modules = {name.split("/")[-1] for name in retrieval_runner.params}
    assert {"candidate_tower", "phoenix_retrieval_model"} <= modules


def test_64_bit_post_ids_survive_retrieval(
    retrieval_runner: RecsysRetrievalInferenceRunner,
) -> None:
    vectors, post_ids = create_example_corpus(30, 16)
    retrieval_runner.set_corpus(vectors, post_ids + FIRST_ID)
    output = retrieval_runner.retrieve(*retrieval_inputs(), top_k=10)
    users = retrieval_runner.encode_user(*retrieval_inputs())
    best = np.argsort(-np.asarray(users) @ vectors.T, axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(output.top_k_indices[:2], best[:2])
    rows = np.asarray(output.top_k_indices, np.int64)
    np.testing.assert_array_equal(output.top_k_post_ids, rows + FIRST_ID)
    assert np.all(np.diff(output.top_k_scores) <= 0)


def test_a_corpus_smaller_than_top_k_comes_back_whole_without_masked_rows(
    retrieval_runner: RecsysRetrievalInferenceRunner,
) -> None:
    vectors, post_ids = create_example_corpus(12, 16)
    retrieval_runner.set_corpus(vectors, post_ids)
    assert retrieval_runner.retrieve(*retrieval_inputs()).top_k_indices.shape == (3, 12)
    retrieval_runner.set_corpus(vectors, post_ids, corpus_mask=post_ids % 3 == 0)
    output = retrieval_runner.retrieve(*retrieval_inputs())
    for row in np.asarray(output.top_k_indices):
        assert sorted(row) == [0, 3, 6, 9]


def test_odd_numbers_of_users_and_posts_do_not_compile_again() -> None:
    config = PhoenixRetrievalModelConfig(trunk(), 16, product_surface_vocab_size=4)
    runner = RecsysRetrievalInferenceRunner(RetrievalModelRunner(config), "test")
    runner.initialize()
    for users, candidates, events, corpus_size in ((3, 5, 9, 40), (4, 8, 16, 37), (3, 7, 1, 21)):
        inputs = example(
            config, users=users, history=events, candidates=candidates, num_actions=len(ACTIONS)
        )
        runner.set_corpus(*create_example_corpus(corpus_size, 16))
        assert runner.retrieve(*inputs, top_k=30).top_k_indices.shape == (
            users,
            min(30, corpus_size),
        )
        assert runner.encode_candidates(*inputs).shape == (users, candidates, 16)
    assert runner.encode_user_fn._cache_size() == 1
    assert runner.encode_candidates_fn._cache_size() == 1


def test_retrieval_in_one_program_finds_the_same(
    retrieval_runner: RecsysRetrievalInferenceRunner,
) -> None:
    vectors, post_ids = create_example_corpus(50, 16)
    mask = post_ids % 4 != 0
    whole = retrieval_runner.retrieve_fn(
        retrieval_runner.params, *retrieval_inputs(), vectors, 9, mask
    )
    output = retrieval_runner.retrieve(*retrieval_inputs(), 9, vectors, mask)
    np.testing.assert_array_equal(output.top_k_indices[:2], whole.top_k_indices[:2])
    np.testing.assert_allclose(output.top_k_scores, whole.top_k_scores, atol=1e-6)
    assert output.top_k_post_ids is None


def test_a_corpus_vector_that_is_not_finite_is_refused_by_row(
    retrieval_runner: RecsysRetrievalInferenceRunner,
) -> None:
    vectors, post_ids = create_example_corpus(5, 16)
    vectors[3, 0] = np.nan
    with pytest.raises(ValueError, match=r"rows \[3\] are not finite"):
        retrieval_runner.set_corpus(vectors, post_ids)
    retrieval_runner.set_corpus(vectors, post_ids, corpus_mask=post_ids != 3)
    assert 3 not in retrieval_runner.retrieve(*retrieval_inputs()).top_k_post_ids


def test_candidates_are_encoded_as_unit_vectors(
    retrieval_runner: RecsysRetrievalInferenceRunner,
) -> None:
    vectors = retrieval_runner.encode_candidates(*retrieval_inputs())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1.0, atol=1e-5)


def test_retrieval_without_a_corpus_says_so() -> None:
    config = PhoenixRetrievalModelConfig(trunk(), 16)
    runner = RecsysRetrievalInferenceRunner(RetrievalModelRunner(config), "test")
    with pytest.raises(ValueError, match=r"corpus_embeddings.*set_corpus.*got None"):
        runner.retrieve(*retrieval_inputs())


def test_a_corpus_of_misfitting_lengths_is_refused(
    retrieval_runner: RecsysRetrievalInferenceRunner,
) -> None:
    with pytest.raises(ValueError, match=r"corpus_post_ids.*\(4,\), got \(3,\)"):
        retrieval_runner.set_corpus(np.ones((4, 16)), np.arange(3))
    with pytest.raises(ValueError, match=r"corpus_mask.*\(4,\), got \(2,\)"):
        retrieval_runner.set_corpus(np.ones((4, 16)), np.arange(4), np.ones(2))
    with pytest.raises(ValueError, match=r"corpus_embeddings.*\(N, 16\), got \(4, 8\)"):
        retrieval_runner.set_corpus(np.ones((4, 8)), np.arange(4))


def test_what_retrieval_cannot_use_is_named(
    retrieval_runner: RecsysRetrievalInferenceRunner,
) -> None:
    inputs, corpus = retrieval_inputs(), np.ones((4, 16), np.float32)
    with pytest.raises(ValueError, match=r"top_k`: expected an integer >= 0, got 2.5"):
        retrieval_runner.retrieve(*inputs, 2.5, corpus)
    with pytest.raises(ValueError, match=r"corpus_embeddings.*\(N, 16\), got \(16,\)"):
        retrieval_runner.retrieve(*inputs, 2, corpus[0])
    for mask in (np.ones(1), np.ones((4, 1))):
        with pytest.raises(ValueError, match=r"corpus_mask.*\(4,\), got"):
            retrieval_runner.retrieve(*inputs, 2, corpus, mask)
        with pytest.raises(ValueError, match=r"corpus_mask.*\(4,\), got"):
            retrieval_runner.retrieve_fn(retrieval_runner.params, *inputs, corpus, 2, mask)


def test_a_runner_says_that_it_was_not_initialized() -> None:
    runner = RecsysInferenceRunner(ModelRunner(OPTIONS), "new")
    with pytest.raises(RuntimeError, match="new: `initialize` must be called first"):
        runner.rank(*example(OPTIONS))


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
