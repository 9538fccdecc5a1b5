"""Searches corpora on all devices and on one; a program, as devices are set when one starts."""

import sys

import jax
import jax.numpy as jnp
import numpy as np

from phoenix.search import top_rows
from phoenix.search.exact import ExactIndex


def compare_rows(num_rows: int, k: int, generator: np.random.Generator) -> None:
    """Equal rows and scores, with ties everywhere, masked rows and rows that are not numbers."""
    corpus = generator.integers(-2, 3, (num_rows, 3)).astype(np.float32)
    corpus[generator.random(num_rows) < 0.1] = np.nan
    users = generator.integers(-2, 3, (6, 3)).astype(np.float32)
    mesh = top_rows.corpus_mesh()
    vectors, mask = top_rows.put_corpus(corpus, mesh)
    assert len(vectors.sharding.device_set) == len(jax.devices())
    mask &= jnp.asarray(generator.random(len(mask)) < 0.7)
    sharded = top_rows.jitted(mesh)(users, vectors, k, mask)
    alone = top_rows.top_rows(users, corpus, k, np.asarray(mask)[:num_rows])
    for ours, expected in zip(sharded, alone, strict=True):
        # A padded corpus can be longer than k rows where the corpus itself is not.
        np.testing.assert_array_equal(ours[:, : expected.shape[1]], expected)


def compare_indexes(num_rows: int, k: int, generator: np.random.Generator) -> None:
    """The index gives bit-identical results whoever proposes the rows."""
    vectors = generator.normal(size=(num_rows, 8)).astype(np.float32)
    vectors[num_rows // 2 :] = vectors[: num_rows - num_rows // 2]  # ties between devices
    queries = generator.normal(size=(9, 8)).astype(np.float32)
    is_eligible = generator.random(num_rows) < 0.9
    sharded, alone = (
        ExactIndex(vectors, is_eligible, backend=backend).search(queries, k)
        for backend in ("jax", "faiss")
    )
    np.testing.assert_array_equal(sharded.rows, alone.rows)
    np.testing.assert_array_equal(sharded.scores, alone.scores)


def main() -> None:
    generator = np.random.default_rng(0)
    for num_rows, k in ((7, 7), (101, 20), (1001, 40)):
        compare_rows(num_rows, k, generator)
    compare_indexes(1000, 33, generator)
    sys.stdout.write(f"{len(jax.devices())} devices agree\n")


if __name__ == "__main__":
    main()
