"""The two ways to attend to a context, and to the past."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.nn.attention import MultiHeadAttention, heads_first
from phoenix.nn.masks import attention_bias, make_recsys_attn_mask
from phoenix.nn.rotary import rotation
from tests.phoenix.model_inputs import random_params, transformed


def attention(x: jax.Array, mask: jax.Array) -> jax.Array:
    return MultiHeadAttention(4, 2, 6, model_size=x.shape[-1], attn_output_multiplier=0.4)(
        x, x, x, mask
    )


def attention_in_parts(x: jax.Array, num_context: int, mask: jax.Array) -> jax.Array:
    module = MultiHeadAttention(4, 2, 6, model_size=x.shape[-1], attn_output_multiplier=0.4)
    places = rotation(np.arange(num_context), 6)
    own_places = rotation(np.arange(num_context, x.shape[1]), 6)
    context, candidates = x[:, :num_context], x[:, num_context:]
    sequence = heads_first(module.keys_values(context, places))
    own = module.keys_values(candidates, own_places)
    queries = module.queries(candidates, own_places)
    bias = attention_bias(mask[:, :num_context])[:, None, None, None]
    return module.attend_with_self(queries, sequence, bias, own, mask[:, num_context:])


def test_attention_in_parts_equals_attention_under_the_square_mask() -> None:
    x = np.random.default_rng(0).normal(size=(2, 7, 12)).astype(np.float32)
    valid = np.ones((2, 7), bool)
    valid[1, [0, 2, 6]] = False
    mask = make_recsys_attn_mask(7, 4) * valid[:, None, None]
    whole, parts = transformed(attention), hk.transform(attention_in_parts)
    params = random_params(whole.init, x, mask)
    together = whole.apply(params, x, mask)[:, 4:]
    np.testing.assert_allclose(parts.apply(params, None, x, 4, valid), together, atol=1e-5)


def attention_to_past(x: jax.Array, mask: jax.Array) -> jax.Array:
    module = MultiHeadAttention(4, 2, 6, model_size=x.shape[-1], attn_output_multiplier=0.4)
    places = rotation(np.arange(x.shape[1]), 6)
    sequence = heads_first(module.keys_values(x, places))
    bias = attention_bias(mask[:, :, None])
    return module.attend_to_past(module.queries(x, places), sequence, bias)


@pytest.mark.parametrize("length", [7, 83, 129, 200])
def test_attention_to_the_past_in_blocks_equals_attention_under_the_causal_mask(
    length: int,
) -> None:
    x = np.random.default_rng(0).normal(size=(2, length, 12)).astype(np.float32)
    valid = np.ones((2, length), bool)
    valid[1, [0, 2, length - 1]] = False
    mask = make_recsys_attn_mask(length, length) * valid[:, None, None]
    whole, blockwise = transformed(attention), hk.transform(attention_to_past)
    params = random_params(whole.init, x, mask)
    np.testing.assert_allclose(
        blockwise.apply(params, None, x, mask), whole.apply(params, x, mask), atol=1e-5
    )
    change = jax.grad(lambda x: jnp.sum(blockwise.apply(params, None, x, mask) ** 2))(x)
    expected = jax.grad(lambda x: jnp.sum(whole.apply(params, x, mask) ** 2))(x)
    np.testing.assert_allclose(change, expected, atol=1e-4 * np.abs(expected).max())


def test_a_query_that_sees_nothing_gets_zero() -> None:
    x = np.random.default_rng(0).normal(size=(1, 3, 12)).astype(np.float32)
    mask = np.ones((1, 1, 3, 3), np.float32)
    mask[0, 0, 1] = 0
    whole = transformed(attention)
    out = whole.apply(random_params(whole.init, x, mask), x, mask)
    assert not np.any(out[0, 1])
    assert np.all(np.any(out[0, [0, 2]], axis=-1))


def test_capped_logits_stay_finite_for_huge_inputs() -> None:
    x = 1e6 * np.random.default_rng(0).normal(size=(1, 3, 12)).astype(np.float32)
    mask = np.ones((1, 1, 3, 3), np.float32)
    whole = transformed(attention)
    assert np.all(np.isfinite(whole.apply(random_params(whole.init, x, mask), x, mask)))


@pytest.mark.parametrize(
    ("value_length", "mask_shape", "message"),
    [(2, (1, 1, 3, 3), "`value`: expected"), (3, (1, 3, 3), "`mask`: expected")],
)
def test_misfitting_shapes_are_refused(
    value_length: int, mask_shape: tuple[int, ...], message: str
) -> None:
    def call() -> jax.Array:
        x = jnp.ones((1, 3, 8))
        return MultiHeadAttention(2, 2, 4)(x, x, x[:, :value_length], jnp.ones(mask_shape))

    with pytest.raises(ValueError, match=message):
        hk.transform(call).init(jax.random.key(0))


def test_key_value_heads_must_divide_query_heads() -> None:
    with pytest.raises(ValueError, match=r"num_q_heads.*multiple.*\(2\), got 3"):
        hk.transform(lambda: MultiHeadAttention(3, 2, 4)).init(jax.random.key(0))
