"""Claims about next-item training: what is a target, what is listed, what is learned."""

import dataclasses

import haiku as hk
import jax
import numpy as np
import pytest

from phoenix.data.window_source import InMemoryWindows
from phoenix.data.windows import Engagement
from phoenix.embedding import initial_tables, lookup
from phoenix.grok import TransformerConfig
from phoenix.inputs.model_inputs import model_inputs
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train.next_item import (
    Catalogue,
    NextItemBatches,
    NextItemObjective,
    SequenceSource,
    sequences,
)
from tests.phoenix.planted import ACTIONS, SPEC, TRUNK, world

CONFIG = PhoenixRetrievalModelConfig(TRUNK, 32, candidate_tower="mean", user_pooling="last")
WINDOWS = world(12).windows
LIKE = Engagement.of(ACTIONS, ["like"])
TABLES = initial_tables(SPEC, 32, 0)


def batches(windows, *, max_listed_posts=1000):
    return NextItemBatches(
        model_config=CONFIG,
        max_listed_posts=max_listed_posts,
        actions=ACTIONS,
        catalogue=Catalogue.of([windows], SPEC, engagement=LIKE),
        engagement=LIKE,
        seed=0,
    )


def loss_of(batch):
    rows = lookup(TABLES, batch.inputs)
    objective = NextItemObjective(CONFIG)
    params = objective.initial_params(0, batch.inputs, rows)
    return float(jax.jit(objective.loss)(params, rows, batch)[0])


def test_a_sequence_is_the_last_window_of_a_user_and_its_candidates():
    joined = sequences(WINDOWS)
    assert sorted(set(WINDOWS.user_ids)) == list(joined.user_ids)
    for row, user in enumerate(joined.user_ids):
        last = np.flatnonzero(WINDOWS.user_ids == user)[-1]
        history, candidates = WINDOWS.history_post_ids[last], WINDOWS.candidate_post_ids[last]
        events = np.concatenate([history[history != 0], candidates])
        np.testing.assert_array_equal(joined.history_post_ids[row][: len(events)], events)
        assert not joined.history_post_ids[row][len(events) :].any()
        bits = np.concatenate([WINDOWS.history_actions[last][history != 0], WINDOWS.labels[last]])
        np.testing.assert_array_equal(joined.history_actions[row][: len(events)], bits)
    assert joined.candidate_post_ids.shape[1] == 0


def test_an_event_that_its_user_reported_is_no_target():
    joined = sequences(WINDOWS)
    row, event = np.argwhere((joined.history_actions & LIKE.positive) != 0)[0]
    actions = joined.history_actions.copy()
    actions[row, event] |= np.uint64(2)
    reported = joined._replace(history_actions=actions)
    engagement = Engagement.of(ACTIONS, ["like"], ["hide"])
    own = dataclasses.replace(
        batches(joined),
        engagement=engagement,
        catalogue=Catalogue.of([reported], SPEC, engagement=engagement),
    )
    targets = own(reported, 0).targets
    is_target = batches(joined)(joined, 0).targets >= 0
    assert is_target[row, event]
    is_target[row, event] = False
    np.testing.assert_array_equal(targets >= 0, is_target)
    assert own.catalogue.counts.sum() == batches(joined).catalogue.counts.sum() - 1


@pytest.mark.parametrize("max_listed_posts", [1000, 20])
def test_every_target_is_the_listed_post_of_its_own_event(max_listed_posts):
    joined = sequences(WINDOWS)
    batch = batches(joined, max_listed_posts=max_listed_posts)(joined, 0)
    keys = np.asarray(batch.inputs.candidate_post_hashes).reshape(-1, 2)
    row, event = np.nonzero(batch.targets >= 0)
    np.testing.assert_array_equal(
        keys[batch.targets[row, event]], joined.history_post_hashes[row, event]
    )
    is_like = (joined.history_actions & LIKE.positive) != 0
    assert not (batch.targets >= 0)[~is_like].any()
    if max_listed_posts == 1000:
        np.testing.assert_array_equal(batch.targets >= 0, is_like)
    listed = keys[np.isfinite(batch.offsets.reshape(-1))]
    assert len(np.unique(listed, axis=0)) == len(listed) <= max_listed_posts


