"""The transformer trunk of the Phoenix models.

A layer normalises before and after each of its two blocks ("sandwich norm"):

    h = h + norm_1(attention(norm_0(h)))
    h = h + norm_3(feed_forward(norm_2(h)))

Computed here in blocks, for speed. The same model by its definition, one user and one query at a
time on one screen of NumPy, is `_trunk` and `_attention` of `tests/phoenix/reference_model.py`;
the tests hold this one to it.

The sequence is `[user | history | candidates]`. User and history, together the *context*, never
look at candidates, so they are encoded once (`encode_context`) and any number of candidates is
scored against them (`score_candidates`); `__call__` does one after the other.

Glossary of shapes:
  B: batch, T: sequence, S: history, C: candidates, D: model width.
"""

import dataclasses
from typing import ClassVar, Literal, NamedTuple, Self

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from phoenix.config import JsonConfig, check, check_choice, check_counts, is_number
from phoenix.nn.attention import KeysValues, MultiHeadAttention, heads_first
from phoenix.nn.layers import (
    DenseBlock,
    Init,
    Linear,
    RMSNorm,
    dropout,
    ffn_size,
    hk_rms_norm,
    layer_norm,
)
from phoenix.nn.masks import attention_bias, make_recsys_attn_mask
from phoenix.nn.rotary import RotaryEmbedding, Rotation, rotate_half, rotation

__all__ = [
    "CandidatePositions",
    "Context",
    "DecoderLayer",
    "DenseBlock",
    "HistoryAttention",
    "Init",
    "KeysValues",
    "Linear",
    "MultiHeadAttention",
    "RMSNorm",
    "RotaryEmbedding",
    "TrainingState",
    "Transformer",
    "TransformerConfig",
    "TransformerOutput",
    "ffn_size",
    "hk_rms_norm",
    "layer_norm",
    "make_recsys_attn_mask",
    "rotate_half",
]

HistoryAttention = Literal["causal", "full"]
CandidatePositions = Literal["shared", "slot"]


class TrainingState(NamedTuple):
    """The parameters, as a model runner initialises them."""

    params: hk.MutableParams


class TransformerOutput(NamedTuple):
    """Residual stream after the last layer, `[B, T, D]`, not normalised."""

    embeddings: jax.Array


class Context(NamedTuple):
    """The encoded user and history: all that scoring a candidate needs to know about them.

    A pytree, so it can be kept, moved and passed to a jitted `score_candidates`.
    """

    layers: tuple[KeysValues, ...]  # one per layer, over the 1+S context positions
    mask: jax.Array  # [B, 1+S] bool, true where the context is valid
    next_position: jax.Array  # [B] int32, the position after the last valid context position
    user: jax.Array | None = None  # [B, D] float32, from a ranker that multiplies it with posts


@dataclasses.dataclass(frozen=True)
class TransformerConfig(JsonConfig):
    """Sizes and options of the trunk. The first eight fields are the public ones.

    Attributes:
      emb_size: D; must equal the `emb_size` of the model.
      key_size: K, the width of a query and key head; even.
      num_q_heads: Query heads, a multiple of `num_kv_heads`.
      num_kv_heads: Key/value heads; fewer of them make a smaller context to keep per user.
      num_layers: Decoder layers.
      widening_factor: Width of the feed-forward block before the two thirds of the gate.
      attn_output_multiplier: Factor of the attention logits. `1 / sqrt(key_size)` is the usual
        choice; the public default of 1 makes attention peaky from the start.
      name: Kept for the public signature; the trunk is always called `transformer`.
      init: "trainable" (norm scales 1, linear maps of variance 1 / fan-in) to train; "public"
        (both 0) only to compare with the public models: at that point all trunk gradients are 0.
      history_attention: "causal" as in the public models; "full" lets older events see newer ones.
        Neither lets context see candidates. Choose "full" when histories are short and the order
        in them matters little.
      dropout_rate: Share of the features of every token, and of what every block adds to it, that
        is set to 0 in training. Up to 0.5 when data is little; only next-item training uses it.
      candidate_positions: "shared" puts every candidate right after the last valid history
        position, so that a score does not depend on the slot; "slot" numbers the slots on from
        the history, as the public models do.
    """

    emb_size: int
    key_size: int
    num_q_heads: int
    num_kv_heads: int
    num_layers: int
    widening_factor: float = 4.0
    attn_output_multiplier: float = 1.0
    name: str | None = None
    init: Init = "trainable"
    history_attention: HistoryAttention = "causal"
    candidate_positions: CandidatePositions = "shared"
    dropout_rate: float = 0.0

    _choices: ClassVar[dict[str, tuple[str, ...]]] = {
        "init": ("trainable", "public"),
        "history_attention": ("causal", "full"),
        "candidate_positions": ("shared", "slot"),
    }

    def __post_init__(self) -> None:
        """Checks the fields, alone and against each other."""
        check_counts(self, ("emb_size", "key_size", "num_q_heads", "num_kv_heads", "num_layers"))
        for field, choices in self._choices.items():
            check_choice(self, field, choices)
        check(
            self.key_size % 2 == 0,
            "TransformerConfig.key_size",
            expected="an even size (rotary positions turn pairs)",
            got=self.key_size,
        )
        check(
            self.num_q_heads % self.num_kv_heads == 0,
            "TransformerConfig.num_q_heads",
            expected=f"a multiple of `num_kv_heads` ({self.num_kv_heads})",
            got=self.num_q_heads,
        )
        check(
            is_number(self.dropout_rate) and 0 <= self.dropout_rate < 1,
            "TransformerConfig.dropout_rate",
            expected="a number in [0, 1)",
            got=self.dropout_rate,
        )
        for field in ("widening_factor", "attn_output_multiplier"):
            value = getattr(self, field)
            is_positive = is_number(value) and value > 0
            check(is_positive, f"TransformerConfig.{field}", expected="a number > 0", got=value)

    def make(self) -> "Transformer":
        """A trunk of this configuration, inside `hk.transform`."""
        return Transformer(config=self)

    def public(self) -> Self:
        """The same sizes with the initial values, mask and positions of the public models."""
        return dataclasses.replace(
            self, init="public", history_attention="causal", candidate_positions="slot"
        )


