"""The taste of users: a posterior mean, which says nothing where a history does."""

import dataclasses

import haiku as hk
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings

from phoenix.inputs.taste import author_tastes, posterior_mean, user_tastes
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from tests.phoenix.model_inputs import example, trunk

SIZE = 3
BATCH, EMBEDDINGS = example(PhoenixRetrievalModelConfig(trunk(), 16))


def forward(batch, embeddings):
    return (
        user_tastes(SIZE, batch, embeddings),
        author_tastes(SIZE, embeddings.history_author_embeddings),
    )


MODEL = hk.without_apply_rng(hk.transform(forward))
PARAMS = MODEL.init(jax.random.key(0), BATCH, EMBEDDINGS)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999), num_events=st.integers(1, 6), precision=st.floats(0.1, 10))
def test_the_mean_is_that_of_a_normal_taste_given_what_was_observed(
    seed: int, num_events: int, precision: float
) -> None:
    generator = np.random.default_rng(seed)
    factors = generator.normal(size=(num_events, SIZE))
    observed = generator.normal(size=num_events)
    # The other way around, by the covariance of events: noise of variance 1 / p, and p y observed.
    covariance = factors @ factors.T + np.eye(num_events) / precision
    expected = factors.T @ np.linalg.solve(covariance, observed / precision)
    found = posterior_mean(jnp.array(factors[None]), jnp.array(observed[None]), precision=precision)
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-4)


def test_nobody_without_history_has_a_taste() -> None:
    batch = BATCH._replace(history_post_hashes=np.zeros_like(BATCH.history_post_hashes))
    assert not np.any(MODEL.apply(PARAMS, batch, EMBEDDINGS)[0])


def test_padding_says_nothing() -> None:
    authors = np.array(EMBEDDINGS.history_author_embeddings)
    is_padding = np.asarray(BATCH.history_post_hashes)[:, :, 0] == 0
    assert is_padding.any(), "else this says nothing"
    authors[is_padding] = 7.0
    changed = dataclasses.replace(EMBEDDINGS, history_author_embeddings=authors)
    expected = MODEL.apply(PARAMS, BATCH, EMBEDDINGS)[0]
    np.testing.assert_array_equal(MODEL.apply(PARAMS, BATCH, changed)[0], expected)


def test_an_author_whose_post_was_liked_is_favoured_and_one_ignored_is_not() -> None:
    shape = np.shape(BATCH.history_actions)
    posts = np.ones_like(BATCH.history_post_hashes)
    for is_liked in (True, False):
        actions = np.full(shape, float(is_liked), np.float32)
        batch = BATCH._replace(history_actions=actions, history_post_hashes=posts)
        users, authors = MODEL.apply(PARAMS, batch, EMBEDDINGS)
        seen = jnp.sum(users * jnp.sum(authors, axis=1), axis=-1)  # over all of a history
        assert np.all((seen > 0) == is_liked)
