"""Gates of features are nearly open or closed in training, and cost what their formula says."""

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.config import ConfigError
from phoenix.inputs.config import GATED_FEATURES
from phoenix.nn.feature_gates import apply_gate, kept_shares
from phoenix.train.loss_config import RankingLossConfig
from tests.phoenix.planted import RANKER, runner, world

GATE = hk.transform(lambda x: apply_gate("post", x))
ONES = jnp.ones((4000, 2, 3))


def at_rate(rate):
    params = GATE.init(jax.random.key(0), ONES)
    logit = jnp.float32(np.log(rate / (1 - rate)))
    return jax.tree.map(lambda _: logit, params)


def test_without_random_numbers_a_gate_is_what_it_is_on_average():
    np.testing.assert_allclose(GATE.apply(at_rate(0.3), None, ONES), 0.7 * ONES, rtol=1e-6)


def test_in_training_a_row_is_nearly_whole_or_dropped_as_often_as_the_rate_says():
    gates = np.asarray(GATE.apply(at_rate(0.3), jax.random.key(1), ONES))
    assert np.all(gates == gates[:, :1, :1])
    assert np.mean(gates[:, 0, 0] < 0.5) == pytest.approx(0.3, abs=0.03)
    assert np.mean((gates > 0.1) & (gates < 0.9)) < 0.15


def test_a_draw_has_a_gradient_with_respect_to_the_rate():
    def total(params):
        return jnp.sum(GATE.apply(params, jax.random.key(1), ONES))

    (gradient,) = jax.tree.leaves(jax.grad(total)(at_rate(0.3)))
    assert gradient < 0  # a higher rate keeps less


def test_shares_are_what_is_kept():
    params = {"dropout_logit_a": jnp.float32(0), "dropout_logit_b": jnp.float32(np.log(3))}
    assert kept_shares(params, ["a", "b"]) == {"a": 0.5, "b": pytest.approx(0.25)}


def test_a_ranker_learns_what_its_features_are_worth():
    # Nothing but the post says how long a user stays: of it most must be kept.
    example = world(600)
    is_long = example.post_topics[example.windows.candidate_post_ids] < 2
    windows = example.windows._replace(
        label_dwell_seconds=np.where(is_long, 25, 5).astype(np.float32)
    )
    config = dataclasses.replace(RANKER, num_continuous=1, variational_dropout=200.0)
    ranking = RankingLossConfig(dwell="squared_error", dwell_weight=50.0)
    options = {"epochs": 4, "losses": ranking, "learning_rate": 3e-2}
    result = runner(config, windows, **options).run()
    shares = {group: result.curve[-1][f"kept_{group}"] for group in GATED_FEATURES}
    assert shares["candidate_post"] > max(shares["user"], shares["history_surface"])
    assert shares["history_surface"] < 0.8  # it began at 0.88 and is always the same
    predicted = result.model.predict(windows)
    np.testing.assert_array_equal(predicted, result.model.predict(windows))


@pytest.mark.parametrize("penalty", [-1.0, float("inf"), "1", None, True])
def test_a_penalty_that_is_no_number_from_0_on_is_refused(penalty):
    with pytest.raises(ConfigError, match="variational_dropout`: expected a number >= 0, got"):
        dataclasses.replace(RANKER, variational_dropout=penalty)
