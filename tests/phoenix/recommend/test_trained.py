"""Claims about trained models: fixed shapes, padding, unknown users, and what they refuse."""

import dataclasses

import haiku as hk
import jax
import numpy as np
import pytest

from phoenix.embedding import lookup
from phoenix.inference.forward import ranker_forward
from phoenix.inputs import slates
from phoenix.inputs.model_inputs import model_inputs
from phoenix.recommend import trained
from phoenix.recommend.recommender import Ranker, Retriever
from phoenix.train.config import RetrievalTrainConfig
from phoenix.train.objectives.by_model import objective_of
from tests.phoenix.planted import ACTIONS, NUM_POSTS, RANKER, RETRIEVAL, author_of, untrained, world

WINDOWS = world(40).windows
POSTS = np.arange(1, NUM_POSTS + 1)


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    return untrained(RANKER)


@pytest.fixture(scope="module")
def retriever() -> Retriever:
    return untrained(RETRIEVAL)


def test_probabilities_do_not_depend_on_what_else_is_in_the_batch(ranker):
    values = ranker.predict(WINDOWS)
    assert values.shape == (40, 8, 2)
    assert values.dtype == np.float32
    assert ((values > 0) & (values < 1)).all()
    np.testing.assert_allclose(ranker.predict(WINDOWS.rows([17]))[0], values[17], atol=1e-6)


def test_probabilities_do_not_depend_on_the_other_candidates(ranker):
    values = ranker.predict(WINDOWS)
    candidates = {
        field: array[:, 3:6]
        for field, array in WINDOWS._asdict().items()
        if array is not None and field.startswith(("candidate_", "label"))
    }
    alone = ranker.predict(WINDOWS._replace(**candidates))
    np.testing.assert_allclose(alone, values[:, 3:6], atol=1e-6)


def test_batches_of_any_size_compile_for_a_few_shapes_only(ranker):
    forward = ranker_forward(RANKER)
    parts = (forward.encode_context, forward.probabilities, forward.times)
    for part in parts:
        part.clear_cache()
    for num_windows in (1, 3, 16, 2, 15, 33, 40, 64):
        for num_candidates in (5, 8):
            ranker.predict(world(num_windows, num_candidates=num_candidates).windows)
    assert [part._cache_size() for part in parts] == [3, 3, 0]  # this model predicts no times


def test_dwell_is_predicted_where_there_is_a_head_for_it(ranker):
    assert ranker.predict_dwell(WINDOWS) is None
    model = untrained(dataclasses.replace(RANKER, num_continuous=1))
    seconds = model.predict_dwell(WINDOWS)
    assert seconds.shape == WINDOWS.candidate_post_ids.shape
    assert np.all((seconds > 0) & (seconds < 30))
    np.testing.assert_allclose(model.predict_dwell(WINDOWS.rows(slice(3))), seconds[:3], rtol=1e-5)


def test_user_vectors_have_unit_length_and_ignore_the_candidates(retriever):
    vectors = retriever.encode_users(WINDOWS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    other = WINDOWS._replace(candidate_post_hashes=WINDOWS.candidate_post_hashes[::-1])
    np.testing.assert_array_equal(retriever.encode_users(other), vectors)


def test_user_of_whom_nothing_is_known_gets_the_zero_vector(retriever):
    nobody = WINDOWS._replace(
        user_hashes=np.zeros_like(WINDOWS.user_hashes),
        history_post_hashes=np.zeros_like(WINDOWS.history_post_hashes),
    )
    assert not retriever.encode_users(nobody).any()
    with_history = WINDOWS._replace(user_hashes=nobody.user_hashes)
    has_history = WINDOWS.history_post_ids[:, 0] != 0
    lengths = np.linalg.norm(retriever.encode_users(with_history), axis=1)
    np.testing.assert_allclose(lengths, has_history, atol=1e-5)


def test_post_vectors_equal_those_of_training(retriever):
    inputs = model_inputs(WINDOWS, ACTIONS, RETRIEVAL)
    objective = objective_of(RETRIEVAL, ACTIONS, RetrievalTrainConfig())
    rows = lookup(retriever.tables, inputs)
    _, posts = hk.without_apply_rng(hk.transform(objective._vectors)).apply(
        retriever.params, inputs, rows
    )
    ids = WINDOWS.candidate_post_ids[:, 2]
    actual = retriever.encode_posts(ids, author_of(ids))
    np.testing.assert_allclose(actual, posts[:, 2], atol=1e-6)


def test_post_vectors_do_not_depend_on_the_chunk(retriever, monkeypatch):
    whole = retriever.encode_posts(POSTS, author_of(POSTS))
    monkeypatch.setattr(trained, "_POST_BUCKETS", (4, 16))
    np.testing.assert_allclose(retriever.encode_posts(POSTS, author_of(POSTS)), whole, atol=1e-6)
    assert retriever.encode_posts(POSTS[:0], POSTS[:0]).shape == (0, 32)


def test_nothing_in_gives_nothing_out(ranker, retriever):
    nothing = WINDOWS.rows(slice(0))
    assert ranker.predict(nothing).shape == (0, 8, 2)
    assert retriever.encode_users(nothing).shape == (0, 32)


def test_foreign_shapes_are_refused(ranker, retriever):
    one_hash = WINDOWS._replace(user_hashes=WINDOWS.user_hashes[:, :1])
    with pytest.raises(ValueError, match="`user_hashes` must have the 2 hashes"):
        ranker.predict(one_hash)
    with pytest.raises(ValueError, match="`post_ids` and `author_ids`"):
        retriever.encode_posts(POSTS, POSTS[:3])


def test_long_slates_shrink_the_batch_and_not_the_result(ranker, monkeypatch):
    values = ranker.predict(WINDOWS)
    monkeypatch.setattr(trained, "_TOKENS_PER_CALL", 1)
    np.testing.assert_allclose(ranker.predict(WINDOWS), values, atol=1e-6)


def test_slates_in_blocks_give_the_same_result(ranker, monkeypatch):
    windows = world(3, num_candidates=21).windows
    values = ranker.predict(windows)
    for size in (8, 20):
        monkeypatch.setattr(slates, "MAX_BLOCK", size)
        np.testing.assert_allclose(ranker.predict(windows), values, atol=1e-6)


def test_models_keep_no_state_between_calls(ranker):
    before = [np.array(leaf) for leaf in jax.tree.leaves(ranker.tables)]
    first, second = ranker.predict(WINDOWS), ranker.predict(WINDOWS)
    np.testing.assert_array_equal(first, second)
    for old, new in zip(before, jax.tree.leaves(ranker.tables), strict=True):
        np.testing.assert_array_equal(old, new)
