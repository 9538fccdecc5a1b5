"""Embedding tables: three large arrays that are read and written a few rows at a time.

The models never see a table: they take the rows that `lookup` copies out, the loss is
differentiated with respect to those rows, and `update` adds the gradients of equal rows and
changes each touched row once. The time of a step therefore depends on the batch and not on the
number of rows.

Glossary of shapes:
  R: rows of a table, D: embedding size, M: rows read by one batch, duplicates included.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from phoenix.data.hashing import KINDS, HashSpec
from phoenix.recsys_model import RecsysBatch, RecsysEmbeddings

# Small against the steps of AdaGrad, so that a row that was never trained says almost nothing.
INITIAL_STANDARD_DEVIATION = 0.02
_EPSILON = 1e-10
# Keeps the streams of the tables apart from those that order the epochs of the same seed.
_STREAM = 1 << 32


class Decay(NamedTuple):
    """The forgetting of the accumulators of AdaGrad."""

    half_life: float  # Steps after which half of a squared gradient is forgotten.
    step: int | jax.Array  # Now.


class EmbeddingTable(NamedTuple):
    """One table with the state of its optimizer. Row 0 is padding and always zero."""

    rows: jax.Array  # [R, D] float32
    accumulator: jax.Array  # [R] float32: sum over updates of the mean squared gradient of the row
    slots: jax.Array  # [R] int32: scratch of `update`, written before it is read, never saved
    updated_at: jax.Array | None = None  # [R] int32 step of the last update; None without decay


class EmbeddingTables(NamedTuple):
    """The tables of one model."""

    user: EmbeddingTable
    post: EmbeddingTable
    author: EmbeddingTable


def initial_tables(hash_spec: HashSpec, emb_size: int, seed: int) -> EmbeddingTables:
    """Returns tables of small random rows.

    Rows are normal with standard deviation `INITIAL_STANDARD_DEVIATION`, drawn by Philox with the
    key (seed, 2**32 + index of the table); row 0 is zero.

    Args:
      hash_spec: Gives the number of rows of each table.
      emb_size: D.
      seed: At least 0; equal seeds give bit-identical tables.
    """
    arrays = {}
    for index, kind in enumerate(KINDS):
        num_rows = getattr(hash_spec, kind).num_rows
        generator = np.random.Generator(np.random.Philox(key=[seed, _STREAM + index]))
        rows = generator.standard_normal((num_rows, emb_size), np.float32)
        rows *= np.float32(INITIAL_STANDARD_DEVIATION)
        rows[0] = 0
        arrays[kind] = rows
    return tables_from_arrays(arrays)


def tables_from_arrays(
    rows: dict[str, np.ndarray], accumulators: dict[str, np.ndarray] | None = None
) -> EmbeddingTables:
    """Returns tables with the given contents.

    Args:
      rows: `[R, D]` float32 for each of `KINDS`.
      accumulators: `[R]` float32 for each of `KINDS`; None starts them at zero.
    """
    tables = []
    for kind in KINDS:
        num_rows = len(rows[kind])
        accumulator = np.zeros(num_rows, np.float32) if accumulators is None else accumulators[kind]
        tables.append(
            EmbeddingTable(
                # A copy: on a CPU, JAX may alias NumPy memory, and these buffers get donated.
                rows=jnp.array(rows[kind], jnp.float32, copy=True),
                accumulator=jnp.array(accumulator, jnp.float32, copy=True),
                slots=jnp.zeros(num_rows, jnp.int32),
            )
        )
    return EmbeddingTables(*tables)


def lookup(tables: EmbeddingTables, batch: RecsysBatch) -> RecsysEmbeddings:
    """Returns copies of the rows that `batch` selects, in the shapes that the models take."""
    return RecsysEmbeddings(
        user_embeddings=tables.user.rows[batch.user_hashes],
        history_post_embeddings=tables.post.rows[batch.history_post_hashes],
        candidate_post_embeddings=tables.post.rows[batch.candidate_post_hashes],
        history_author_embeddings=tables.author.rows[batch.history_author_hashes],
        candidate_author_embeddings=tables.author.rows[batch.candidate_author_hashes],
    )


def update(
    tables: EmbeddingTables,
    batch: RecsysBatch,
    gradients: RecsysEmbeddings,
    *,
    learning_rate: float | jax.Array,
    decay: Decay | None = None,
    is_applied: bool | jax.Array = True,
) -> EmbeddingTables:
    """Applies row-wise AdaGrad to the rows that `batch` selected.

    With g the sum of the gradients of all copies of row r, d = 2 ** (-1 / half-life) or 1, and n
    the steps since the last update of the row:
    a_r = a_r * d ** n + mean(g ** 2); row_r -= learning_rate * g / (sqrt(a_r) + 1e-10).
    Source: Duchi, Hazan and Singer 2011, with one accumulator per row as in DLRM (Naumov et al.
    2019), and the decay of the untouched rows put off until they are touched.

    Args:
      tables: Donate them, and nothing of size R is copied.
      batch: What `lookup` was called with.
      gradients: Of the loss with respect to the result of `lookup`.
      learning_rate: Root mean square of the first change of a row.
      decay: With it, the tables must know their last updates, see `with_decay`.
      is_applied: False leaves every row and accumulator as it was.
    """
    new_tables = []
    for kind, (index, gradient) in zip(KINDS, row_gradients(batch, gradients), strict=True):
        table = getattr(tables, kind)
        new_tables.append(
            updated_table(
                table,
                index,
                gradient,
                learning_rate=learning_rate,
                decay=decay,
                is_own=(index != 0) & jnp.asarray(is_applied),
            )
        )
    return EmbeddingTables(*new_tables)


def row_gradients(
    batch: RecsysBatch, gradients: RecsysEmbeddings
) -> list[tuple[jax.Array, jax.Array]]:
    """The rows `[M]` that a batch read and their gradients `[M, D]`, one pair per kind."""
    reads = {
        "user": [(batch.user_hashes, gradients.user_embeddings)],
        "post": [
            (batch.history_post_hashes, gradients.history_post_embeddings),
            (batch.candidate_post_hashes, gradients.candidate_post_embeddings),
        ],
        "author": [
            (batch.history_author_hashes, gradients.history_author_embeddings),
            (batch.candidate_author_hashes, gradients.candidate_author_embeddings),
        ],
    }
    pairs = []
    for kind in KINDS:
        parts = reads[kind]
        emb_size = jnp.shape(parts[0][1])[-1]
        index = jnp.concatenate([jnp.ravel(part) for part, _ in parts])
        gradient = jnp.concatenate([jnp.reshape(part, (-1, emb_size)) for _, part in parts])
        pairs.append((index, gradient))
    return pairs


def updated_table(
    table: EmbeddingTable,
    index: jax.Array,
    gradient: jax.Array,
    *,
    learning_rate: float | jax.Array,
    decay: Decay | None,
    is_own: jax.Array,
) -> EmbeddingTable:
    """`update` of one table, or of one part of it.

    Args:
      table: R rows.
      index: `[M]` rows to change, with duplicates; anything where not `is_own`.
      gradient: `[M, D]`.
      learning_rate: See `update`.
      decay: See `update`.
      is_own: `[M]` false where a row is padding, of another part of the table, or not to change.
    """
    num_rows, num_read = len(table.accumulator), len(index)
    position = jnp.arange(num_read, dtype=jnp.int32)
    # Every copy of a row writes its position into the row's slot and all of them read the winner
    # back: duplicates are found without a sort and without memory that depends on R.
    place = jnp.where(is_own, index, num_rows)  # Beyond the end: dropped.
    slots = table.slots.at[place].set(position, mode="drop")
    winner = jnp.where(is_own, slots.at[place].get(mode="clip"), position)  # [M]
    gradient_sums = jax.ops.segment_sum(gradient.astype(jnp.float32), winner, num_read)  # [M, D]

    target = jnp.where(winner == position, place, num_rows)
    accumulator = table.accumulator.at[place].get(mode="clip")  # [M]
    updated_at = table.updated_at
    if decay is not None:
        assert updated_at is not None
        accumulator *= _kept_share(updated_at.at[place].get(mode="clip"), decay)
        updated_at = updated_at.at[target].set(decay.step, mode="drop")
    accumulator += jnp.mean(jnp.square(gradient_sums), axis=1)
    change = learning_rate * gradient_sums / (jnp.sqrt(accumulator) + _EPSILON)[:, None]
    return EmbeddingTable(
        rows=table.rows.at[target].add(-change, mode="drop"),
        accumulator=table.accumulator.at[target].set(accumulator, mode="drop"),
        slots=slots,
        updated_at=updated_at,
    )


def with_decay(tables: EmbeddingTables, *, is_decaying: bool) -> EmbeddingTables:
    """Returns tables with or without the times of their last updates, which start at 0."""
    return EmbeddingTables(
        *(
            table._replace(updated_at=jnp.zeros_like(table.slots) if is_decaying else None)
            for table in tables
        )
    )


def settled_tables(tables: EmbeddingTables, decay: Decay | None) -> EmbeddingTables:
    """Returns tables whose put-off decay is done, without the times of updates."""
    if decay is None:
        return tables
    new_tables = []
    for table in tables:
        assert table.updated_at is not None
        accumulator = table.accumulator * _kept_share(table.updated_at, decay)
        new_tables.append(table._replace(accumulator=accumulator, updated_at=None))
    return EmbeddingTables(*new_tables)


def _kept_share(updated_at: jax.Array, decay: Decay) -> jax.Array:
    return jnp.exp2((updated_at - decay.step).astype(jnp.float32) / decay.half_life)
