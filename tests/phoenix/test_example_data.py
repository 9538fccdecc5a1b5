"""Example data is always the same and has the public shapes."""

import numpy as np

from phoenix.example_data import (
    create_dummy_batch_from_config,
    create_dummy_embeddings_from_config,
    create_example_batch,
    create_example_corpus,
)
from phoenix.inputs.config import HashConfig


def shapes_and_dtypes(structure: object) -> dict:
    fields = structure._asdict() if hasattr(structure, "_asdict") else vars(structure)
    return {k: (v.shape, v.dtype) for k, v in fields.items() if v is not None}


def test_dummy_and_example_data_have_the_same_shapes_and_dtypes() -> None:
    hashes = HashConfig(1, 2, 3)
    batch, embeddings = create_example_batch(4, 8, 6, 5, 3, 1, 2, 3)
    dummy = create_dummy_batch_from_config(hashes, 6, 5, 3, 4)
    assert shapes_and_dtypes(dummy) == shapes_and_dtypes(batch)
    rows = create_dummy_embeddings_from_config(hashes, 8, 6, 5, 4)
    assert shapes_and_dtypes(rows) == shapes_and_dtypes(embeddings)
    assert not any(np.any(array) for array in (*dummy[:8], *vars(rows).values()))


def test_example_batch_draws_in_the_public_order() -> None:
    batch, embeddings = create_example_batch(2, 4, 6, 3, 5)
    generator = np.random.default_rng(42)
    np.testing.assert_array_equal(batch.user_hashes, generator.integers(1, 100_000, (2, 2)))
    for hashes in (batch.history_post_hashes, batch.history_author_hashes):
        expected = generator.integers(1, 100_000, (2, 6, 2))
        for user in range(2):
            expected[user, generator.integers(3, 7) :] = 0
        np.testing.assert_array_equal(hashes, expected)
    np.testing.assert_array_equal(batch.history_actions, generator.random((2, 6, 5)) > 0.7)
    np.testing.assert_array_equal(batch.history_product_surface, generator.integers(0, 16, (2, 6)))
    for hashes in (batch.candidate_post_hashes, batch.candidate_author_hashes):
        np.testing.assert_array_equal(hashes, generator.integers(1, 100_000, (2, 3, 2)))
    np.testing.assert_array_equal(
        batch.candidate_product_surface, generator.integers(0, 16, (2, 3))
    )
    for rows in vars(embeddings).values():
        np.testing.assert_array_equal(rows, generator.normal(size=rows.shape).astype(np.float32))


def test_example_corpus_has_unit_vectors_and_64_bit_ids() -> None:
    vectors, post_ids = create_example_corpus(20, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-6)
    assert vectors.dtype == np.float32
    assert post_ids.dtype == np.int64
    np.testing.assert_array_equal(post_ids, np.arange(20))
