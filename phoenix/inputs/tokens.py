"""Tokens of both models, from looked-up rows.

The models receive rows that were already looked up in hash tables. Several rows per post (or
author, or user), the actions and the product surface are concatenated and projected to one token
of the model width. Hash column 0 says whether an element is valid: 0 is padding.

Glossary of shapes:
  B: batch, S: history, C: candidates, D: model width, A: actions,
  nu, ni, na: hashes per user, post (item) and author.
"""

from collections.abc import Sequence

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings, optional_input
from phoenix.inputs.config import InputConfig
from phoenix.inputs.event_vectors import (
    Factors,
    action_vectors,
    age_vectors,
    dwell_vectors,
    surface_vectors,
)
from phoenix.nn.attribute_vectors import summed_vectors
from phoenix.nn.feature_gates import apply_gate
from phoenix.nn.layers import matrix_product


def block_user_reduce(
    user_hashes: ArrayLike,
    user_embeddings: ArrayLike,
    num_user_hashes: int,
    emb_size: int,
    embed_init_scale: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """The user token `[B, 1, D]` and its mask `[B, 1]`, from rows `[B, nu, D]`.

    The rows are concatenated and projected by `proj_mat_1` in float32.
    """
    rows = jnp.asarray(user_embeddings)
    flat = rows.reshape(rows.shape[0], 1, num_user_hashes * emb_size)
    token = _projection([flat], "proj_mat_1", emb_size, embed_init_scale)
    return token, jnp.asarray(user_hashes)[:, :1] != 0


def block_history_reduce(  # noqa: PLR0913 - the public signature
    history_post_hashes: ArrayLike,
    history_post_embeddings: ArrayLike,
    history_author_embeddings: ArrayLike,
    history_product_surface_embeddings: ArrayLike | Factors,
    history_actions_embeddings: ArrayLike | Factors,
    num_item_hashes: int,
    num_author_hashes: int,
    embed_init_scale: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """The history tokens `[B, S, D]` and their mask `[B, S]`.

    Concatenates posts `[B, S, ni, D]`, authors `[B, S, na, D]`, actions and product surface
    (`[B, S, D]` each), in this order, and projects by `proj_mat_3` in float32.
    """
    parts = [
        _joined_rows(history_post_embeddings, num_item_hashes),
        _joined_rows(history_author_embeddings, num_author_hashes),
        history_actions_embeddings,
        history_product_surface_embeddings,
    ]
    size = jnp.shape(history_post_embeddings)[-1]
    tokens = _projection(parts, "proj_mat_3", size, embed_init_scale)
    return tokens, jnp.asarray(history_post_hashes)[:, :, 0] != 0


def block_candidate_reduce(  # noqa: PLR0913 - the public signature
    candidate_post_hashes: ArrayLike,
    candidate_post_embeddings: ArrayLike,
    candidate_author_embeddings: ArrayLike,
    candidate_product_surface_embeddings: ArrayLike | Factors,
    num_item_hashes: int,
    num_author_hashes: int,
    embed_init_scale: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """The candidate tokens `[B, C, D]` and their mask `[B, C]`.

    As the history, without actions: posts, authors, product surface, by `proj_mat_2`.
    """
    parts = [
        _joined_rows(candidate_post_embeddings, num_item_hashes),
        _joined_rows(candidate_author_embeddings, num_author_hashes),
        candidate_product_surface_embeddings,
    ]
    size = jnp.shape(candidate_post_embeddings)[-1]
    tokens = _projection(parts, "proj_mat_2", size, embed_init_scale)
    return tokens, jnp.asarray(candidate_post_hashes)[:, :, 0] != 0


def context_tokens(
    config: InputConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings
) -> tuple[jax.Array, jax.Array]:
    """The tokens `[B, 1+S, D]` of user and history in the computation dtype, and their mask.

    Raises:
      ValueError: If the configuration asks for an optional input that `batch` does not have.
    """
    surface = surface_vectors(config, batch.history_product_surface)
    actions = action_vectors(config, batch.history_actions)
    user, user_mask = block_user_reduce(
        batch.user_hashes,
        gated_input(config, "user", embeddings.user_embeddings),
        config.hashes.num_user_hashes,
        config.emb_size,
    )
    history, history_mask = block_history_reduce(
        batch.history_post_hashes,
        gated_input(config, "history_post", embeddings.history_post_embeddings),
        gated_input(config, "history_author", embeddings.history_author_embeddings),
        _gated_factors(config, "history_surface", surface),
        _gated_factors(config, "history_actions", actions),
        config.hashes.num_item_hashes,
        config.hashes.num_author_hashes,
    )
    if config.has_post_age:
        history = history + age_vectors(config, optional_input(batch, "history_post_age_minutes"))
    if config.has_dwell:
        history = history + dwell_vectors(config, optional_input(batch, "history_dwell_seconds"))
    if config.user_attributes:
        values = optional_input(batch, "user_attributes")[:, None]
        user = user + summed_vectors(config.user_attributes, values, config.emb_size)
    if config.post_attributes:
        values = optional_input(batch, "history_attributes")
        history = history + summed_vectors(config.post_attributes, values, config.emb_size)
    tokens = jnp.concatenate([user, history], axis=1)
    mask = jnp.concatenate([user_mask, history_mask], axis=1)
    return tokens.astype(config.fprop_dtype), mask


def candidate_tokens(
    config: InputConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings
) -> tuple[jax.Array, jax.Array]:
    """The candidate tokens `[B, C, D]` in the computation dtype, and their mask `[B, C]`.

    Raises:
      ValueError: If the configuration asks for an optional input that `batch` does not have.
    """
    surface = surface_vectors(config, batch.candidate_product_surface)
    tokens, mask = block_candidate_reduce(
        batch.candidate_post_hashes,
        gated_input(config, "candidate_post", embeddings.candidate_post_embeddings),
        gated_input(config, "candidate_author", embeddings.candidate_author_embeddings),
        _gated_factors(config, "candidate_surface", surface),
        config.hashes.num_item_hashes,
        config.hashes.num_author_hashes,
    )
    if config.has_post_age:
        tokens = tokens + age_vectors(config, optional_input(batch, "candidate_post_age_minutes"))
    if config.post_attributes:
        values = optional_input(batch, "candidate_attributes")
        tokens = tokens + summed_vectors(config.post_attributes, values, config.emb_size)
    return tokens.astype(config.fprop_dtype), mask


def gated_input(config: InputConfig, group: str, values: ArrayLike) -> jax.Array:
    """`values` `[B, ...]` times the gate of their group, where the configuration has gates."""
    return apply_gate(group, values) if group in config.gated_features else jnp.asarray(values)


def _gated_factors(config: InputConfig, group: str, values: Factors) -> Factors:
    """The same for a product: its gate is that of the rows, since it is one number per row."""
    return Factors(gated_input(config, group, values.rows), values.table)


def _joined_rows(rows: ArrayLike, num_hashes: int) -> jax.Array:
    """`[B, n, h, D]` as `[B, n, h*D]`."""
    rows = jnp.asarray(rows)
    return rows.reshape(*rows.shape[:2], num_hashes * rows.shape[-1])


def _projection(
    parts: Sequence[ArrayLike | Factors], name: str, size: int, scale: float
) -> jax.Array:
    """The concatenated `parts` `[..., in_i]` times the matrix `name` `[in, size]`, in float32.

    Computed as a sum of products, so that the concatenation is never written. The dtype of the
    result is that of the parts.
    """
    initializer = hk.initializers.VarianceScaling(scale, mode="fan_out")

    # The scale of the public models, which draw the transposed matrix.
    def transposed(shape: Sequence[int], dtype: DTypeLike) -> jax.Array:
        """Initial weights; the fan-out of the reversed shape is the width of the input."""
        return initializer(shape[::-1], dtype).T

    factors = [part if isinstance(part, Factors) else (jnp.asarray(part), None) for part in parts]
    widths = [(rows if table is None else table).shape[-1] for rows, table in factors]
    matrix = hk.get_parameter(name, [sum(widths), size], jnp.float32, init=transposed)
    blocks = jnp.split(matrix, np.cumsum(widths)[:-1])
    products = [
        matrix_product(
            rows.astype(jnp.float32), block if table is None else matrix_product(table, block)
        )
        for (rows, table), block in zip(factors, blocks, strict=True)
    ]
    return sum(products[1:], products[0]).astype(jnp.result_type(*(rows for rows, _ in factors)))
