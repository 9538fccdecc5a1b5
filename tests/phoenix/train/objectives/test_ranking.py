"""Claims about what the ranker is trained for."""

import dataclasses
import datetime

import jax
import numpy as np
import pytest

from phoenix.data.population import WorldConfig
from phoenix.data.synthetic import World
from phoenix.data.windows import unpack_actions
from phoenix.metrics.mergeable import Sums
from phoenix.train import losses
from phoenix.train.loss_config import RankingLossConfig
from tests.phoenix.planted import RANKER
from tests.phoenix.train.objectives.forward import (
    WINDOWS,
    loss_of,
    make,
    output_of,
)

WITH_DWELL = dataclasses.replace(RANKER, num_continuous=1)
SECONDS = np.random.default_rng(0).exponential(20, WINDOWS.labels.shape).astype(np.float32)


def test_action_without_weight_has_no_gradient():
    objective = make(RANKER, losses=RankingLossConfig(action_weights={"hide": 0.0}))
    gradient = loss_of(objective, WINDOWS)[2][0]["phoenix_model"]["unembeddings"]
    assert np.any(gradient[:, 0])
    assert not np.any(gradient[:, 1])


def test_options_of_an_action_reach_its_loss():
    options = RankingLossConfig(focal_gammas={"like": 2.0}, jrc_shares={"hide": 0.25})
    objective = make(RANKER, losses=options)
    labels = unpack_actions(WINDOWS.labels, 2)
    expected = losses.multi_label(
        output_of(objective).logits,
        labels,
        focal_gammas=np.array([2.0, 0.0]),
        jrc_shares=np.array([0.0, 0.25]),
    )
    np.testing.assert_allclose(loss_of(objective, WINDOWS)[0], expected, rtol=1e-5)


def test_popular_posts_count_less_by_the_power_of_their_share():
    objective = make(RANKER, losses=RankingLossConfig(popularity_power=0.5))
    ids = WINDOWS.candidate_post_ids
    shares = np.array([[np.sum(ids == post) / ids.size for post in row] for row in ids])
    expected = losses.multi_label(
        output_of(objective).logits,
        unpack_actions(WINDOWS.labels, 2),
        weights=shares[..., None] ** -0.5,
    )
    np.testing.assert_allclose(loss_of(objective, WINDOWS)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["squared_error", "absolute_error"])
def test_dwell_is_learned_in_units_of_thirty_seconds(kind):
    ranking = RankingLossConfig(dwell=kind, dwell_weight=3.0)
    objective = make(WITH_DWELL, losses=ranking)
    value, scalars, (dense, _) = loss_of(objective, WINDOWS._replace(label_dwell_seconds=SECONDS))
    output = output_of(objective)
    difference = output.continuous[..., 0] - np.minimum(SECONDS / 30, 1)
    expected = np.mean(difference**2 if kind == "squared_error" else abs(difference))
    actions = losses.multi_label(output.logits, unpack_actions(WINDOWS.labels, 2))
    np.testing.assert_allclose(scalars["dwell_loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(value, actions + 3 * expected, rtol=1e-5)
    assert np.any(dense["phoenix_model"]["continuous_unembeddings"])


def test_of_what_was_drawn_nobody_learns_how_long_it_was_looked_at():
    options = {"losses": RankingLossConfig(dwell="squared_error")}
    windows = WINDOWS._replace(label_dwell_seconds=SECONDS)
    others = windows._replace(label_dwell_seconds=np.where(np.arange(8) < 5, SECONDS, 7))
    losses_of_times = []
    for num_drawn in (0, 3):
        objective = dataclasses.replace(make(WITH_DWELL, **options), num_drawn=num_drawn)
        pair = [loss_of(objective, each)[1]["dwell_loss"] for each in (windows, others)]
        losses_of_times.append(pair)
    assert losses_of_times[0][0] != losses_of_times[0][1]
    assert losses_of_times[1][0] == losses_of_times[1][1]
    difference = output_of(objective).continuous[:, :5, 0] - np.minimum(SECONDS[:, :5] / 30, 1)
    np.testing.assert_allclose(losses_of_times[1][0], np.mean(difference**2), rtol=1e-5)


def test_a_log_that_keeps_a_tenth_of_its_negatives_gives_the_probabilities_of_the_whole_log():
    world_of_days = World(
        WorldConfig(
            first_day=datetime.date(2026, 1, 1),
            actions=("favorite", "click"),
            num_users=200,
            num_authors=20,
            num_posts=200,
            num_posts_per_day=5,
            impressions_per_day=20_000,
            seed=3,
        )
    )
    impressions = world_of_days.impressions(datetime.date(2026, 1, 2))
    labels = unpack_actions(impressions.actions, 2)
    features = np.eye(16, dtype=np.float32)[impressions.surfaces % 16]
    draw = np.random.default_rng(0).random(len(labels))
    is_kept = labels.any(axis=1) | (draw < 0.1)
    weights = np.where(labels.any(axis=1), 1, 10).astype(np.float32)

    def fitted(rows, row_weights):
        """The logits by which a logistic model, trained on some rows, predicts all of them."""

        def loss(theta):
            return losses.multi_label(features[rows] @ theta, labels[rows], weights=row_weights)

        theta, step = np.zeros((16, 2), np.float32), jax.jit(jax.grad(loss))
        for _ in range(400):
            theta = theta - 4 * np.asarray(step(theta))
        return 1 / (1 + np.exp(-features @ theta))

    rows = np.flatnonzero(is_kept)
    weighted = Sums.of(labels, fitted(rows, weights[rows, None])).values()["calibration"]
    plain = Sums.of(labels, fitted(rows, None)).values()["calibration"]
    np.testing.assert_allclose(weighted, 1, atol=0.05)
    assert (plain > 1.5).all()
    # And a metric of the kept rows says the same of the model as one of all rows.
    predictions = fitted(rows, weights[rows, None])
    kept = Sums.of(labels[rows], predictions[rows], weights[rows, None]).values()
    whole = Sums.of(labels, predictions).values()
    np.testing.assert_allclose(kept["log_loss"], whole["log_loss"], rtol=0.05)
    np.testing.assert_allclose(kept["calibration"], whole["calibration"], rtol=0.05)
