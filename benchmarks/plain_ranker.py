"""The ranker's forward pass as the public models compute it: one sequence under a square mask.

Glossary of shapes:
  B: batch, S: history, C: candidates, T: 1 + S + C, D: model width, H: heads, K: key size.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.recsys_model import PhoenixModelConfig

Params = Mapping[str, Mapping[str, jax.Array]]


def logits(
    params: Params, config: PhoenixModelConfig, batch: RecsysBatch, rows: RecsysEmbeddings
) -> jax.Array:
    """Returns `[B, C, A]` logits for causal histories and "slot" positions, float32."""
    own = params["phoenix_model"]
    h, is_valid, num_context = _tokens(own, batch, rows)
    positions = np.arange(h.shape[1])
    is_candidate = positions >= num_context
    structure = (positions[None, :] <= positions[:, None]) & ~(
        is_candidate[:, None] & is_candidate[None, :]
    ) | np.eye(len(positions), dtype=bool)
    mask = jnp.asarray(structure) & is_valid[:, None, None, :]  # [B, 1, T, T]
    for index in range(config.model.num_layers):
        h = _layer(params, f"transformer/decoder_layer_{index}", config, h, mask)
    h = _norm(h, params["phoenix_model/rms_norm"])
    return h[:, num_context:] @ own["unembeddings"]


def _tokens(
    own: Mapping[str, jax.Array], batch: RecsysBatch, rows: RecsysEmbeddings
) -> tuple[jax.Array, jax.Array, int]:
    num_users, num_history = jnp.shape(batch.history_actions)[:2]

    def token(projection: str, *parts: ArrayLike) -> jax.Array:
        flat = [jnp.reshape(part, (*jnp.shape(part)[:2], -1)) for part in parts]
        return jnp.concatenate(flat, axis=-1) @ own[projection]

    surfaces = own["product_surface_embedding_table"]
    actions = jnp.asarray(batch.history_actions)
    acted = (2 * actions - 1) @ own["action_projection"] * actions.any(-1, keepdims=True)
    user = token("proj_mat_1", jnp.reshape(rows.user_embeddings, (num_users, 1, -1)))
    history = token(
        "proj_mat_3",
        rows.history_post_embeddings,
        rows.history_author_embeddings,
        acted,
        surfaces[batch.history_product_surface],
    )
    candidates = token(
        "proj_mat_2",
        rows.candidate_post_embeddings,
        rows.candidate_author_embeddings,
        surfaces[batch.candidate_product_surface],
    )
    first_hashes = [
        jnp.asarray(batch.user_hashes)[:, :1],
        jnp.asarray(batch.history_post_hashes)[..., 0],
        jnp.asarray(batch.candidate_post_hashes)[..., 0],
    ]
    is_valid = jnp.concatenate(first_hashes, axis=1) != 0
    return jnp.concatenate([user, history, candidates], axis=1), is_valid, 1 + num_history


def _layer(
    params: Params, name: str, config: PhoenixModelConfig, h: jax.Array, mask: jax.Array
) -> jax.Array:
    norms = [params[f"{name}/rms_norm{suffix}"] for suffix in ("", "_1", "_2", "_3")]
    attended = _attention(params, f"{name}/multi_head_attention", config, _norm(h, norms[0]), mask)
    h = h + _norm(attended, norms[1])
    x = _norm(h, norms[2])
    wide = jax.nn.gelu(x @ params[f"{name}/linear"]["w"]) * (x @ params[f"{name}/linear_v"]["w"])
    return h + _norm(wide @ params[f"{name}/linear_1"]["w"], norms[3])


def _attention(
    params: Params, name: str, config: PhoenixModelConfig, x: jax.Array, mask: jax.Array
) -> jax.Array:
    def heads(part: str) -> jax.Array:
        flat = x @ params[f"{name}/{part}"]["w"]
        return jnp.reshape(flat, (*x.shape[:2], -1, config.model.key_size))

    query, key, value = _rotated(heads("query")), _rotated(heads("key")), heads("value")
    products = jnp.einsum("bqhk,bshk->bhqs", query, key) * config.model.attn_output_multiplier
    capped = jnp.where(mask, 30 * jnp.tanh(products / 30), -1e30)
    weights = jax.nn.softmax(capped, axis=-1)  # [B, H, T, T]
    mixed = jnp.einsum("bhqs,bshk->bqhk", weights, value)
    return jnp.reshape(mixed, (*x.shape[:2], -1)) @ params[f"{name}/linear"]["w"]


def _rotated(x: jax.Array) -> jax.Array:
    half = x.shape[-1] // 2
    phase = np.arange(x.shape[1])[:, None] * 10_000.0 ** (-np.arange(half) / half)  # [T, K/2]
    cos, sin = (jnp.asarray(f(phase), jnp.float32)[:, None] for f in (np.cos, np.sin))
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def _norm(x: jax.Array, own: Mapping[str, jax.Array]) -> jax.Array:
    return own["scale"] * x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-5)
