"""Counts as logits: the smoothed baseline at first, and one number for all candidates of a user."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.data.engagement.rates import LEVELS
from phoenix.inputs.evidence import evidence_logits
from tests.phoenix.model_inputs import example, ranker

NUM_ACTIONS = 3


def batch_of(seed=0, candidates=4):
    rng = np.random.default_rng(seed)
    batch, _ = example(ranker())
    shape = 2, candidates, len(LEVELS)
    return batch._replace(
        candidate_log_odds=rng.normal(size=(*shape, NUM_ACTIONS)).astype(np.float32),
        candidate_log_counts=rng.uniform(0, 5, shape).astype(np.float32),
    )


MODEL = hk.without_apply_rng(hk.transform(evidence_logits))


def test_at_first_the_logits_are_the_log_odds_of_the_smoothed_rates() -> None:
    batch = batch_of()
    params = MODEL.init(jax.random.key(0), batch)
    logits = MODEL.apply(params, batch)
    post = batch.candidate_log_odds[:, :, LEVELS.index("post")]
    np.testing.assert_allclose(logits, post, rtol=1e-5, atol=1e-5)


def test_all_of_the_evidence_can_be_learned_from() -> None:
    batch = batch_of()
    params = MODEL.init(jax.random.key(0), batch)
    gradients = jax.grad(lambda p: jnp.sum(MODEL.apply(p, batch) ** 3))(params)
    weights = gradients["~"]["evidence_weights"]
    assert np.all(np.asarray(weights) != 0)


def test_a_users_own_rate_alone_changes_no_order_while_it_is_added() -> None:
    batch = batch_of()
    params = MODEL.init(jax.random.key(0), batch)
    weights = params["~"]["evidence_weights"].at[LEVELS.index("user")].set(0.1)
    learned = {**params, "~": {**params["~"], "evidence_weights": weights}}
    odds = batch.candidate_log_odds.copy()
    odds[:, :, LEVELS.index("user")] = odds[:, :1, LEVELS.index("user")]  # one for all candidates
    odds[:, :, LEVELS.index("all")] = odds[:, :1, LEVELS.index("all")]
    batch = batch._replace(candidate_log_odds=odds)
    added = MODEL.apply(learned, batch) - MODEL.apply(params, batch)
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=1e-5)
    assert np.abs(added).min() > 0


def test_missing_evidence_is_named() -> None:
    batch = batch_of()._replace(candidate_log_counts=None)
    with pytest.raises(ValueError, match="candidate_log_counts`: expected an array"):
        MODEL.init(jax.random.key(0), batch)
