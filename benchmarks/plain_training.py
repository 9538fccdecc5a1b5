"""Training as one would write it down: square masks, tables as parameters, dense gradients, AdamW.

The same loss as ours, one jitted step, donated buffers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import optax

from benchmarks import plain_ranker
from phoenix.embedding import EmbeddingTables
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.train.batches import TrainBatch


class PlainState(NamedTuple):
    """Everything that a step changes."""

    weights: tuple[Any, list[jax.Array]]  # parameters of the ranker, tables
    opt_state: optax.OptState


def plain_state(params: hk.Params, tables: EmbeddingTables) -> PlainState:
    """Returns the state before the first step, from copies of the weights."""
    rows = [table.rows for table in tables]
    copies = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), (params, rows))
    return PlainState(copies, _OPTIMIZER.init(copies))


_OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))


def plain_step(
    config: PhoenixModelConfig,
) -> Callable[[PlainState, TrainBatch], tuple[PlainState, jax.Array]]:
    """Returns the compiled step; it takes and gives the state, and gives the loss."""

    def loss(weights: tuple[Any, list[jax.Array]], batch: TrainBatch) -> jax.Array:
        params, tables = weights
        rows = _rows(tables, batch.inputs)
        logits = plain_ranker.logits(params, config, batch.inputs, rows)
        losses = optax.sigmoid_binary_cross_entropy(logits, batch.labels)  # [B, C, A]
        is_real = jnp.asarray(batch.inputs.candidate_post_hashes)[..., 0] != 0
        return jnp.mean(losses, axis=-1, where=is_real[..., None]).mean()

    def step(state: PlainState, batch: TrainBatch) -> tuple[PlainState, jax.Array]:
        value, gradients = jax.value_and_grad(loss)(state.weights, batch)
        changes, opt_state = _OPTIMIZER.update(gradients, state.opt_state, state.weights)
        weights = jax.tree.map(jnp.add, state.weights, changes)
        return PlainState(weights, opt_state), value

    return jax.jit(step, donate_argnums=0)


def _rows(tables: list[jax.Array], batch: RecsysBatch) -> RecsysEmbeddings:
    user, post, author = tables
    return RecsysEmbeddings(
        user_embeddings=user[batch.user_hashes],
        history_post_embeddings=post[batch.history_post_hashes],
        candidate_post_embeddings=post[batch.candidate_post_hashes],
        history_author_embeddings=author[batch.history_author_hashes],
        candidate_author_embeddings=author[batch.candidate_author_hashes],
    )
