"""The trunk: who depends on whom, and that it can be trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.grok import TransformerConfig
from tests.phoenix.model_inputs import random_params, transformed, trunk

SIZE, OFFSET = 8, 5


def encode(config: TransformerConfig, offset: int | None = OFFSET):
    def forward(x: jax.Array, mask: jax.Array) -> jax.Array:
        return config.make()(x, mask, offset).embeddings

    return transformed(forward)


def influence(config: TransformerConfig, offset: int | None, mask: np.ndarray) -> np.ndarray:
    """Whether output position (row) depends on input position (column), by gradients."""
    x = np.random.default_rng(0).normal(size=(1, SIZE, 16)).astype(np.float32)
    model = encode(config, offset)
    params = random_params(model.init, x, mask)
    jacobian = jax.jacrev(lambda x: jnp.sum(model.apply(params, x, mask)[0] ** 2, axis=-1))(x)
    return np.any(np.asarray(jacobian)[:, 0] != 0, axis=-1)  # [T, T]


def test_context_is_causal_and_candidates_are_isolated() -> None:
    expected = np.tril(np.ones((SIZE, SIZE), bool))
    expected[OFFSET:, OFFSET:] = np.eye(SIZE - OFFSET, dtype=bool)
    actual = influence(trunk(), OFFSET, np.ones((1, SIZE), bool))
    np.testing.assert_array_equal(actual, expected)


def test_without_candidates_everything_is_causal() -> None:
    actual = influence(trunk(), None, np.ones((1, SIZE), bool))
    np.testing.assert_array_equal(actual, np.tril(np.ones((SIZE, SIZE), bool)))


def test_full_history_attention_sees_the_whole_context_and_no_candidate() -> None:
    expected = np.zeros((SIZE, SIZE), bool)
    expected[:, :OFFSET] = True
    expected[OFFSET:, OFFSET:] = np.eye(SIZE - OFFSET, dtype=bool)
    actual = influence(trunk(history_attention="full"), OFFSET, np.ones((1, SIZE), bool))
    np.testing.assert_array_equal(actual, expected)


def test_padding_influences_nothing_valid() -> None:
    mask = np.ones((1, SIZE), bool)
    mask[0, [0, 2, 6]] = False
    actual = influence(trunk(), OFFSET, mask)
    valid = np.flatnonzero(mask[0])
    assert not np.any(actual[np.ix_(valid, [0, 2, 6])])


@pytest.mark.parametrize("positions", ["shared", "slot"])
def test_context_and_candidates_apart_equal_the_whole(positions: str) -> None:
    config = trunk(candidate_positions=positions)
    x = np.random.default_rng(0).normal(size=(2, SIZE, 16)).astype(np.float32)
    mask = np.ones((2, SIZE), bool)
    mask[1, 3:6] = False

    def apart(x: jax.Array, mask: jax.Array) -> jax.Array:
        model = config.make()
        context = model.encode_context(x[:, :OFFSET], mask[:, :OFFSET])
        cuts = [(OFFSET, OFFSET + 1), (OFFSET + 1, SIZE)]
        blocks = [
            model.score_candidates(context, x[:, a:b], mask[:, a:b], first_slot=a - OFFSET)
            for a, b in cuts
        ]
        return jnp.concatenate(blocks, axis=1)

    whole = encode(config)
    params = random_params(whole.init, x, mask)
    np.testing.assert_allclose(
        transformed(apart).apply(params, x, mask),
        whole.apply(params, x, mask)[:, OFFSET:],
        atol=1e-5,
    )


def test_the_context_alone_and_the_whole_have_the_same_parameters() -> None:
    x, mask = np.ones((1, SIZE, 16), np.float32), np.ones((1, SIZE), bool)
    with_candidates = jax.eval_shape(encode(trunk()).init, jax.random.key(0), x, mask)
    without = jax.eval_shape(encode(trunk(), None).init, jax.random.key(0), x, mask)
    assert jax.tree.map(jnp.shape, with_candidates) == jax.tree.map(jnp.shape, without)


def test_public_keeps_the_sizes_and_gives_the_public_options() -> None:
    config = trunk(history_attention="full", num_layers=3).public()
    assert config == trunk(
        num_layers=3, init="public", history_attention="causal", candidate_positions="slot"
    )
