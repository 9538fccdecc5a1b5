"""A model answers by the names of actions, whatever list it was trained with."""

import dataclasses

import numpy as np
import pytest

from phoenix.data.actions import BitMap, heads_of
from phoenix.data.engagement.rates import POPULARITY
from phoenix.recommend.baselines import Random
from phoenix.recommend.named_actions import (
    ranker_for,
    reads_evidence,
    retriever_for,
    unpredicted_actions,
    with_histories,
)
from phoenix.recommend.recommender import PostInputs
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL, untrained, world

WINDOWS = world(12).windows
OTHER_ORDER = tuple(reversed(ACTIONS))


def in_list(actions):
    """The windows with their bits in the order of another list."""
    way = BitMap(ACTIONS, actions)
    return WINDOWS._replace(history_actions=way.bits(WINDOWS.history_actions))


def test_another_order_of_the_list_gives_the_same_numbers_by_name() -> None:
    model = untrained(RANKER)
    own = model.predict(WINDOWS)
    other = ranker_for(model, model.actions, OTHER_ORDER)
    assert other.actions == OTHER_ORDER
    np.testing.assert_array_equal(other.predict(in_list(OTHER_ORDER)), own[..., ::-1])
    towers = untrained(RETRIEVAL)
    np.testing.assert_array_equal(
        retriever_for(towers, ACTIONS, OTHER_ORDER).encode_users(in_list(OTHER_ORDER)),
        towers.encode_users(WINDOWS),
    )


def test_a_model_of_the_same_list_is_asked_as_it_is() -> None:
    model = untrained(RANKER)
    assert ranker_for(model, ACTIONS, ACTIONS) is model
    assert unpredicted_actions(model) == ()


def test_an_action_that_the_model_does_not_know_has_no_probability() -> None:
    model = untrained(RANKER)
    actions = ("share", "like")
    ranker = ranker_for(model, model.actions, actions)
    predicted = ranker.predict(in_list(actions))
    assert unpredicted_actions(ranker) == ("share",)
    assert not predicted[..., 0].any()
    # Of the action that is gone, nobody knows whether it was done: that is no "no" to the model.
    unknown = with_histories(in_list(actions), BitMap(actions, ACTIONS))
    np.testing.assert_array_equal(predicted[..., 1], model.predict(unknown)[..., 0])
    assert (predicted[..., 1] != model.predict(WINDOWS)[..., 0]).any()


def test_an_action_of_another_meaning_is_another_action() -> None:
    model = untrained(RANKER)
    ranker = ranker_for(model, heads_of(model.actions, {"like"}), ACTIONS)
    assert unpredicted_actions(ranker) == ("like",)
    assert not ranker.predict(WINDOWS)[..., 0].any()
    assert ranker.predict(WINDOWS)[..., 1].any()


@pytest.mark.parametrize("actions", [ACTIONS, OTHER_ORDER])
def test_posts_and_dwell_times_are_those_of_the_model(actions) -> None:
    model = Random(ACTIONS, seed=1)
    posts = np.array([3, 4])
    np.testing.assert_array_equal(
        retriever_for(untrained(RETRIEVAL), ACTIONS, actions).encode_posts(posts, posts),
        untrained(RETRIEVAL).encode_posts(posts, posts),
    )
    ranker = ranker_for(model, ACTIONS, actions)
    assert ranker.predict_dwell(WINDOWS) is None


def test_counts_are_those_of_the_models_own_actions() -> None:
    odds = np.random.default_rng(0).normal(size=(12, 3, 7, len(ACTIONS))).astype(np.float32)
    windows = WINDOWS._replace(candidate_log_odds=odds)
    turned = with_histories(windows, BitMap(ACTIONS, OTHER_ORDER)).candidate_log_odds
    np.testing.assert_array_equal(turned, odds[..., ::-1])
    other = with_histories(windows, BitMap(ACTIONS, ("share", ACTIONS[1]))).candidate_log_odds
    assert not other[..., 0].any()
    np.testing.assert_array_equal(other[..., 1], odds[..., 1])


def test_only_a_model_that_reads_counts_says_so() -> None:
    config = dataclasses.replace(RANKER, has_counts=True)
    counting = dataclasses.replace(untrained(RANKER), config=config)
    assert reads_evidence(counting)
    assert reads_evidence(ranker_for(counting, ACTIONS, OTHER_ORDER))
    assert not reads_evidence(untrained(RANKER))
    assert not reads_evidence(Random(ACTIONS, seed=1))


def test_a_retriever_is_handed_what_is_known_of_posts() -> None:
    counting = untrained(dataclasses.replace(RETRIEVAL, has_counts=True))
    asked = retriever_for(counting, ACTIONS, OTHER_ORDER)
    posts = np.arange(1, 6)
    inputs = PostInputs(np.random.default_rng(0).uniform(0, 5, (5, len(POPULARITY))).astype("f"))
    np.testing.assert_array_equal(
        asked.encode_posts(posts, posts, inputs), counting.encode_posts(posts, posts, inputs)
    )
