"""A model that goes on under another list of actions is the model that it was, by name."""

import dataclasses

import jax
import numpy as np
import pytest

from phoenix.data.actions import BitMap
from phoenix.data.engagement.rates import LEVELS
from phoenix.recommend.action_weights import with_actions, with_num_actions
from phoenix.recommend.named_actions import ranker_for, retriever_for
from phoenix.recommend.trained import RankingTransformer, TwoTower
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL, untrained, world

WINDOWS = world(12).windows
FACTORS = dataclasses.replace(RANKER, has_factorization=True)
COUNTS = dataclasses.replace(RANKER, has_counts=True)
TASTE = dataclasses.replace(RETRIEVAL, taste_size=3)
LISTS = {
    "reordered": ACTIONS[::-1],
    "removed": ACTIONS[1:],
    "appended": (*ACTIONS, "share"),
    "everything": ("share", *ACTIONS[::-1][:-1]),
}


def model_of(config, actions: tuple[str, ...], seed: int):
    return untrained(with_num_actions(config, len(actions)), actions=actions, seed=seed)


def carried(config, actions: tuple[str, ...]):
    """A model, and the same for another list."""
    model = model_of(config, ACTIONS, 1)
    fresh = model_of(config, actions, 2)
    params = with_actions(model.params, fresh.params, own=model.actions, actions=actions)
    return model, dataclasses.replace(fresh, params=params, tables=model.tables)


def windows_in(actions: tuple[str, ...]):
    """The windows in the bits of a list, of whose new actions nobody knows anything."""
    way = BitMap(ACTIONS, actions)
    unknown = np.full_like(WINDOWS.history_actions, way.unknown)
    return WINDOWS._replace(
        history_actions=way.bits(WINDOWS.history_actions), history_unknown_actions=unknown
    )


@pytest.mark.parametrize("actions", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("config", [RANKER, FACTORS], ids=["plain", "factors"])
def test_a_ranker_predicts_of_known_actions_what_it_did(config, actions) -> None:
    model, after = carried(config, actions)
    assert isinstance(model, RankingTransformer)
    windows = windows_in(actions)
    before = ranker_for(model, ACTIONS, actions).predict(windows)
    known = [place for place, name in enumerate(actions) if name in ACTIONS]
    np.testing.assert_allclose(after.predict(windows)[..., known], before[..., known], rtol=1e-5)


@pytest.mark.parametrize("actions", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("config", [RETRIEVAL, TASTE], ids=["plain", "taste"])
def test_a_retriever_finds_users_where_they_were(config, actions) -> None:
    model, after = carried(config, actions)
    assert isinstance(model, TwoTower)
    windows = windows_in(actions)
    before = retriever_for(model, ACTIONS, actions).encode_users(windows)
    np.testing.assert_allclose(after.encode_users(windows), before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "config", [FACTORS, COUNTS, RETRIEVAL, TASTE], ids=["factors", "counts", "retrieval", "taste"]
)
def test_every_parameter_that_depends_on_the_list_is_moved_by_name(config) -> None:
    few, many = (model_of(config, (*ACTIONS, *more), 1) for more in ((), ("share", "hide")))
    moved = with_actions(few.params, many.params, own=few.actions, actions=many.actions)
    assert jax.tree.map(np.shape, moved) == jax.tree.map(np.shape, many.params)


@pytest.mark.parametrize("actions", [LISTS["reordered"], LISTS["appended"]])
def test_what_counts_say_is_read_by_name(actions) -> None:
    model = model_of(COUNTS, ACTIONS, 1)
    generator = np.random.default_rng(0)
    # Of a model that has learned: at first the network beside the rates adds nothing.
    params = jax.tree.map(
        lambda leaf: leaf + 0.1 * generator.normal(size=leaf.shape).astype(leaf.dtype), model.params
    )
    model = dataclasses.replace(model, params=params)
    fresh = model_of(COUNTS, actions, 2)
    after = dataclasses.replace(
        fresh,
        params=with_actions(model.params, fresh.params, own=ACTIONS, actions=actions),
        tables=model.tables,
    )
    shape = (*WINDOWS.candidate_post_ids.shape, len(LEVELS))
    counts = generator.normal(size=shape).astype(np.float32)
    odds = dict(zip(ACTIONS, generator.normal(size=(len(ACTIONS), *shape)), strict=True))

    def predicted(ranker, windows, names):
        values = [odds.get(name, generator.normal(size=shape)) for name in names]
        evidence = {
            "candidate_log_odds": np.stack(values, axis=-1).astype(np.float32),
            "candidate_log_counts": counts,
        }
        return ranker.predict(windows._replace(**evidence))

    own = predicted(model, WINDOWS, ACTIONS)
    new = predicted(after, windows_in(actions), actions)
    for name in ACTIONS:
        np.testing.assert_allclose(
            new[..., actions.index(name)], own[..., ACTIONS.index(name)], rtol=1e-4, err_msg=name
        )


def test_the_same_list_is_the_same_model() -> None:
    model, fresh = model_of(RANKER, ACTIONS, 1), model_of(RANKER, ACTIONS, 2)
    same = with_actions(model.params, fresh.params, own=ACTIONS, actions=ACTIONS)
    jax.tree.map(np.testing.assert_array_equal, same, model.params)


def test_what_a_new_loss_needs_begins_as_in_a_new_model() -> None:
    heads = {"impressions": {"slopes": np.ones(2), "biases": np.zeros(2), "rates": np.ones((6, 2))}}
    model = model_of(RETRIEVAL, ACTIONS, 1)
    moved = with_actions(
        model.params, {**model.params, **heads}, own=ACTIONS, actions=("share", *ACTIONS)[:2]
    )
    jax.tree.map(np.testing.assert_array_equal, moved["impressions"], heads["impressions"])
