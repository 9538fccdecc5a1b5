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
from typing import NamedTuple, Self

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from phoenix.nn.attention import KeysValues, MultiHeadAttention
from phoenix.nn.decoder_layer import DecoderLayer
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
from phoenix.nn.rotary import RotaryEmbedding, rotate_half, rotation
from phoenix.nn.trunk_config import CandidatePositions, HistoryAttention, TrunkConfig

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
class TransformerConfig(TrunkConfig):
    """Sizes and options of the trunk, see `TrunkConfig`, and the trunk that is made of them."""

    def make(self) -> "Transformer":
        """A trunk of this configuration, inside `hk.transform`."""
        return Transformer(config=self)

    def public(self) -> Self:
        """The same sizes with the initial values, mask and positions of the public models."""
        return dataclasses.replace(
            self, init="public", history_attention="causal", candidate_positions="slot"
        )


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
