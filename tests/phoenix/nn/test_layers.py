"""Norm, linear map and feed-forward block."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.nn.layers import (
    DenseBlock,
    Linear,
    dropout,
    ffn_size,
    hk_rms_norm,
    layer_norm,
    matrix_product,
    scaled_norm,
    sum_last,
)


@pytest.mark.parametrize(
    ("emb_size", "widening", "expected"),
    [
        (64, 2, 88),
        (128, 2, 176),
        (128, 4, 344),
        (256, 2, 344),
        (512, 2, 688),
        (768, 4, 2048),
        (1024, 4, 2736),
        (2560, 2, 3416),
        (100, 4, 272),
    ],
)
def test_ffn_size_matches_the_public_widths(emb_size: int, widening: int, expected: int) -> None:
    assert ffn_size(emb_size, widening) == expected


def test_norm_makes_the_mean_square_one() -> None:
    x = 50 * np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    for function in (layer_norm, lambda x: hk_rms_norm(x, fixed_scale=True)):
        forward = hk.transform(function)
        y = forward.apply(forward.init(None, x), None, x)
        np.testing.assert_allclose(np.mean(np.square(y), axis=-1), 1.0, rtol=1e-5)


def test_norm_with_fixed_scale_has_no_parameters() -> None:
    assert not hk.transform(lambda x: hk_rms_norm(x, fixed_scale=True)).init(None, jnp.ones(4))


def test_layers_compute_in_the_dtype_of_the_input_with_float32_parameters() -> None:
    x = jnp.ones((2, 8), jnp.bfloat16)
    forward = hk.transform(lambda x: DenseBlock(2.0)(layer_norm(Linear(8, name="first")(x))))
    params = forward.init(jax.random.key(0), x)
    assert forward.apply(params, None, x).dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}


def test_trainable_weights_keep_the_variance_and_public_ones_are_zero() -> None:
    x = np.random.default_rng(0).normal(size=(200, 256)).astype(np.float32)
    trainable = hk.transform(lambda x: Linear(256, with_bias=False)(x))
    zero = hk.transform(lambda x: Linear(256, with_bias=False, init="public")(x))
    key = jax.random.key(0)
    assert np.var(trainable.apply(trainable.init(key, x), None, x)) == pytest.approx(1.0, rel=0.1)
    assert not np.any(zero.apply(zero.init(key, x), None, x))


def test_linear_refuses_a_scalar() -> None:
    with pytest.raises(ValueError, match="got a scalar"):
        hk.transform(lambda: Linear(3)(jnp.float32(1))).init(jax.random.key(0))


def test_dense_block_leaves_its_parameters_in_the_scope_of_the_caller() -> None:
    params = hk.transform(lambda x: DenseBlock(2.0)(x)).init(jax.random.key(0), jnp.ones((1, 8)))
    assert sorted(params) == ["linear", "linear_1", "linear_v"]


def test_dropout_keeps_the_mean_and_acts_only_where_random_numbers_are_given() -> None:
    drop = hk.transform(lambda x: dropout(x, 0.25))
    x = jnp.ones(40_000)
    np.testing.assert_array_equal(drop.apply({}, None, x), x)
    dropped = drop.apply({}, jax.random.key(0), x)
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(float(jnp.mean(dropped)) - 1) < 0.02


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3), (0, 3)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_matrix_product_has_the_gradient_of_a_product(
    shape: tuple[int, ...], dtype: jnp.dtype
) -> None:
    generator = np.random.default_rng(0)
    x, w, change = (
        jnp.asarray(generator.normal(size=size), dtype)
        for size in (shape, (3, 5), (*shape[:-1], 5))
    )
    y, gradient = jax.vjp(matrix_product, x, w)
    expected, expected_gradient = jax.vjp(jnp.dot, x, w)
    np.testing.assert_array_equal(y, expected)
    tolerance = 1e-5 if dtype == jnp.float32 else 0.05
    for ours, theirs in zip(gradient(change), expected_gradient(change), strict=True):
        assert ours.dtype == dtype
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(
            ours.astype(jnp.float32), theirs.astype(jnp.float32), rtol=tolerance, atol=tolerance
        )


def test_norm_has_the_gradient_of_its_formula() -> None:
    generator = np.random.default_rng(0)
    x, change = (jnp.asarray(generator.normal(size=(2, 3, 5)), jnp.float32) for _ in range(2))
    scale = jnp.asarray(generator.normal(size=5), jnp.float32)

    def plain(x: jax.Array, scale: jax.Array) -> jax.Array:
        return scale * x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-5)

    y, gradient = jax.vjp(scaled_norm, x, scale)
    expected, expected_gradient = jax.vjp(plain, x, scale)
    for ours, theirs in zip(
        [y, *gradient(change)], [expected, *expected_gradient(change)], strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_sum_of_the_last_axis_has_the_gradient_of_a_sum() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 4)), jnp.float32)
    np.testing.assert_allclose(sum_last(x), x.sum(axis=-1, keepdims=True), rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda x: jnp.sum(sum_last(x) ** 2))(x)
    np.testing.assert_allclose(
        gradient, 2 * jnp.broadcast_to(x.sum(-1, keepdims=True), x.shape), rtol=1e-5, atol=1e-5
    )
