"""The order of the public fields of a batch, and rows as a pytree."""

import dataclasses

import jax
import numpy as np

from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from tests.phoenix.model_inputs import example, ranker


def test_batch_keeps_the_public_fields_first() -> None:
    assert RecsysBatch._fields[:8] == (
        "user_hashes",
        "history_post_hashes",
        "history_author_hashes",
        "history_actions",
        "history_product_surface",
        "candidate_post_hashes",
        "candidate_author_hashes",
        "candidate_product_surface",
    )
    assert [field.name for field in dataclasses.fields(RecsysEmbeddings)] == [
        "user_embeddings",
        "history_post_embeddings",
        "candidate_post_embeddings",
        "history_author_embeddings",
        "candidate_author_embeddings",
    ]


def test_embeddings_are_a_pytree() -> None:
    _, embeddings = example(ranker())
    doubled = jax.tree.map(lambda x: 2 * x, embeddings)
    np.testing.assert_array_equal(doubled.user_embeddings, 2 * embeddings.user_embeddings)
    assert len(jax.tree.leaves(embeddings)) == 5
