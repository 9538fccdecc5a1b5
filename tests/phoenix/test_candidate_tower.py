"""The candidate tower: vectors of posts of any rank, of unit length."""

import jax
import numpy as np
import pytest

from phoenix.candidate_tower import CandidateTower
from tests.phoenix.model_inputs import transformed


@pytest.mark.parametrize("rank", [3, 4])
@pytest.mark.parametrize("kind", ["mlp", "mean"])
def test_candidate_tower_gives_unit_vectors_for_both_ranks(rank: int, kind: str) -> None:
    rows = np.random.default_rng(0).normal(size=(4, 8, 4, 16)[4 - rank :]).astype(np.float32)
    tower = transformed(lambda rows: CandidateTower(16, kind)(rows))
    vectors = tower.apply(tower.init(jax.random.key(0), rows), rows)
    assert vectors.shape == (*rows.shape[:-2], 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1.0, atol=1e-5)


def test_candidate_tower_refuses_another_rank() -> None:
    with pytest.raises(ValueError, match=r"post_author_embedding.*got \(4, 16\)"):
        transformed(lambda rows: CandidateTower(16)(rows)).init(
            jax.random.key(0), np.ones((4, 16), np.float32)
        )
