"""Attention with grouped heads, rotary positions and capped logits.

Candidates attend to the user, the history and themselves, never to each other. That is computed as
a `[C, S+1]` product with the context plus one product of each candidate with itself; a square mask
over everything (`make_recsys_attn_mask`) says the same and is kept for those who want to see it.

Logits are capped to [-30, 30] before the softmax, so its exponentials need no maximum subtracted:
they stay between 1e-13 and 1e13. What is hidden gets a bias of -1e30 after the cap, hence weight 0;
one bias serves all layers and is cheaper than a selection. A query with nothing visible gets the
zero vector. A causal history is attended to in blocks, which leaves out a third of the square.

Glossary of shapes:
  B: batch, T: sequence, S: history, C: candidates, Q: queries of one call, D: model width,
  H: key/value heads, G: query heads per key/value head, K: key size, V: value size.
"""

from collections.abc import Sequence
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from phoenix.nn.capped_softmax import capped, quotient, weighted_values
from phoenix.nn.layers import Init, Linear, sum_last
from phoenix.nn.masks import attention_bias, causal_blocks
from phoenix.nn.rotary import Rotation, rotate, rotation


class KeysValues(NamedTuple):
    """Keys `[B, H, T, K]` and values `[B, H, T, V]`, by which others attend to a sequence."""

    keys: jax.Array
    values: jax.Array


