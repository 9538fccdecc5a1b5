"""Attributes as vectors, which are added to the tokens of users and posts.

Glossary of shapes:
  W: numbers of all attributes of a token, D: model width.
"""

from collections.abc import Sequence

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from phoenix.data.attributes import MISSING, Attribute, width


def summed_vectors(attributes: Sequence[Attribute], values: ArrayLike, emb_size: int) -> jax.Array:
    """The vectors of all attributes, added up.

    Args:
      attributes: At least one.
      values: `[..., W]` float32, see `Attribute`.
      emb_size: D.

    Returns:
      `[..., D]` float32.

    Raises:
      ValueError: If there are other than W numbers.
    """
    numbers = jnp.asarray(values, jnp.float32)
    if numbers.shape[-1] != width(attributes):
        raise ValueError(
            f"Attributes: expected the {width(attributes)} numbers of "
            f"{[attribute.name for attribute in attributes]}, got {numbers.shape[-1]}."
        )
    ends = np.cumsum([attribute.length for attribute in attributes])
    parts = jnp.split(numbers, ends[:-1], axis=-1)
    vectors = [_vectors_of(*pair, emb_size) for pair in zip(attributes, parts, strict=True)]
    return sum(vectors[1:], vectors[0])


def _vectors_of(attribute: Attribute, values: jax.Array, emb_size: int) -> jax.Array:
    """`[..., length]` values of one attribute as `[..., D]`."""
    initializer = hk.initializers.VarianceScaling(1.0, mode="fan_out")

    def matrix(name: str, num_rows: int) -> jax.Array:
        """The parameter `[num_rows, D]` of this attribute, float32."""
        name = f"attribute_{attribute.name}_{name}"
        return hk.get_parameter(name, [num_rows, emb_size], jnp.float32, init=initializer)

    if attribute.kind == "raw":
        slope, offset = matrix("projection", 2)
        is_known = ~jnp.isnan(values)
        # Twice, because the gradient of a branch that is not taken would still be NaN.
        return jnp.where(is_known, jnp.where(is_known, values, 0.0) * slope + offset, 0.0)
    if attribute.kind == "vector":
        is_known = ~jnp.any(jnp.isnan(values), axis=-1, keepdims=True)
        return jnp.where(is_known, values, 0.0) @ matrix("projection", attribute.length)
    rows = jnp.take(matrix("table", attribute.table_size), values.astype(jnp.int32), axis=0)
    if attribute.kind != "sequence":
        return rows[..., 0, :]
    is_there = (values != MISSING).astype(jnp.float32)
    # The mean of what is there: a long sequence must not outweigh the ids; an empty one is zero.
    count = jnp.maximum(jnp.sum(is_there, axis=-1, keepdims=True), 1.0)
    return jnp.sum(rows * is_there[..., None], axis=-2) / count
