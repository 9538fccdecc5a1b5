"""Claims about the dense optimizer and the detection of non-finite values."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from phoenix.config import ConfigError
from phoenix.train.config import OptimizerConfig, TrainConfig
from phoenix.train.optimizer import (
    averaged,
    leaf_names,
    learning_rate_at,
    non_finite_flags,
    optimizer_of,
    restored,
    select,
    state_arrays,
)

PARAMS = {"m": {"scale": jnp.ones(2), "w": jnp.ones((2, 2))}}


def with_optimizer(**options):
    return TrainConfig(optimizer=OptimizerConfig(**options))


def changes_over(config, num_steps, gradients):
    """The change of `w[0, 0]` in each step, without weight decay's part in it."""
    optimizer = optimizer_of(config, num_steps)
    state, sizes = optimizer.init(PARAMS), []
    for _ in range(num_steps):
        changes, state = optimizer.update(gradients, state, PARAMS)
        sizes.append(float(-changes["m"]["w"][0, 0]))
    return sizes


def test_warm_up_rises_linearly_and_cosine_falls_to_zero():
    schedule = OptimizerConfig(warmup_steps=4, schedule="cosine")
    config = TrainConfig(learning_rate=0.4, weight_decay=0.0, optimizer=schedule)
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    # Adam's step for a constant gradient is the learning rate itself.
    rates = changes_over(config, 8, ones)
    expected = [0.1, 0.2, 0.3, 0.4]
    expected += [0.4 * (1 + np.cos(np.pi * i / 4)) / 2 for i in range(4)]
    np.testing.assert_allclose(rates, expected, rtol=1e-3)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_schedule_falls_to_its_end_and_stays_there(schedule):
    config = TrainConfig(
        learning_rate=0.4,
        optimizer=OptimizerConfig(schedule=schedule, schedule_end=0.25, warmup_steps=2),
    )
    rates = [learning_rate_at(config, step, 6) for step in (1, 2, 4, 6, 7, 1_000)]
    np.testing.assert_allclose(rates, [0.4, 0.4, 0.25, 0.1, 0.1, 0.1], rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"warmup_steps": 2, "schedule": "cosine", "schedule_end": 0.1},
        {"average_half_life": 2.0},
        {"name": "lion", "schedule": "inverse_sqrt"},
        {"name": "contrib.muon"},
    ],
)
def test_an_optimizer_that_is_restored_goes_on_to_the_same_bits(options):
    optimizer, draw = optimizer_of(with_optimizer(**options), 6), np.random.default_rng(0)
    state, other = optimizer.init(PARAMS), optimizer.init(PARAMS)
    for step in range(6):
        gradients = jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape)), PARAMS)
        changes, state = optimizer.update(gradients, state, PARAMS)
        other_changes, other = optimizer.update(gradients, other, PARAMS)
        jax.tree.map(np.testing.assert_array_equal, changes, other_changes)
        if step == 2:
            other = restored(optimizer.init(PARAMS), state_arrays(other))


def test_the_state_of_another_optimizer_or_other_parameters_is_not_restored():
    arrays = state_arrays(optimizer_of(TrainConfig(), 1).init(PARAMS))
    lion = optimizer_of(with_optimizer(name="lion"), 1)
    assert restored(lion.init(PARAMS), arrays) is None
    larger = {"m": {"scale": jnp.ones(2), "w": jnp.ones((2, 3))}}
    assert restored(optimizer_of(TrainConfig(), 1).init(larger), arrays) is None


def test_constant_schedule_keeps_its_rate():
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    rates = changes_over(TrainConfig(learning_rate=0.1, weight_decay=0.0), 3, ones)
    np.testing.assert_allclose(rates, [0.1] * 3, rtol=1e-3)


def test_any_optimizer_of_optax_and_any_schedule_can_be_configured():
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    for name, options in (
        ("sgd", {"momentum": 0.5}),
        ("lion", {}),
        ("adafactor", {}),
        ("adam", {}),
        ("lars", {}),  # calls its mask something else
        ("adadelta", {}),  # has none
        ("sm3", {}),  # takes a rate, but no schedule
        ("contrib.muon", {"ns_steps": 3}),
        ("contrib.prodigy", {}),
    ):
        optimizer = OptimizerConfig(name=name, options=options)
        config = TrainConfig(learning_rate=0.1, clip_norm=None, optimizer=optimizer)
        assert all(np.isfinite(changes_over(config, 3, ones)))
    for schedule, expected in (
        ("linear", [0.1, 0.075, 0.05, 0.025]),
        ("inverse_sqrt", [0.1 / np.sqrt(1 + step / 1000) for step in range(4)]),
    ):
        optimizer = OptimizerConfig(name="sgd", schedule=schedule)
        config = TrainConfig(learning_rate=0.1, clip_norm=None, optimizer=optimizer)
        np.testing.assert_allclose(changes_over(config, 4, ones), expected, rtol=1e-5)
        rates = [learning_rate_at(config, step, 4) for step in range(4)]
        np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_the_model_is_the_average_of_what_the_steps_made_by_its_definition():
    config = TrainConfig(
        learning_rate=0.1,
        clip_norm=None,
        optimizer=OptimizerConfig(name="sgd", average_half_life=2.0),
    )
    optimizer, draw = optimizer_of(config, 5), np.random.default_rng(0)
    state, params, made = optimizer.init(PARAMS), PARAMS, []
    jax.tree.map(np.testing.assert_array_equal, averaged(params, state), PARAMS)
    for _ in range(5):
        gradients = jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape)), PARAMS)
        changes, state = optimizer.update(gradients, state, params)
        params = optax.apply_updates(params, changes)
        made.append(params["m"]["w"])
    weights = 0.5 ** (np.arange(5)[::-1] / 2)
    expected = np.average(made, axis=0, weights=weights)
    np.testing.assert_allclose(averaged(params, state)["m"]["w"], expected, rtol=1e-5)
    plain = optimizer_of(with_optimizer(name="sgd"), 5)
    assert averaged(params, plain.init(PARAMS)) is params


