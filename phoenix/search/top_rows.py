"""The corpus rows with the largest products with each query, in JAX, exactly.

The corpus is multiplied a block at a time and each block is merged into the best rows so far, so
that memory depends on the block and not on the corpus. Over several devices each one searches its
own rows, and the winners of all are merged. Equal products go to the lower row in every case,
because what is merged first comes from lower rows.

Glossary of shapes:
  B: queries, D: size of a vector, N: rows of the corpus, k: rows returned.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.typing import ArrayLike

from phoenix.buckets import eighths

INF = 1e12
MASKED_ROW = -1
_BLOCK_SCORES = 1 << 25  # Products held at once, 128 MiB.
_ROWS = "rows"


def top_rows(
    users: jax.Array, corpus: jax.Array, top_k: int, corpus_mask: ArrayLike | None = None
) -> tuple[jax.Array, jax.Array]:
    """The corpus rows with the largest product with each user, by exact search.

    Args:
      users: `[B, D]`.
      corpus: `[N, D]`.
      top_k: A static count; more than N means N.
      corpus_mask: `[N]`, nonzero where a row is eligible.

    Returns:
      Rows `[B, k]` int32 and scores `[B, k]` float32, best first, ties to the lower row. A row that
      is masked, or whose product is not a number, is never named: it is -1 with score -1e12.

    Raises:
      ValueError: If the mask is of another size than the corpus.

    >>> corpus = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> rows, scores = top_rows(jnp.array([[2.0, 1.0]]), corpus, 2, corpus_mask=[1, 1, 0])
    >>> rows.tolist(), scores.tolist()
    ([[0, 1]], [[2.0, 1.0]])
    """
    num_rows = corpus.shape[0]
    mask = jnp.ones(num_rows, bool) if corpus_mask is None else jnp.asarray(corpus_mask) != 0
    if mask.shape != (num_rows,):
        raise ValueError(f"`corpus_mask`: expected shape {(num_rows,)}, got {mask.shape}.")
    return _hide_missing(*_best(users, corpus, mask, min(top_k, num_rows)))


def corpus_mesh() -> Mesh:
    """All devices of this process in a row, to split a corpus over."""
    return Mesh(np.array(jax.local_devices()), (_ROWS,))


def put_corpus(vectors: np.ndarray, mesh: Mesh) -> tuple[jax.Array, jax.Array]:
    """Spreads a corpus over the devices of `mesh`.

    Args:
      vectors: `[N, D]` float32.
      mesh: From `corpus_mesh`.

    Returns:
      The vectors, followed by zeros up to a bucket of `buckets.eighths` per device, and the mask of
      the rows that are not padding; both split by row.
    """
    num_rows = len(vectors)
    num_empty = eighths(-(-num_rows // mesh.size)) * mesh.size - num_rows
    split = NamedSharding(mesh, PartitionSpec(_ROWS))
    corpus = np.pad(vectors, [(0, num_empty), (0, 0)])
    return jax.device_put(corpus, split), jax.device_put(np.arange(len(corpus)) < num_rows, split)


@lru_cache(maxsize=4)
def jitted(mesh: Mesh) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """`sharded_top_rows(mesh, ...)`, jitted once for all corpora."""
    # A new jitted function compiles anew; the corpora of two releases are searched by one.
    return jax.jit(partial(sharded_top_rows, mesh), static_argnums=2)


def sharded_top_rows(
    mesh: Mesh, users: jax.Array, corpus: jax.Array, top_k: int, corpus_mask: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """`top_rows` over several devices: the same result, each device with a part of the corpus.

    Args:
      mesh: From `corpus_mesh`.
      users: `[B, D]`; every device gets all of them.
      corpus: `[N, D]`, split by row, N a multiple of the devices.
      top_k: A static count; more than N means N.
      corpus_mask: `[N]` bool, split likewise.

    Returns:
      As `top_rows`, on every device.
    """
    count = min(top_k, corpus.shape[0])

    def search(
        users: jax.Array, own: jax.Array, own_mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The best rows of one device's part, gathered from all of them and merged."""
        best, rows = _best(users, own, own_mask, min(count, own.shape[0]))
        rows += jax.lax.axis_index(_ROWS) * own.shape[0]
        best, rows = (jax.lax.all_gather(part, _ROWS, axis=1, tiled=True) for part in (best, rows))
        return _hide_missing(*_merge(best, rows, count))

    whole, split = PartitionSpec(), PartitionSpec(_ROWS)
    # Every device merges the same winners, which `shard_map` cannot see: hence no check.
    return jax.shard_map(
        search, mesh=mesh, in_specs=(whole, split, split), out_specs=whole, check_vma=False
    )(users, corpus, corpus_mask)


def _best(
    users: jax.Array, corpus: jax.Array, mask: jax.Array, count: int
) -> tuple[jax.Array, jax.Array]:
    """The best `count` scores, -inf where there are no more, and their rows."""
    num_users, num_rows = users.shape[0], corpus.shape[0]
    # At least `count` rows, because the best of a block are `count` places.
    block = min(num_rows, max(count, _BLOCK_SCORES // max(1, num_users)))

    def best_of_block(start: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """The best `count` scores of the rows from `start` on, and these rows."""
        # The last block starts early enough to be whole; what came before it does not count twice.
        first = jnp.minimum(start, num_rows - block)
        vectors, is_eligible = (
            jax.lax.dynamic_slice_in_dim(part, first, block) for part in (corpus, mask)
        )
        # By default an accelerator would round the factors to fewer bits.
        scores = jnp.einsum(
            "bd,nd->bn",
            users,
            vectors,
            precision=jax.lax.Precision.HIGHEST,
            preferred_element_type=jnp.float32,
        )
        rows = first + jnp.arange(block, dtype=jnp.int32)
        is_eligible = is_eligible & (rows >= start) & ~jnp.isnan(scores)
        best, place = jax.lax.top_k(jnp.where(is_eligible, scores, -jnp.inf), count)
        return best, first + place

    def add_block(
        best_so_far: tuple[jax.Array, jax.Array], start: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], None]:
        """Merges the best of a block into those of the blocks before it, which win ties."""
        pairs = zip(best_so_far, best_of_block(start), strict=True)
        best, rows = (jnp.concatenate(pair, axis=1) for pair in pairs)
        return _merge(best, rows, count), None

    if num_rows == 0:
        return jnp.zeros((num_users, 0)), jnp.zeros((num_users, 0), jnp.int32)
    starts = jnp.arange(block, num_rows, block, dtype=jnp.int32)
    return jax.lax.scan(add_block, best_of_block(0), starts)[0]


def _merge(best: jax.Array, rows: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """The best `count` of `best` `[B, n]` and their rows; a tie goes to what comes first."""
    best, place = jax.lax.top_k(best, count)
    return best, jnp.take_along_axis(rows, place, axis=1)


def _hide_missing(best: jax.Array, rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The rows and their scores: -1 and -1e12, as in the public models, where there is no row."""
    is_row = best > -jnp.inf
    return jnp.where(is_row, rows, MASKED_ROW), jnp.where(is_row, best, -INF)
