"""Slates are padded and cut without a loss."""

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given

from phoenix.inputs import slates
from tests.phoenix.model_inputs import ATTRIBUTES, example, ranker

BATCH, EMBEDDINGS = example(ranker(attributes=ATTRIBUTES, has_counts=True))
# No ranker reads it; a batch of retrieval holds it beside its candidates.
BATCH = BATCH._replace(candidate_popularity=np.ones((*BATCH.candidate_post_hashes.shape[:2], 4)))


@given(num_candidates=st.integers(0, 50), block_size=st.integers(1, 60))
def test_blocks_cover_a_slate_once_and_in_order(num_candidates: int, block_size: int) -> None:
    parts = list(slates.blocks(num_candidates, block_size))
    covered = [slot for part in parts for slot in range(part.start, part.stop)]
    assert covered == list(range(num_candidates))
    assert all(0 < part.stop - part.start <= block_size for part in parts)


def test_a_block_without_candidates_is_refused() -> None:
    for size in (0, -1):
        with pytest.raises(ValueError, match=f"`block_size`: expected .* got {size}"):
            list(slates.blocks(5, size))


def test_a_bucket_holds_its_block() -> None:
    assert [slates.block_bucket(size) for size in (0, 1, 8, 9, 1024)] == [8, 8, 8, 16, 1024]


def test_a_padded_block_holds_its_candidates_and_then_nothing() -> None:
    part = slates.candidate_block(BATCH, slice(3, 5), 4)
    np.testing.assert_array_equal(
        part.candidate_post_hashes[:, :2], BATCH.candidate_post_hashes[:, 3:5]
    )
    for name, array in part._asdict().items():
        if name.startswith("candidate_"):
            assert array.shape[1] == 4
            assert not np.any(array[:, 2:]), name
        else:
            assert array is getattr(BATCH, name)
    rows = slates.candidate_block(EMBEDDINGS, slice(3, 99))
    np.testing.assert_array_equal(
        rows.candidate_author_embeddings, EMBEDDINGS.candidate_author_embeddings[:, 3:]
    )
    assert rows.user_embeddings is EMBEDDINGS.user_embeddings


def test_padded_users_are_unknown_and_without_history() -> None:
    for inputs in (BATCH, EMBEDDINGS):
        pairs = zip(
            jax.tree.leaves(inputs), jax.tree.leaves(slates.padded_users(inputs, 7)), strict=True
        )
        for before, after in pairs:
            np.testing.assert_array_equal(after[:3], before)
            assert after.shape == (7, *before.shape[1:])
            assert not np.any(after[3:])