class MultiHeadAttention(hk.Module):
    """Grouped-query attention with rotary positions and logits capped by `30 tanh(x / 30)`.

    Query head `h * G + g` reads key/value head `h`. Logits are `q . k * attn_output_multiplier`;
    nothing else scales them. Linear maps: `query`, `key`, `value`, `linear` (output), no biases.
    """

    def __init__(  # noqa: PLR0913 - the public signature
        self,
        num_q_heads: int,
        num_kv_heads: int,
        key_size: int,
        *,
        with_bias: bool = True,
        value_size: int | None = None,
        model_size: int | None = None,
        attn_output_multiplier: float = 1.0,
        init: Init = "trainable",
        name: str | None = None,
    ) -> None:
        """Takes the sizes of the heads.

        Args:
          num_q_heads: H * G.
          num_kv_heads: H; must divide `num_q_heads`.
          key_size: K, even.
          with_bias: Not read. The public signature has it, true by default, and the public maps
            have no bias for all that.
          value_size: V, K by default.
          model_size: D of the result, `key_size * num_q_heads` by default.
          attn_output_multiplier: Factor of the logits; `1 / sqrt(K)` is usual.
          init: Initial weights, see `linear_initializer`.
          name: Of the module.

        Raises:
          ValueError: If `num_kv_heads` does not divide `num_q_heads`.
        """
        del with_bias  # Nothing to refuse: true is the public default, without a bias.
        super().__init__(name=name)
        if num_q_heads % num_kv_heads:
            raise ValueError(
                "`MultiHeadAttention.num_q_heads`: expected a multiple of `num_kv_heads` "
                f"({num_kv_heads}), got {num_q_heads}."
            )
        self.num_kv_heads = num_kv_heads
        self.group_size = num_q_heads // num_kv_heads
        self.key_size = key_size
        self.value_size = value_size or key_size
        self.model_size = model_size or key_size * num_q_heads
        self.multiplier = attn_output_multiplier
        self.init: Init = init

    def __call__(
        self, query: jax.Array, key: jax.Array, value: jax.Array, mask: jax.Array
    ) -> jax.Array:
        """Attention under an explicit mask; positions count from 0 on both sides.

        Args:
          query: `[B, Q, D]`.
          key: `[B, T, D]`.
          value: `[B, T, D]`.
          mask: `[B or 1, 1, Q or 1, T or 1]`, nonzero where the query may attend.

        Returns:
          `[B, Q, model_size]`.

        Raises:
          ValueError: If the shapes of `key`, `value` and `mask` do not fit.
        """
        if key.shape[:2] != value.shape[:2]:
            raise ValueError(
                f"`value`: expected the batch and length of `key`, {key.shape[:2]}, "
                f"got {value.shape[:2]}."
            )
        if mask.ndim != 4 or mask.shape[1] != 1:
            raise ValueError(f"`mask`: expected [B or 1, 1, Q or 1, T or 1], got {mask.shape}.")
        keys = rotate(self._keys(key), self._places(key))
        sequence = heads_first(KeysValues(keys, self._values(value)))
        queries = self.queries(query, self._places(query))
        return self.attend(queries, sequence, attention_bias(mask[:, :, None]))

    @hk.name_like("__call__")
    def keys_values(self, x: jax.Array, places: Rotation) -> KeysValues:
        """Keys and values of `x` `[B, T, D]`, rotated to their places, `[B, T, H, ...]`."""
        return KeysValues(rotate(self._keys(x), places), self._values(x))

    @hk.name_like("__call__")
    def queries(self, x: jax.Array, places: Rotation) -> jax.Array:
        """Queries `[B, Q, H, G, K]` of `x` `[B, Q, D]`, rotated to their places."""
        num_heads = self.num_kv_heads * self.group_size
        heads = rotate(self._heads(x, "query", num_heads, self.key_size), places)  # [B, Q, H*G, K]
        return heads.reshape(*x.shape[:2], self.num_kv_heads, self.group_size, self.key_size)

    @hk.name_like("__call__")
    def attend(self, queries: jax.Array, sequence: KeysValues, bias: jax.Array) -> jax.Array:
        """Attention of `queries` to a `sequence`.

        Args:
          queries: `[B, Q, H, G, K]`.
          sequence: The sequence attended to, of length T, heads first.
          bias: `[B or 1, 1, 1, Q or 1, T or 1]`, from `attention_bias`.

        Returns:
          `[B, Q, model_size]`.
        """
        total, weight = self._weighted_values(queries, sequence, bias)
        return self._output(total, weight, queries.dtype)

    @hk.name_like("__call__")
    def attend_to_past(
        self, queries: jax.Array, sequence: KeysValues, bias: jax.Array
    ) -> jax.Array:
        """`attend` of a sequence to itself, where `bias` hides every later key.

        Computed in blocks of queries, each with the keys up to its end: most of what is hidden is
        never computed.

        Args:
          queries: `[B, T, H, G, K]`.
          sequence: Of the same sequence, heads first.
          bias: `[B or 1, 1, 1, T, T]`, from `attention_bias`.

        Returns:
          `[B, T, model_size]`.
        """
        blocks = causal_blocks(queries.shape[1])
        total, weight = self._weighted_values(queries, sequence, bias, blocks)
        return self._output(total, weight, queries.dtype)

    @hk.name_like("__call__")
    def attend_with_self(
        self,
        queries: jax.Array,
        sequence: KeysValues,
        bias: jax.Array,
        own: KeysValues,
        is_valid: jax.Array,
    ) -> jax.Array:
        """Attention of each query to a `sequence` and to its own key, not to the others'.

        Args:
          queries: `[B, C, H, G, K]`.
          sequence: The sequence attended to, of length T, heads first.
          bias: `[B or 1, 1, 1, C or 1, T or 1]`, from `attention_bias`.
          own: Keys and values of the queries themselves, `[B, C, H, ...]`.
          is_valid: `[B, C]`; an invalid candidate does not see itself.

        Returns:
          `[B, C, model_size]`.
        """
        total, weight = self._weighted_values(queries, sequence, bias)
        product = sum_last((queries * own.keys[:, :, :, None]).astype(jnp.float32))
        self_bias = attention_bias(is_valid)[:, :, None, None, None]
        logits = capped(product, self.multiplier)
        # One key per query: its sum over keys is itself, and joins the sums over the sequence.
        self_weight = jnp.exp(logits + self_bias)  # [B, C, H, G, 1]
        total = total + self_weight * own.values[:, :, :, None].astype(jnp.float32)
        return self._output(total, weight + self_weight, queries.dtype)

    def _places(self, x: jax.Array) -> Rotation:
        """The rotation of positions 0, 1, ... of a sequence `[B, T, D]`."""
        return rotation(np.arange(x.shape[1]), self.key_size)

    @hk.transparent
    def _keys(self, x: jax.Array) -> jax.Array:
        """`[B, T, H, K]` of `x` `[B, T, D]`, not rotated."""
        return self._heads(x, "key", self.num_kv_heads, self.key_size)

    @hk.transparent
    def _values(self, x: jax.Array) -> jax.Array:
        """`[B, T, H, V]` of `x` `[B, T, D]`."""
        return self._heads(x, "value", self.num_kv_heads, self.value_size)

    @hk.transparent
    def _heads(self, x: jax.Array, name: str, num_heads: int, size: int) -> jax.Array:
        """Projects `[B, T, D]` to `[B, T, num_heads, size]` by the map called `name`."""
        flat = Linear(num_heads * size, with_bias=False, init=self.init, name=name)(x)
        return flat.reshape(*x.shape[:-1], num_heads, size)

    @hk.transparent
    def _weighted_values(
        self,
        queries: jax.Array,
        sequence: KeysValues,
        bias: jax.Array,
        blocks: Sequence[tuple[int, int | None]] = ((0, None),),
    ) -> tuple[jax.Array, jax.Array]:
        """Softmax numerator `[B, Q, H, G, V]` and denominator `[B, Q, H, G, 1]`, float32.

        The queries of each of the `blocks`, from start to end, attend to the keys before its end.
        """
        heads_first_queries = queries.transpose(0, 2, 3, 1, 4)
        sums = [
            weighted_values(
                heads_first_queries[..., start:end, :],
                sequence.keys[:, :, :end],
                sequence.values[:, :, :end],
                bias[..., start:end, :end],
                self.multiplier,
            )
            for start, end in blocks
        ]
        total, weight = (jnp.concatenate(parts, axis=3) for parts in zip(*sums, strict=True))
        heads_last = (0, 3, 1, 2, 4)
        return total.transpose(heads_last), weight.transpose(heads_last)

    @hk.transparent
    def _output(self, total: jax.Array, weight: jax.Array, dtype: DTypeLike) -> jax.Array:
        """Normalises, joins the heads to `[B, Q, H*G*V]` and maps them to the model width."""
        # A query that sees nothing has weight 0 and total 0: 0 / 1 instead of 0 / 0.
        mean = quotient(total, jnp.where(weight > 0, weight, 1.0)).astype(dtype)
        flat = mean.reshape(*mean.shape[:2], -1)
        return Linear(self.model_size, with_bias=False, init=self.init, name="linear")(flat)


def heads_first(sequence: KeysValues) -> KeysValues:
    """`[B, T, H, ...]` as `[B, H, T, ...]`, the layout of batched matrix products.

    >>> keys, values = jnp.zeros((2, 5, 3, 8)), jnp.zeros((2, 5, 3, 4))
    >>> [part.shape for part in heads_first(KeysValues(keys, values))]
    [(2, 3, 5, 8), (2, 3, 5, 4)]
    """
    return KeysValues(sequence.keys.transpose(0, 2, 1, 3), sequence.values.transpose(0, 2, 1, 3))
