"""The inputs of both models: hashes and facts of users and posts, and the rows of their tables.

Hash column 0 says whether an element is valid: 0 is padding, or an unknown user.

Glossary of shapes:
  B: batch, S: history, C: candidates, D: model width, A: actions,
  U, P: numbers of all attributes of a user, of a post with its context, L: levels of evidence,
  F: numbers of popularity,
  nu, ni, na: hashes per user, post (item) and author.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


class RecsysBatch(NamedTuple):
    """Users, their histories and their candidates, as hashes and numbers without the table rows.

    The last fields are optional inputs, read only by a model whose configuration asks for them.
    """

    user_hashes: ArrayLike  # [B, nu] int32, 0 = unknown user
    history_post_hashes: ArrayLike  # [B, S, ni] int32, 0 = padding
    history_author_hashes: ArrayLike  # [B, S, na] int32, not read by the models
    history_actions: ArrayLike  # [B, S, A] float32: 1 where the user did it, 0.5 = nobody knows
    history_product_surface: ArrayLike  # [B, S] int32 in [0, vocabulary)
    candidate_post_hashes: ArrayLike  # [B, C, ni] int32, 0 = padding
    candidate_author_hashes: ArrayLike  # [B, C, na] int32, not read by the models
    candidate_product_surface: ArrayLike  # [B, C] int32 in [0, vocabulary)
    history_post_age_minutes: ArrayLike | None = None  # [B, S] float32, NaN or < 0 = missing
    candidate_post_age_minutes: ArrayLike | None = None  # [B, C] float32, NaN or < 0 = missing
    history_dwell_seconds: ArrayLike | None = None  # [B, S] float32, NaN or < 0 = missing
    user_attributes: ArrayLike | None = None  # [B, U] float32, see `phoenix.data.attributes`
    history_attributes: ArrayLike | None = None  # [B, S, P] float32: of the post, then the context
    candidate_attributes: ArrayLike | None = None  # [B, C, P] float32
    candidate_log_odds: ArrayLike | None = None  # [B, C, L, A] float32, see `evidence`
    candidate_log_counts: ArrayLike | None = None  # [B, C, L] float32
    candidate_popularity: ArrayLike | None = None  # [B, C, F] float32, see `popularity`


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class RecsysEmbeddings:
    """The looked-up table rows of a `RecsysBatch`, float32; a pytree.

    Rows of about unit variance give tokens of about unit variance, like everything in the trunk.
    """

    user_embeddings: ArrayLike  # [B, nu, D]
    history_post_embeddings: ArrayLike  # [B, S, ni, D]
    candidate_post_embeddings: ArrayLike  # [B, C, ni, D]
    history_author_embeddings: ArrayLike  # [B, S, na, D]
    candidate_author_embeddings: ArrayLike  # [B, C, na, D]


def optional_input(batch: RecsysBatch, field: str) -> jax.Array:
    """Returns an optional input, float32.

    Raises:
      ValueError: If the batch does not have it.
    """
    value = getattr(batch, field)
    if value is None:
        raise ValueError(
            f"`RecsysBatch.{field}`: expected an array, because the model configuration reads it, "
            "got None."
        )
    return jnp.asarray(value, jnp.float32)