class DecoderLayer(hk.Module):
    """One layer of the trunk, over a context, or over candidates given a context."""

    def __init__(self, config: TransformerConfig, name: str | None = None) -> None:
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


class Transformer(hk.Module):
    """The trunk: decoder layers, without an input scale and without a final norm."""

    def __init__(self, config: TransformerConfig, name: str | None = None) -> None:
        """Args: `config` with the sizes; the parameters are below the name `transformer`."""
        super().__init__(name=name or "transformer")
        self.config = config

    def __call__(
        self,
        embeddings: jax.Array,
        mask: jax.Array,
        candidate_start_offset: int | None = None,
    ) -> TransformerOutput:
        """Encodes a whole sequence.

        Args:
          embeddings: `[B, T, D]`; its dtype is the dtype of the computation.
          mask: `[B, T]`, true (nonzero) at valid positions. Padding is hidden as a key; what comes
            out at a padded position means nothing and reaches no valid one.
          candidate_start_offset: Position of the first candidate; None when there are none.

        Returns:
          `[B, T, D]` after the last layer.
        """
        is_valid = jnp.asarray(mask) != 0
        start = embeddings.shape[1] if candidate_start_offset is None else candidate_start_offset
        layers = self._layers()
        h, context = self._encode(
            layers, embeddings[:, :start], is_valid[:, :start], needs_output=True
        )
        if candidate_start_offset is None:
            return TransformerOutput(h)
        candidates = self._score(layers, context, embeddings[:, start:], is_valid[:, start:])
        return TransformerOutput(jnp.concatenate([h, candidates], axis=1))

    @hk.name_like("__call__")
    def encode_context(self, embeddings: jax.Array, mask: jax.Array) -> Context:
        """Encodes user and history `[B, 1+S, D]` with mask `[B, 1+S]`, once for all candidates."""
        is_valid = jnp.asarray(mask) != 0
        return self._encode(self._layers(), embeddings, is_valid, needs_output=False)[1]

    @hk.name_like("__call__")
    def score_candidates(
        self, context: Context, embeddings: jax.Array, mask: jax.Array, first_slot: ArrayLike = 0
    ) -> jax.Array:
        """Encodes candidates given a context; any split into blocks gives the same rows.

        Args:
          context: From `encode_context`.
          embeddings: `[B, C, D]`.
          mask: `[B, C]`, true at valid candidates.
          first_slot: Slot of the first of them, which matters to "slot" positions only.

        Returns:
          `[B, C, D]` after the last layer.
        """
        is_valid = jnp.asarray(mask) != 0
        return self._score(self._layers(), context, embeddings, is_valid, first_slot)

    @hk.transparent
    def _layers(self) -> list[DecoderLayer]:
        names = [f"decoder_layer_{index}" for index in range(self.config.num_layers)]
        return [DecoderLayer(self.config, name=name) for name in names]

    @hk.transparent
    def _encode(
        self,
        layers: list[DecoderLayer],
        h: jax.Array,
        mask: jax.Array,
        *,
        needs_output: bool,
    ) -> tuple[jax.Array, Context]:
        length = h.shape[1]
        positions = np.arange(length)
        places = rotation(positions, self.config.key_size)
        is_visible = mask[:, None, None, None, :]
        if self.config.history_attention == "causal":
            is_visible = is_visible & (positions[None, :] <= positions[:, None])
        bias = attention_bias(is_visible)
        # A weight of 0 times a broken number would still break the sum.
        h = dropout(jnp.where(mask[..., None], h, 0), self.config.dropout_rate)
        contexts = []
        for index, layer in enumerate(layers):
            if needs_output or index + 1 < len(layers):
                h, keys_values = layer(h, places, bias)
            else:
                keys_values = layer.keys_values(h, places)
            contexts.append(keys_values)
        # Counted from the last valid position, so that padding after it changes nothing.
        next_position = jnp.max(jnp.where(mask, positions + 1, 1), axis=1)
        return h, Context(tuple(contexts), mask, next_position)

    @hk.transparent
    def _score(
        self,
        layers: list[DecoderLayer],
        context: Context,
        h: jax.Array,
        mask: jax.Array,
        first_slot: ArrayLike = 0,
    ) -> jax.Array:
        num_context = context.mask.shape[1]
        if self.config.candidate_positions == "shared":
            table = rotation(np.arange(num_context + 1), self.config.key_size)
            places = table.at(context.next_position)
        else:
            positions = jnp.asarray(first_slot) + np.arange(num_context, num_context + h.shape[1])
            places = rotation(positions, self.config.key_size)
        bias = attention_bias(context.mask)[:, None, None, None, :]
        for layer, keys_values in zip(layers, context.layers, strict=True):
            h = layer.candidates(h, places, keys_values, bias, mask)
        return h
