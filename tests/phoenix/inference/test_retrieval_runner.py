"""The retrieval runner: safe retrievals, few compilations, 64-bit ids."""

import numpy as np
import pytest

from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.runners import (
    ACTIONS,
    RecsysRetrievalInferenceRunner,
    RetrievalModelRunner,
    create_example_corpus,
)
from tests.phoenix.model_inputs import example, ranker, trunk

FIRST_ID = 2_013_267_655_123_456_789


@pytest.fixture(scope="module")
def retrieval_runner() -> RecsysRetrievalInferenceRunner:
    config = PhoenixRetrievalModelConfig(trunk(), 16, product_surface_vocab_size=4)
    runner = RecsysRetrievalInferenceRunner(RetrievalModelRunner(config), "test")
    runner.initialize()
    return runner


def retrieval_inputs():
    return example(ranker(), num_actions=len(ACTIONS))


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
        retrieval_runner.retrieve(*inputs, 2.5, corpus)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"corpus_embeddings.*\(N, 16\), got \(16,\)"):
        retrieval_runner.retrieve(*inputs, 2, corpus[0])
    for mask in (np.ones(1), np.ones((4, 1))):
        with pytest.raises(ValueError, match=r"corpus_mask.*\(4,\), got"):
            retrieval_runner.retrieve(*inputs, 2, corpus, mask)
        with pytest.raises(ValueError, match=r"corpus_mask.*\(4,\), got"):
            retrieval_runner.retrieve_fn(retrieval_runner.params, *inputs, corpus, 2, mask)
