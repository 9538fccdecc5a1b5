"""The sums of attention against their plain definition, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.nn.capped_softmax import capped, quotient, weighted_values
from phoenix.nn.masks import attention_bias

MULTIPLIER = 0.7


def plain_sums(
    queries: jax.Array, keys: jax.Array, values: jax.Array, is_visible: jax.Array
) -> tuple[jax.Array, jax.Array]:
    products = jnp.einsum("bhgqk,bhtk->bhgqt", queries, keys)
    logits = 30 * jnp.tanh(products * MULTIPLIER / 30)
    weights = jnp.where(is_visible, jnp.exp(logits), 0)
    total = jnp.einsum("bhgqt,bhtv->bhgqv", weights, values)
    return total, jnp.sum(weights, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("users", "groups", "num_queries", "num_keys"),
    [(1, 1, 1, 1), (3, 1, 5, 5), (2, 3, 4, 1), (2, 2, 1, 5)],
)
def test_sums_and_gradients_are_those_of_the_definition(
    users: int, groups: int, num_queries: int, num_keys: int
) -> None:
    generator = np.random.default_rng(0)

    def some(*shape: int) -> jax.Array:
        return jnp.asarray(generator.normal(size=shape), jnp.float32)

    queries = some(users, 2, groups, num_queries, 4)
    keys, values = some(users, 2, num_keys, 4), some(users, 2, num_keys, 6)
    is_visible = jnp.asarray(generator.random((users, 1, 1, num_queries, num_keys)) < 0.7)
    bias = attention_bias(is_visible)
    expected, expected_gradient = jax.vjp(
        lambda *rows: plain_sums(*rows, is_visible), queries, keys, values
    )
    sums, gradient = jax.vjp(
        lambda *rows: weighted_values(*rows, bias, MULTIPLIER), queries, keys, values
    )
    changes = (some(*sums[0].shape), some(*sums[1].shape))
    for ours, theirs in zip(
        [*sums, *gradient(changes)], [*expected, *expected_gradient(changes)], strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_gradients_have_the_dtype_of_what_was_given() -> None:
    rows = [
        jnp.ones(shape, jnp.bfloat16) for shape in [(1, 1, 1, 2, 4), (1, 1, 3, 4), (1, 1, 3, 4)]
    ]
    bias = attention_bias(jnp.ones((1, 1, 1, 1, 3)))
    sums, gradient = jax.vjp(lambda *rows: weighted_values(*rows, bias, MULTIPLIER), *rows)
    assert {array.dtype for array in sums} == {jnp.dtype(jnp.float32)}
    assert {array.dtype for array in gradient(sums)} == {jnp.dtype(jnp.bfloat16)}


def test_logits_are_nearly_linear_around_zero_and_capped_beyond() -> None:
    products = jnp.asarray([-1e9, -1.0, 0.0, 1.0, 1e9])
    np.testing.assert_allclose(capped(products, 1.0), [-30, -1, 0, 1, 30], rtol=1e-3)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 1)])
def test_quotient_has_the_gradient_of_a_division(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    total = jnp.asarray(generator.normal(size=shape), jnp.float32)
    weight = jnp.asarray(generator.uniform(1, 2, (*shape[:-1], 1)), jnp.float32)
    change = jnp.asarray(generator.normal(size=shape), jnp.float32)
    mean, gradient = jax.vjp(quotient, total, weight)
    expected, expected_gradient = jax.vjp(jnp.divide, total, weight)
    np.testing.assert_array_equal(mean, expected)
    for ours, theirs in zip(gradient(change), expected_gradient(change), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
