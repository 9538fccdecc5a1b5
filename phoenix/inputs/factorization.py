"""A factorisation beside the deep part of the ranker: products of the rows of users and posts.

Attention learns such products slowly. Source: a generalised matrix factorisation (He et al. 2017,
"Neural Collaborative Filtering", section 3.2).

Glossary of shapes:
  B: batch, C: candidates, D: model width.
"""

import jax
import jax.numpy as jnp

from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.inputs.config import InputConfig
from phoenix.inputs.tokens import gated_input


def user_factor(config: InputConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings) -> jax.Array:
    """The sum `[B, D]` of a user's rows, float32; zero for an unknown user."""
    rows = gated_input(config, "user", embeddings.user_embeddings).astype(jnp.float32)
    is_known = jnp.asarray(batch.user_hashes)[:, :1] != 0
    return jnp.where(is_known, jnp.sum(rows, axis=1), 0)


def candidate_factors(
    config: InputConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings
) -> jax.Array:
    """The sums `[B, C, D]` of the rows of posts and their authors, float32; zero for padding."""
    posts = gated_input(config, "candidate_post", embeddings.candidate_post_embeddings)
    authors = gated_input(config, "candidate_author", embeddings.candidate_author_embeddings)
    total = sum(jnp.sum(rows.astype(jnp.float32), axis=2) for rows in (posts, authors))
    is_valid = jnp.asarray(batch.candidate_post_hashes)[:, :, :1] != 0
    return jnp.where(is_valid, total, 0)


def joint_factors(user: jax.Array, posts: jax.Array) -> jax.Array:
    """`[u, p, sqrt(D) u * p]` `[B, C, 3D]` of `user` `[B, D]` and `posts` `[B, C, D]`.

    >>> joint_factors(jnp.ones((1, 4)), jnp.full((1, 1, 4), 0.5)).tolist()
    [[[1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0]]]
    """
    users = jnp.broadcast_to(user[:, None], posts.shape)
    # With the root, the product of unit vectors is about as long as they are.
    return jnp.concatenate([users, posts, posts.shape[-1] ** 0.5 * users * posts], axis=-1)
