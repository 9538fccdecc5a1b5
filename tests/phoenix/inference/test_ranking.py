"""The order of a slate: no padding, no poison."""

import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings

from phoenix.inference.ranking import ACTIONS, RankingOutput, ranked_candidates, ranking_output

values = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf, np.nan])


@settings(deadline=None, max_examples=60)
@given(slate=st.lists(st.tuples(values, st.booleans()), min_size=6, max_size=6))
def test_order_equals_its_definition(slate: list[tuple[float, bool]]) -> None:
    scores, valid = (np.array(column) for column in zip(*slate, strict=True))
    comparable = np.where(np.isnan(scores), -np.inf, scores)
    expected = sorted(np.flatnonzero(valid), key=lambda slot: (-comparable[slot], slot))
    order = ranked_candidates(jnp.asarray([scores], jnp.float32), jnp.asarray([valid]))
    padded = [*expected, *[-1] * (len(slate) - len(expected))]
    np.testing.assert_array_equal(order[0], padded)


def test_a_broken_head_sends_only_its_candidate_to_the_end() -> None:
    logits = np.zeros((1, 4, 19), np.float32)
    logits[0, :, 0] = [1.0, np.nan, 3.0, 2.0]
    output = ranking_output(jnp.asarray(logits), np.ones((1, 4), int))
    np.testing.assert_array_equal(output.ranking(0), [2, 3, 0, 1])
    assert np.isnan(output.p_favorite_score[0, 1])
    assert np.all(np.asarray(output.p_reply_score) == 0.5)


def test_a_ranking_holds_fewer_candidates_when_some_are_padding() -> None:
    logits = jnp.arange(6.0).reshape(2, 3, 1)
    output = ranking_output(logits, np.array([[5, 0, 7], [0, 0, 0]]))
    np.testing.assert_array_equal(output.ranking(0), [2, 0])
    assert output.ranking(1).size == 0


def test_named_probabilities_are_the_columns_of_the_scores() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 19)).astype(np.float32)
    output = ranking_output(jnp.asarray(logits), np.ones((2, 3), int))
    assert RankingOutput._fields[2:] == tuple("p_" + action for action in ACTIONS)
    for index, column in enumerate(output[2:]):
        np.testing.assert_array_equal(column, output.scores[:, :, index])


def test_names_beyond_the_actions_of_the_model_hold_nan() -> None:
    output = ranking_output(jnp.zeros((1, 2, 3)), np.ones((1, 2), int))
    assert np.all(np.isnan(output.p_dwell_time))
    assert not np.any(np.isnan(output.p_repost_score))
