"""What a user favours, as the posterior mean of a Gaussian factor, solved and not trained.

An author has a vector of R factors. What users favour is normal in these factors, with variance
one, and each event of a history is an observation of it: by how much its actions were more than
expected. The posterior mean has a closed form, a ridge regression within the model, so that who did
little is near zero, which is most popular. What is trained are the factors alone, by what users did
next. Small logs teach them in a few hundred steps, where attention still says nothing. Sources:
ridge regression as a layer (Bertinetto et al. 2019, "Meta-learning with differentiable closed-form
solvers", section 3.2), of a Bayesian factorisation (Salakhutdinov and Mnih 2008, equation 12).

Glossary of shapes:
  B: batch, S: history, R: factors, D: model width, A: actions, na: hashes per author.
"""

import haiku as hk
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings

_INITIAL_SIZE = 0.3  # of the map of rows, which are small: at first a user is about zero
_PRECISION = 0.15  # of an event: p (1 - p) of an action with a typical rate p
_USUAL = 0.2  # actions that are expected of an event at first


def author_tastes(size: int, author_rows: ArrayLike) -> jax.Array:
    """`[..., R]` float32 factors of authors, from their rows `[..., na, D]`."""
    rows = jnp.sum(jnp.asarray(author_rows, jnp.float32), axis=-2)
    initial = hk.initializers.RandomNormal(_INITIAL_SIZE)
    return rows @ hk.get_parameter("taste_factors", (rows.shape[-1], size), init=initial)


def user_tastes(size: int, batch: RecsysBatch, embeddings: RecsysEmbeddings) -> jax.Array:
    """`[B, R]` float32 posterior means of users; zero without history."""
    is_event = jnp.asarray(batch.history_post_hashes)[:, :, :1] != 0
    factors = author_tastes(size, embeddings.history_author_embeddings) * is_event  # [B, S, R]
    # Of which nobody knows (0.5) counts for nothing, as one that the model does not know.
    actions = (jnp.asarray(batch.history_actions) > 0.5).astype(jnp.float32)
    # At first every action speaks for an author; which do not is soon learned.
    weights = hk.get_parameter("taste_weights", actions.shape[-1:], init=jnp.ones)
    usual = hk.get_parameter("taste_usual", (), init=hk.initializers.Constant(_USUAL))
    return posterior_mean(factors, actions @ weights - usual, precision=_PRECISION)


def posterior_mean(factors: jax.Array, observed: jax.Array, *, precision: float) -> jax.Array:
    """`(I + p X'X)^-1 X'y` `[B, R]`, of factors X `[B, S, R]`, observations y `[B, S]`, and p.

    A row of X that is zero says nothing.

    >>> posterior_mean(jnp.ones((1, 4, 1)), jnp.ones((1, 4)), precision=0.25).tolist()
    [[2.0]]
    """
    size = factors.shape[-1]
    inverse = jnp.eye(size) + precision * jnp.einsum("bsr,bsq->brq", factors, factors)
    evidence = jnp.einsum("bsr,bs->br", factors, observed)
    return jnp.linalg.solve(inverse, evidence[..., None])[..., 0]
