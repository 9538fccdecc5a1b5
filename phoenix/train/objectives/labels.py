"""Which candidates and labels of a batch count, and for how much.

Glossary of shapes:
  B: batch, C: candidates, A: actions.
"""

import jax
import jax.numpy as jnp
import numpy as np

from phoenix.train.batches import TrainBatch


def candidate_mask(batch: TrainBatch) -> jax.Array:
    """`[B, C]` whether there is a candidate: the rest is padding."""
    return jnp.asarray(batch.inputs.candidate_post_hashes)[..., 0] != 0


def shown_mask(exists: jax.Array, num_drawn: int) -> jax.Array:
    """`[B, C]` whether a candidate was shown: the last ones of each row were drawn."""
    return exists & (np.arange(exists.shape[1]) < exists.shape[1] - num_drawn)


def counted_labels(batch: TrainBatch, exists: jax.Array) -> jax.Array:
    """`[B, C, A]`, or `[B, C, 1]` for all actions: the labels that are known of what exists."""
    known = exists[..., None]
    return known if batch.is_labelled is None else known & batch.is_labelled


def label_weights(batch: TrainBatch, exists: jax.Array) -> jax.Array:
    """`[B, C]` for how many impressions each candidate stands."""
    if batch.label_weights is None:
        return jnp.ones(exists.shape)
    return jnp.asarray(batch.label_weights)