def test_an_unknown_user_has_no_query_before_the_first_event():
    joined = sequences(WINDOWS)
    joined = joined._replace(user_hashes=np.zeros_like(joined.user_hashes))
    assert (batches(joined)(joined, 0).targets[:, 0] == -1).all()


def test_the_same_step_gives_the_same_batch_and_validation_drops_nothing():
    joined = sequences(WINDOWS)
    make = batches(joined, max_listed_posts=20)
    for one, other in zip(
        jax.tree.leaves(make(joined, 3)), jax.tree.leaves(make(joined, 3)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert make(joined, None).seeds is None


def test_a_query_at_a_position_is_the_user_of_the_history_that_ends_there():
    joined = sequences(WINDOWS)
    inputs = batches(joined)(joined, 0).inputs
    objective = NextItemObjective(CONFIG)
    params = objective.initial_params(0, inputs, lookup(TABLES, inputs))

    def both(batch, rows):
        model = CONFIG.make()
        return (
            model.build_position_representation(batch, rows),
            model.build_user_representation(batch, rows)[0],
        )

    apply = jax.jit(hk.without_apply_rng(hk.transform(both)).apply)
    positions, _ = apply(params, inputs, lookup(TABLES, inputs))
    for known in (0, 2, 5):
        kept = np.arange(joined.history_post_ids.shape[1]) < known
        cut = joined._replace(
            history_post_ids=joined.history_post_ids * kept,
            history_post_hashes=joined.history_post_hashes * kept[:, None],
        )
        prefix = model_inputs(cut, ACTIONS, CONFIG)
        prefix = prefix._replace(
            candidate_post_hashes=inputs.candidate_post_hashes,
            candidate_author_hashes=inputs.candidate_author_hashes,
        )
        _, users = apply(params, prefix, lookup(TABLES, prefix))
        np.testing.assert_allclose(positions[:, known], users, rtol=2e-4, atol=2e-5)


def test_a_sampled_list_estimates_the_loss_of_the_whole_catalogue():
    joined = sequences(world(300).windows)
    whole = loss_of(batches(joined)(joined, 0))
    make = batches(joined, max_listed_posts=95)
    sampled = [loss_of(make(joined, step)) for step in range(3)]
    assert np.mean(sampled) == pytest.approx(whole, rel=0.05)


def test_queries_need_a_causal_history_and_the_last_state():
    config = PhoenixRetrievalModelConfig(
        TransformerConfig(32, 16, 2, 2, 1, history_attention="full"), 32, user_pooling="last"
    )
    joined = sequences(WINDOWS)
    inputs = batches(joined)(joined, 0).inputs
    with pytest.raises(ValueError, match="'causal', got 'last' and 'full'"):
        NextItemObjective(config).initial_params(0, inputs, lookup(TABLES, inputs))


def test_a_source_gives_the_sequences_of_each_chunk():
    source = SequenceSource(InMemoryWindows(WINDOWS))
    expected = sequences(WINDOWS)
    assert list(source.chunk_sizes) == [len(expected.user_ids)]
    for one, other in zip(source.read(0), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_unknown_of_an_event_goes_with_it_into_the_sequence():
    windows = WINDOWS._replace(
        history_unknown_actions=WINDOWS.history_actions * 2,
        label_unknown_actions=WINDOWS.labels * 2,
    )
    joined = sequences(windows)
    np.testing.assert_array_equal(joined.history_unknown_actions, joined.history_actions * 2)
    assert sequences(WINDOWS).history_unknown_actions is None


def test_a_target_counts_as_often_as_it_stands_for():
    joined = sequences(WINDOWS)
    weights = np.ones(joined.history_post_ids.shape, np.float32)
    weights[0] = 2
    once = batches(joined)(joined._replace(history_weights=weights), None)
    twice = batches(joined)(joined.rows(np.array([0, *range(len(weights))])), None)
    np.testing.assert_allclose(loss_of(once), loss_of(twice), rtol=1e-4)