@pytest.mark.parametrize(
    ("name", "warmup_steps", "reason"),
    [("lbfgs", 0, "'value_fn'"), ("sm3", 2, "got 'sm3'"), ("noisy_sgdd", 0, "optimizer of optax")],
)
def test_an_optimizer_that_cannot_do_with_gradients_is_refused(name, warmup_steps, reason):
    with pytest.raises(ConfigError, match=rf"`TrainConfig\.optimizer\.name`.*{reason}"):
        optimizer_of(with_optimizer(name=name, warmup_steps=warmup_steps), 10)


def test_gradients_are_clipped_by_their_global_norm():
    config = TrainConfig(clip_norm=1.0, weight_decay=0.0)
    gradients = jax.tree.map(lambda leaf: 100 * jnp.ones_like(leaf), PARAMS)
    optimizer = optimizer_of(config, 1)
    state = optimizer.update(gradients, optimizer.init(PARAMS), PARAMS)[1]
    first_moment = optax.tree.get(state, "mu")
    assert optax.tree.norm(first_moment) == pytest.approx((1 - 0.9) * 1.0, rel=1e-4)


def test_weight_decay_spares_what_is_not_a_matrix():
    optimizer = optimizer_of(TrainConfig(learning_rate=0.1, weight_decay=0.5), 1)
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    changes, _ = optimizer.update(zeros, optimizer.init(PARAMS), PARAMS)
    np.testing.assert_allclose(changes["m"]["w"], -0.05)
    np.testing.assert_array_equal(changes["m"]["scale"], 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "adam_of_mine"), ("name", "tree"), ("options", {"beta9": 1.0})],
)
def test_what_optax_does_not_have_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=rf"TrainConfig\.optimizer\.{field}") as refused:
        optimizer_of(with_optimizer(**{field: value}), 1)
    assert refused.value.field == ("optimizer", field)


def test_what_is_no_matter_of_the_optimizer_makes_no_other_one():
    first = optimizer_of(TrainConfig(), 5)
    assert (
        optimizer_of(TrainConfig(seed=3, optimizer=OptimizerConfig(table_half_life=2.0)), 9)
        is first
    )
    assert optimizer_of(TrainConfig(learning_rate=0.5), 5) is not first


def test_non_finite_leaves_are_named():
    tree = {"a": jnp.ones(2), "b": {"w": jnp.array([1.0, jnp.nan]), "x": jnp.array(jnp.inf)}}
    flags = np.asarray(non_finite_flags(tree))
    named = [name for name, flag in zip(leaf_names(tree), flags, strict=True) if flag]
    assert named == ["b/w", "b/x"]


def test_a_leaf_whose_squares_do_not_fit_is_not_finite():
    tree = {"large": jnp.full(4, 1e18), "too_large": jnp.array([1.0, 1e20]), "zero": jnp.zeros(0)}
    assert np.asarray(non_finite_flags(tree)).tolist() == [False, True, False]


def test_select_returns_one_tree_whole():
    old, new = {"a": jnp.zeros(2), "b": jnp.ones(1)}, {"a": jnp.full(2, jnp.nan), "b": jnp.zeros(1)}
    kept = select(jnp.asarray(False), new, old)
    np.testing.assert_array_equal(kept["a"], old["a"])
    np.testing.assert_array_equal(kept["b"], old["b"])


@pytest.mark.parametrize(
    "name",
    [
        "contrib.adamw",
        "muon",
        "contrib.",
        "contrib.contrib.muon",
        "scale_by_learning_rate",
        "contrib.schedule_free_adamw",
        "contrib.momo",
        "chain",
        "__name__",
    ],
)
def test_what_is_no_optimizer_of_the_weights_themselves_is_refused(name):
    with pytest.raises(ConfigError, match=r"TrainConfig\.optimizer\.name"):
        optimizer_of(with_optimizer(name=name), 1)
