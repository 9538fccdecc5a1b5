"""Products of the rows of users and posts, and what is unknown or padding in them."""

import jax.numpy as jnp
import numpy as np

from phoenix.inputs.factorization import candidate_factors, joint_factors, user_factor
from tests.phoenix.model_inputs import example, ranker


def test_an_unknown_user_and_a_padded_candidate_have_no_factors() -> None:
    config = ranker()
    batch, embeddings = example(config)  # user 0 is known, the last candidate of user 1 padding
    users = user_factor(config, batch, embeddings)
    np.testing.assert_array_equal(np.any(users, axis=1), [True, False, False])
    np.testing.assert_allclose(users[0], embeddings.user_embeddings[0].sum(axis=0), rtol=1e-6)
    posts = np.asarray(candidate_factors(config, batch, embeddings))
    expected = batch.candidate_post_hashes[:, :, 0] != 0
    np.testing.assert_array_equal(posts.any(axis=2), expected)
    assert not expected.all()


def test_the_product_of_unit_vectors_is_about_as_long_as_they_are() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 100, 64))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    joint = joint_factors(jnp.asarray(vectors[0]), jnp.asarray(vectors[1])[:, None])
    assert joint.shape == (100, 1, 192)
    length = np.linalg.norm(joint[:, 0, 128:], axis=-1).mean()
    assert 0.7 < length < 1.3
