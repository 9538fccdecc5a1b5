"""Rotary positions: queries and keys, turned by angles that grow with their positions.

The product of a turned query with a turned key depends on how far apart they stand and on nothing
else of their positions, so attention reads distances without a table of positions.
Source: Su et al. 2021, "RoFormer", in the layout of halves.

Glossary of shapes:
  B: batch, T: sequence, K: key size.
"""

from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

ROTARY_BASE = 10_000


def rotate_half(x: jax.Array) -> jax.Array:
    """Maps `[x1, x2]`, the halves of the last axis, to `[-x2, x1]`.

    >>> rotate_half(jnp.array([1, 2, 3, 4])).tolist()
    [-3, -4, 1, 2]
    """
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([-second, first], axis=-1)


class Rotation(NamedTuple):
    """The cosines and sines of rotary positions, each `[B or 1, T or 1, 1, K/2]` float32."""

    cosine: ArrayLike
    sine: ArrayLike

    def at(self, positions: jax.Array) -> "Rotation":
        """The rows of a table over positions 0, 1, ... at `positions` `[B]`: one per user."""
        rows = [jnp.asarray(part)[0, positions][:, None] for part in self]
        return Rotation(*rows)


def rotation(positions: np.ndarray | jax.Array, size: int, base: float = ROTARY_BASE) -> Rotation:
    """Angles `t * f_j` with `f_j = base^(-2j / K)`, as cosines and sines.

    Args:
      positions: `[T]` or `[B or 1, T or 1]`. NumPy positions give constants, which spare the
        compiled program the trigonometry.
      size: K, even.
      base: The slowest rotation has about this many positions per radian.

    >>> [part.shape for part in rotation(np.arange(5), size=8)]
    [(1, 5, 1, 4), (1, 5, 1, 4)]
    """
    numpy = np if isinstance(positions, np.ndarray) else jnp
    frequency = base ** (-np.arange(0, size, 2, dtype=np.float32) / size)  # [K/2]
    phase = numpy.atleast_2d(positions).astype(np.float32)[..., None, None] * frequency
    return Rotation(numpy.cos(phase), numpy.sin(phase))


def rotate(x: jax.Array, by: Rotation) -> jax.Array:
    """Rotates pairs of features by an angle that grows with the position (RoPE, halves layout).

    `y = x * cos + rotate_half(x) * sin` in float32, cast to the dtype of `x`, which is
    `[B, T, heads, K]`. A product of two rotated vectors depends on the distance of their positions.

    >>> x = jnp.array([1.0, 0.0]).reshape(1, 1, 1, 2)
    >>> turns = rotation(np.array([np.pi / 2]), size=2)
    >>> rotate(x, turns).round(3).ravel().tolist()
    [-0.0, 1.0]
    """
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    # By halves, because `rotate_half` would write a turned copy of the whole.
    halves = [first * by.cosine - second * by.sine, second * by.cosine + first * by.sine]
    return jnp.concatenate(halves, axis=-1).astype(x.dtype)


class RotaryEmbedding(hk.Module):
    """Rotary position embedding of public signature; see `rotate` for the formula."""

    def __init__(self, dim: int, base_exponent: int = ROTARY_BASE, name: str | None = None) -> None:
        """Args: `dim` is K, even; `base_exponent` is the base of the frequencies.

        Raises:
          ValueError: If `dim` is odd.
        """
        super().__init__(name=name)
        if dim % 2:
            raise ValueError(f"`RotaryEmbedding.dim`: expected an even size, got {dim}.")
        self.dim = dim
        self.base_exponent = base_exponent

    def __call__(
        self,
        x: jax.Array,
        seq_dim: int = 1,
        offset: ArrayLike = 0,
        const_position: int | None = None,
        t: jax.Array | None = None,
    ) -> jax.Array:
        """Rotates `x` of shape `[B, T, heads, K]`.

        Args:
          x: Queries or keys.
          seq_dim: The axis of T; only 1 is supported, as in the models.
          offset: Position of the first element, a scalar or `[B]`.
          const_position: One position for all elements, 0 included.
          t: Explicit positions `[B or 1, T]`; wins over the others.

        Raises:
          ValueError: If `seq_dim` is not 1 or K is not `dim`.
        """
        if seq_dim != 1 or x.shape[-1] != self.dim:
            raise ValueError(
                f"`RotaryEmbedding`: expected [B, T, heads, {self.dim}] with `seq_dim` 1, "
                f"got {x.shape} with `seq_dim` {seq_dim}."
            )
        if t is None:
            length = x.shape[seq_dim]
            if const_position is not None:
                t = jnp.full([1, length], const_position)
            else:
                t = jnp.reshape(jnp.asarray(offset), [-1, 1]) + jnp.arange(length)
        return rotate(x, rotation(t, self.dim, self.base_exponent))
