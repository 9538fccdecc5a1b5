"""Rotary positions: their formula, and products that depend on distances alone."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.nn.rotary import RotaryEmbedding, rotate, rotate_half, rotation


def test_rotation_of_position_zero_changes_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(2, 1, 3, 8)).astype(np.float32)
    np.testing.assert_array_equal(rotate(x, rotation(np.zeros(1), 8)), x)


def test_products_of_rotated_vectors_depend_on_the_distance_only() -> None:
    q, k = np.random.default_rng(0).normal(size=(2, 1, 1, 1, 8)).astype(np.float32)

    def product(query_position: int, key_position: int) -> float:
        places = [rotation(np.array([p]), 8) for p in (query_position, key_position)]
        return float(jnp.sum(rotate(q, places[0]) * rotate(k, places[1])))

    assert product(9, 4) == pytest.approx(product(105, 100), abs=1e-4)
    assert product(9, 4) != pytest.approx(product(9, 5), abs=1e-2)


def test_rotary_embedding_equals_its_formula_for_every_kind_of_position() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 1, 4)).astype(np.float32)

    def expected(positions: np.ndarray) -> np.ndarray:
        phase = positions[:, :, None, None] * np.array([1.0, 0.01, 1.0, 0.01])
        return x * np.cos(phase) + rotate_half(x) * np.sin(phase)

    def rotary(**options: object) -> jax.Array:
        return hk.transform(lambda: RotaryEmbedding(4)(x, 1, **options)).apply({}, None)

    t = np.array([[5, 1, 7]])
    cases = [
        ({}, np.array([[0, 1, 2]])),
        ({"offset": 3}, np.array([[3, 4, 5]])),
        ({"offset": np.array([3, 8])}, np.array([[3, 4, 5], [8, 9, 10]])),
        ({"const_position": 0}, np.zeros((1, 3))),
        ({"const_position": 6}, np.full((1, 3), 6)),
        ({"t": t}, t),
    ]
    for options, positions in cases:
        np.testing.assert_allclose(rotary(**options), expected(positions), atol=1e-5)


def test_rotary_embedding_refuses_an_odd_size() -> None:
    with pytest.raises(ValueError, match=r"RotaryEmbedding.dim.*even.*got 5"):
        hk.transform(lambda: RotaryEmbedding(5)).apply({}, None)


def test_a_table_of_positions_gives_each_user_the_row_of_their_own() -> None:
    table = rotation(np.arange(9), 6)
    positions = np.array([5, 0, 8])
    for part, expected in zip(
        table.at(jnp.asarray(positions)), rotation(positions[:, None], 6), strict=True
    ):
        np.testing.assert_array_equal(part, expected)
