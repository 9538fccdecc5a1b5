"""Forward functions: one program per configuration, wherever the rows come from."""

import dataclasses

import jax
import numpy as np
import pytest

from phoenix.embedding import lookup
from phoenix.inference.forward import ranker_forward, retrieval_forward, without_candidates
from phoenix.inputs.model_inputs import model_inputs
from phoenix.recommend.trained import RankingTransformer, TwoTower
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL, untrained, world

CONFIG = dataclasses.replace(RANKER, num_continuous=1)
BATCH = model_inputs(world(5).windows, ACTIONS, CONFIG)


@pytest.fixture(scope="module")
def ranker() -> RankingTransformer:
    return untrained(CONFIG)


@pytest.fixture(scope="module")
def retriever() -> TwoTower:
    return untrained(RETRIEVAL)


def test_equal_configurations_share_their_programs() -> None:
    assert ranker_forward(CONFIG) is ranker_forward(dataclasses.replace(CONFIG))
    assert ranker_forward(CONFIG) is not ranker_forward(RANKER)
    assert retrieval_forward(RETRIEVAL) is retrieval_forward(dataclasses.replace(RETRIEVAL))


def test_rows_in_hand_and_rows_of_tables_score_the_same(ranker) -> None:
    forward = ranker_forward(CONFIG)
    outputs = []
    for rows in (lookup(ranker.tables, BATCH), ranker.tables):
        context = forward.encode_context(ranker.params, *without_candidates(BATCH, rows))
        outputs.append(forward.score_candidates(ranker.params, context, BATCH, rows))
    for in_hand, in_tables in zip(*map(jax.tree.leaves, outputs), strict=True):
        np.testing.assert_array_equal(in_hand, in_tables)


def test_rows_in_hand_and_rows_of_tables_are_encoded_the_same(retriever) -> None:
    forward = retrieval_forward(RETRIEVAL)
    in_hand = lookup(retriever.tables, BATCH)
    for encode in (forward.encode_user, forward.encode_candidates):
        vectors = encode(retriever.params, BATCH, retriever.tables)
        np.testing.assert_array_equal(encode(retriever.params, BATCH, in_hand), vectors)


def test_probabilities_and_times_are_those_of_the_scores(ranker) -> None:
    forward, inputs = ranker_forward(CONFIG), (BATCH, ranker.tables)
    context = forward.encode_context(ranker.params, *inputs)
    output = forward.score_candidates(ranker.params, context, *inputs)
    probabilities = forward.probabilities(ranker.params, context, *inputs)
    np.testing.assert_allclose(probabilities, jax.nn.sigmoid(output.logits), rtol=1e-6)
    times = forward.times(ranker.params, context, *inputs)
    np.testing.assert_allclose(times, output.continuous, rtol=1e-6)


def test_blocks_cover_the_slate_and_change_no_score(ranker) -> None:
    forward, inputs = ranker_forward(CONFIG), (BATCH, ranker.tables)
    whole = forward.rank(ranker.params, *inputs).scores
    parts = list(forward.in_blocks(forward.probabilities, ranker.params, *inputs, 3))
    assert [block for block, _ in parts] == [slice(0, 3), slice(3, 6), slice(6, 8)]
    scores = np.concatenate([scores for _, scores in parts], axis=1)
    np.testing.assert_allclose(scores, whole, atol=1e-6)


def test_users_without_candidates_keep_their_histories() -> None:
    batch, _ = without_candidates(BATCH, untrained(CONFIG).tables)
    assert batch.candidate_post_hashes.shape == (5, 0, 2)
    np.testing.assert_array_equal(batch.history_post_hashes, BATCH.history_post_hashes)
