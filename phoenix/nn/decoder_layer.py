"""A layer of the transformer trunk: its two equations, over a context or over candidates.

    h = h + norm_1(attention(norm_0(h)))
    h = h + norm_3(feed_forward(norm_2(h)))

Glossary of shapes:
  B: batch, T: sequence, S: history, C: candidates, D: model width.
"""

import haiku as hk
import jax

from phoenix.nn.attention import KeysValues, MultiHeadAttention, heads_first
from phoenix.nn.layers import DenseBlock, dropout, layer_norm
from phoenix.nn.rotary import Rotation
from phoenix.nn.trunk_config import TrunkConfig


class DecoderLayer(hk.Module):
    """One layer of the trunk, over a context, or over candidates given a context."""

    def __init__(self, config: TrunkConfig, name: str | None = None) -> None:
        """Args: `config` of the trunk; D comes from the input."""
        super().__init__(name=name)
        self.config = config

    def __call__(
        self, h: jax.Array, places: Rotation, bias: jax.Array
    ) -> tuple[jax.Array, KeysValues]:
        """Encodes a context.

        Args:
          h: `[B, T, D]`.
          places: Rotation of the positions `[T]`.
          bias: `[B or 1, 1, 1, T or 1, T]`, from `attention_bias`; hides every later position
            where the history is causal.

        Returns:
          The new `h`, and the keys and values by which candidates attend to this layer.
        """
        attention = self._attention(h)
        normed = self._norm(h, "rms_norm")
        context = heads_first(attention.keys_values(normed, places))
        is_causal = self.config.history_attention == "causal"
        attend = attention.attend_to_past if is_causal else attention.attend
        attended = attend(attention.queries(normed, places), context, bias)
        return self._with_residuals(h, attended), context

    @hk.transparent
    def _with_residuals(self, h: jax.Array, attended: jax.Array) -> jax.Array:
        """Both equations of a layer, `[B, T, D]`, given `attended = attention(norm_0(h))`."""
        rate, feed_forward = self.config.dropout_rate, self._feed_forward()
        h = h + dropout(self._norm(attended, "rms_norm_1"), rate)
        change = feed_forward(self._norm(h, "rms_norm_2"))
        return h + dropout(self._norm(change, "rms_norm_3"), rate)

    @hk.name_like("__call__")
    def keys_values(self, h: jax.Array, places: Rotation) -> KeysValues:
        """Only the keys and values of a context: all that a last layer needs of it."""
        normed = self._norm(h, "rms_norm")
        return heads_first(self._attention(h).keys_values(normed, places))

    @hk.name_like("__call__")
    def candidates(
        self,
        h: jax.Array,
        places: Rotation,
        context: KeysValues,
        bias: jax.Array,
        is_valid: jax.Array,
    ) -> jax.Array:
        """Encodes candidates that see the context and themselves.

        Args:
          h: `[B, C, D]`.
          places: Rotation of the positions `[C]` or `[B, 1]`.
          context: Its keys and values at this layer.
          bias: `[B, 1, 1, 1, 1+S]`, from `attention_bias`.
          is_valid: `[B, C]` bool.

        Returns:
          The new `h`.
        """
        attention = self._attention(h)
        normed = self._norm(h, "rms_norm")
        own = attention.keys_values(normed, places)
        queries = attention.queries(normed, places)
        attended = attention.attend_with_self(queries, context, bias, own, is_valid)
        return self._with_residuals(h, attended)

    @hk.transparent
    def _attention(self, h: jax.Array) -> MultiHeadAttention:
        config = self.config
        return MultiHeadAttention(
            config.num_q_heads,
            config.num_kv_heads,
            config.key_size,
            with_bias=False,
            model_size=h.shape[-1],
            attn_output_multiplier=config.attn_output_multiplier,
            init=config.init,
            name="multi_head_attention",
        )

    @hk.transparent
    def _feed_forward(self) -> DenseBlock:
        return DenseBlock(self.config.widening_factor, init=self.config.init)

    @hk.transparent
    def _norm(self, h: jax.Array, name: str) -> jax.Array:
        return layer_norm(h, init=self.config.init, name=name)
