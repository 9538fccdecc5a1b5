"""The number of a post beside its angle: at first the engagements to expect."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.data.engagement.rates import POPULARITY
from phoenix.inputs.popularity import popularity
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from tests.phoenix.model_inputs import example, trunk

MODEL = hk.without_apply_rng(hk.transform(popularity))
BATCH, _ = example(PhoenixRetrievalModelConfig(trunk(), 16, has_counts=True))
PARAMS = MODEL.init(jax.random.key(0), BATCH)


def test_at_first_it_is_the_logarithm_of_the_engagements_to_expect() -> None:
    expected = BATCH.candidate_popularity[..., POPULARITY.index("engagement")]
    np.testing.assert_array_equal(MODEL.apply(PARAMS, BATCH)[..., 0], expected)


def test_all_that_is_known_of_a_post_can_be_learned_from() -> None:
    params = jax.tree.map(lambda leaf: leaf + 0.1, PARAMS)
    loss = lambda numbers: jnp.sum(  # noqa: E731 - differentiated by its argument
        MODEL.apply(params, BATCH._replace(candidate_popularity=numbers)) ** 2
    )
    gradients = jax.grad(loss)(jnp.asarray(BATCH.candidate_popularity))
    assert np.all(np.abs(gradients).max(axis=(0, 1)) > 0)
    assert np.asarray(
        jax.grad(lambda p: jnp.sum(MODEL.apply(p, BATCH)))(PARAMS)["popularity_output"]["w"]
    ).any()


def test_a_batch_without_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="candidate_popularity`: expected an array"):
        MODEL.apply(PARAMS, BATCH._replace(candidate_popularity=None))
