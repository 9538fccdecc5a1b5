"""Claims about the dense optimizer and the detection of non-finite values."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from phoenix.config import ConfigError
from phoenix.optimizer import OptimizerConfig, leaf_names, non_finite_flags, select

PARAMS = {"m": {"scale": jnp.ones(2), "w": jnp.ones((2, 2))}}


def changes_over(config, num_steps, gradients):
    """The change of `w[0, 0]` in each step, without weight decay's part in it."""
    optimizer = config.make(num_steps)
    state, sizes = optimizer.init(PARAMS), []
    for _ in range(num_steps):
        changes, state = optimizer.update(gradients, state, PARAMS)
        sizes.append(float(-changes["m"]["w"][0, 0]))
    return sizes


def test_warm_up_rises_linearly_and_cosine_falls_to_zero():
    config = OptimizerConfig(learning_rate=0.4, warmup_steps=4, schedule="cosine", weight_decay=0.0)
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    # Adam's step for a constant gradient is the learning rate itself.
    rates = changes_over(config, 8, ones)
    expected = [0.1, 0.2, 0.3, 0.4]
    expected += [0.4 * (1 + np.cos(np.pi * i / 4)) / 2 for i in range(4)]
    np.testing.assert_allclose(rates, expected, rtol=1e-3)


def test_constant_schedule_keeps_its_rate():
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    rates = changes_over(OptimizerConfig(learning_rate=0.1, weight_decay=0.0), 3, ones)
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
        config = OptimizerConfig(name=name, options=options, learning_rate=0.1, clip_norm=None)
        assert all(np.isfinite(changes_over(config, 3, ones)))
    plain = OptimizerConfig(name="sgd", learning_rate=0.1, clip_norm=None)
    for schedule, expected in (
        ("linear", [0.1, 0.075, 0.05, 0.025]),
        ("inverse_sqrt", [0.1 / np.sqrt(1 + step / 1000) for step in range(4)]),
    ):
        config = dataclasses.replace(plain, schedule=schedule)
        np.testing.assert_allclose(changes_over(config, 4, ones), expected, rtol=1e-5)
        rates = [config.rate(step, 4) for step in range(4)]
        np.testing.assert_allclose(rates, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "warmup_steps", "reason"),
    [("lbfgs", 0, "'value_fn'"), ("sm3", 2, "got 'sm3'"), ("noisy_sgdd", 0, "optimizer of optax")],
)
def test_an_optimizer_that_cannot_do_with_gradients_is_refused(name, warmup_steps, reason):
    with pytest.raises(ConfigError, match=rf"`OptimizerConfig\.name`.*{reason}"):
        OptimizerConfig(name=name, warmup_steps=warmup_steps).make(10)


def test_gradients_are_clipped_by_their_global_norm():
    config = OptimizerConfig(clip_norm=1.0, weight_decay=0.0)
    gradients = jax.tree.map(lambda leaf: 100 * jnp.ones_like(leaf), PARAMS)
    state = config.make(1).update(gradients, config.make(1).init(PARAMS), PARAMS)[1]
    first_moment = optax.tree.get(state, "mu")
    assert optax.tree.norm(first_moment) == pytest.approx((1 - config.b1) * 1.0, rel=1e-4)


def test_weight_decay_spares_what_is_not_a_matrix():
    config = OptimizerConfig(learning_rate=0.1, weight_decay=0.5)
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    changes, _ = config.make(1).update(zeros, config.make(1).init(PARAMS), PARAMS)
    np.testing.assert_allclose(changes["m"]["w"], -0.05)
    np.testing.assert_array_equal(changes["m"]["scale"], 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("clip_norm", 0),
        ("weight_decay", -1.0),
        ("b1", 1.0),
        ("warmup_steps", -1),
        ("schedule", "stepwise"),
        ("name", "adam_of_mine"),
        ("name", "tree"),
        ("options", {"beta9": 1.0}),
    ],
)
def test_field_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=f"OptimizerConfig.{field}"):
        OptimizerConfig(**{field: value})


def test_configuration_survives_its_dictionary():
    config = OptimizerConfig(schedule="cosine", warmup_steps=3)
    assert OptimizerConfig.from_dict(config.to_dict()) == config


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
    with pytest.raises(ConfigError, match=r"OptimizerConfig\.name"):
        OptimizerConfig(name=name).make(1)
