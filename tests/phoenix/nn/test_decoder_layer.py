"""A layer of the trunk: one set of weights for context and candidates, who see only the context."""

import jax
import jax.numpy as jnp
import numpy as np

from phoenix.nn.attention import attention_bias, rotation
from phoenix.nn.decoder_layer import DecoderLayer
from tests.phoenix.model_inputs import random_params, transformed, trunk

CONFIG = trunk()
CONTEXT = np.random.default_rng(0).normal(size=(2, 5, 16)).astype(np.float32)
CANDIDATES = np.random.default_rng(1).normal(size=(2, 3, 16)).astype(np.float32)
PLACES = rotation(np.arange(5), CONFIG.key_size)
LAST = rotation(np.full(3, 5), CONFIG.key_size)
BIAS = attention_bias(np.ones((2, 1, 1, 1, 5), bool))


def encode(h: jax.Array):
    return DecoderLayer(CONFIG)(h, PLACES, BIAS)


def keys_values(h: jax.Array):
    return DecoderLayer(CONFIG).keys_values(h, PLACES)


def score(h: jax.Array) -> jax.Array:
    layer = DecoderLayer(CONFIG)
    context = layer.keys_values(CONTEXT, PLACES)
    return layer.candidates(h, LAST, context, BIAS, np.ones(h.shape[:2], bool))


PARAMS = random_params(transformed(encode).init, CONTEXT)


def test_the_keys_of_a_context_are_the_same_without_its_output() -> None:
    _, context = transformed(encode).apply(PARAMS, CONTEXT)
    alone = transformed(keys_values).apply(PARAMS, CONTEXT)
    jax.tree.map(np.testing.assert_array_equal, alone, context)


def test_context_and_candidates_have_the_same_weights() -> None:
    shapes = jax.eval_shape(transformed(score).init, jax.random.key(0), CANDIDATES)
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, PARAMS)


def test_a_candidate_does_not_see_the_others() -> None:
    changed = CANDIDATES.copy()
    changed[:, 1] += 1
    before, after = (transformed(score).apply(PARAMS, h) for h in (CANDIDATES, changed))
    np.testing.assert_array_equal(after[:, [0, 2]], before[:, [0, 2]])
    assert np.any(after[:, 1] != before[:, 1])
