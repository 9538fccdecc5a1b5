"""Claims about what the two models are trained for."""

import dataclasses
import datetime
from functools import lru_cache

import haiku as hk
import jax
import numpy as np
import pytest

from phoenix.config import ConfigError
from phoenix.data.population import WorldConfig
from phoenix.data.synthetic import World
from phoenix.data.window_source import pad_windows
from phoenix.data.windows import unpack_actions
from phoenix.embedding import initial_tables, lookup
from phoenix.inputs.model_inputs import model_inputs
from phoenix.metrics.mergeable import ScoreBins, Sums
from phoenix.train import losses
from phoenix.train.batches import PostFrequencies, train_batch
from phoenix.train.config import RankerTrainConfig
from phoenix.train.loss_config import NegativesConfig, RankingLossConfig
from phoenix.train.objectives import objective_of
from tests.phoenix.planted import (
    ACTIONS,
    RANKER,
    RETRIEVAL,
    SPEC,
    InMemoryWindows,
    train_config,
    world,
)

WINDOWS = world(6).windows
FREQUENCIES = PostFrequencies.of(InMemoryWindows(WINDOWS), 6)
TABLES = initial_tables(SPEC, 32, 0)


def make(config, **options):
    return objective_of(config, ACTIONS, train_config(config, **options))


@lru_cache
def params_of(config):
    has_dwell = getattr(config, "num_continuous", 0) > 0
    objective = make(config, **({"losses": {"dwell": "squared_error"}} if has_dwell else {}))
    inputs = model_inputs(WINDOWS, ACTIONS, config)
    return objective.initial_params(0, inputs, lookup(TABLES, inputs))


def loss_of(objective, windows):
    inputs = model_inputs(windows, ACTIONS, objective.config)
    rows = lookup(TABLES, inputs)
    batch = train_batch(windows, inputs, len(ACTIONS), FREQUENCIES)
    value_and_grad = jax.jit(jax.value_and_grad(objective.loss, argnums=(0, 1), has_aux=True))
    (loss, scalars), gradients = value_and_grad(params_of(objective.config), rows, batch)
    return loss, scalars, gradients


@pytest.mark.parametrize("config", [RANKER, RETRIEVAL])
def test_padded_windows_change_neither_loss_nor_gradients(config):
    objective = make(config)
    loss, _, (dense, rows) = loss_of(objective, WINDOWS)
    padded_loss, _, (padded_dense, padded_rows) = loss_of(objective, pad_windows(WINDOWS, 9))
    np.testing.assert_allclose(padded_loss, loss, rtol=1e-4)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), padded_dense, dense
    )
    np.testing.assert_allclose(
        padded_rows.user_embeddings[:6], rows.user_embeddings, rtol=1e-4, atol=1e-5
    )
    for leaf in jax.tree.leaves(padded_rows):
        assert not np.any(leaf[6:])


@pytest.mark.parametrize("config", [RANKER, RETRIEVAL])
def test_every_parameter_and_every_row_that_is_read_gets_a_gradient(config):
    _, _, (dense, rows) = loss_of(make(config), WINDOWS)
    for module, parameters in dense.items():
        for name, gradient in parameters.items():
            assert np.any(gradient), (module, name)
    for leaf in jax.tree.leaves(rows):
        assert np.any(leaf)


def test_padded_candidates_do_not_count():
    objective = make(RANKER)
    kept = WINDOWS.candidate_post_ids > 20
    masked = WINDOWS._replace(
        candidate_post_hashes=WINDOWS.candidate_post_hashes * kept[..., None],
        candidate_post_ids=WINDOWS.candidate_post_ids * kept,
    )
    loss = loss_of(objective, masked)[0]
    relabelled = masked._replace(labels=np.where(kept, masked.labels, np.uint64(1)))
    assert loss_of(objective, relabelled)[0] == loss


def test_action_without_weight_has_no_gradient():
    objective = make(RANKER, losses=RankingLossConfig(action_weights={"hide": 0.0}))
    gradient = loss_of(objective, WINDOWS)[2][0]["phoenix_model"]["unembeddings"]
    assert np.any(gradient[:, 0])
    assert not np.any(gradient[:, 1])


def test_only_the_chosen_actions_make_a_positive():
    liked, hidden = make(RETRIEVAL), make(RETRIEVAL, positive_actions=["hide"])
    loss, scalars, _ = loss_of(liked, WINDOWS)
    assert loss > 0
    assert scalars["temperature"] == pytest.approx(0.1)
    assert loss_of(hidden, WINDOWS)[0] == 0  # Nobody hides anything.
    assert loss_of(make(RETRIEVAL, positive_actions=[]), WINDOWS)[0] == loss


def test_foreign_actions_are_refused_by_name():
    for ranking in (
        RankingLossConfig(action_weights={"share": 2.0}),
        RankingLossConfig(focal_gammas={"share": 2.0}),
        RankingLossConfig(jrc_shares={"share": 0.5}),
    ):
        with pytest.raises(ValueError, match="share"):
            make(RANKER, losses=ranking)
    with pytest.raises(ValueError, match="2 actions, but the action list has 1"):
        objective_of(RANKER, ["like"], RankerTrainConfig())


WITH_DWELL = dataclasses.replace(RANKER, num_continuous=1)
SECONDS = np.random.default_rng(0).exponential(20, WINDOWS.labels.shape).astype(np.float32)


def output_of(objective):
    inputs = model_inputs(WINDOWS, ACTIONS, objective.config)
    rows = lookup(TABLES, inputs)
    apply = hk.without_apply_rng(hk.transform(lambda *parts: objective.config.make()(*parts))).apply
    return jax.jit(apply)(params_of(objective.config), inputs, rows)


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


def test_a_head_without_a_loss_and_a_loss_without_a_head_are_refused():
    with pytest.raises(ConfigError, match="num_continuous`: expected 0 where"):
        make(WITH_DWELL)
    with pytest.raises(ConfigError, match="num_continuous`: expected 1 where"):
        make(RANKER, losses=RankingLossConfig(dwell="squared_error"))


def retrieval_parts(objective, batch):
    """Logits and the masks of positives and real posts, by the definitions."""
    rows = lookup(TABLES, batch.inputs)
    apply = hk.without_apply_rng(hk.transform(objective._vectors)).apply
    users, posts = jax.jit(apply)(params_of(objective.config), batch.inputs, rows)
    logits = 10 * users @ posts.reshape(-1, posts.shape[-1]).T  # the temperature begins at 0.1
    return logits - batch.log_frequencies.reshape(-1), batch.labels[..., 0] > 0


def test_the_hardest_rejected_posts_of_a_row_are_its_negatives():
    objective = make(RETRIEVAL, negatives=NegativesConfig(in_batch=False, hard_per_row=2))
    inputs = model_inputs(WINDOWS, ACTIONS, RETRIEVAL)
    logits, is_positive = retrieval_parts(
        objective, train_batch(WINDOWS, inputs, len(ACTIONS), FREQUENCIES)
    )
    ids, total = WINDOWS.candidate_post_ids, []
    for row, liked in enumerate(is_positive):
        own = np.asarray(logits[row, row * 8 : row * 8 + 8])
        rejected = np.flatnonzero(~liked)
        hard = rejected[np.argsort(-own[rejected], kind="stable")[:2]]
        hard = hard[~np.isin(ids[row, hard], ids[row, liked])]
        mass = np.exp(own[hard]).sum()
        if liked.any():
            total.append(np.mean(np.log(np.exp(own[liked]) + mass) - own[liked]))
    np.testing.assert_allclose(loss_of(objective, WINDOWS)[0], np.mean(total), rtol=1e-4)


@pytest.mark.parametrize("drawn", [0, 3])
def test_scores_learn_every_action_of_what_was_shown_and_of_nothing_drawn(drawn):
    negatives = NegativesConfig(global_per_row=drawn)
    plain = make(RETRIEVAL, negatives=negatives)
    objective = make(RETRIEVAL, negatives=negatives, losses={"impressions": 3.0})
    inputs = model_inputs(WINDOWS, ACTIONS, RETRIEVAL)
    batch = train_batch(WINDOWS, inputs, len(ACTIONS), FREQUENCIES)  # drawn ones are the last
    rows = lookup(TABLES, inputs)
    params = objective.initial_params(0, inputs, rows)
    slopes, biases = np.array([0.7, -2.0], np.float32), np.array([-1.0, 0.5], np.float32)
    params = {**params, "impressions": {"slopes": slopes, "biases": biases}}
    vectors = hk.without_apply_rng(hk.transform(objective._vectors)).apply
    users, posts = jax.jit(vectors)(params, inputs, rows)
    scores = 10 * np.einsum("bd,bcd->bc", users, posts)[..., None]  # the temperature begins at 0.1
    is_shown = (np.arange(8) < 8 - drawn)[:, None]
    expected = 3 * losses.multi_label(slopes * scores + biases, batch.labels, where=is_shown)
    value = jax.jit(objective.loss)(params, rows, batch)[0]
    without = jax.jit(plain.loss)(params, rows, batch)[0]
    np.testing.assert_allclose(value - without, expected, rtol=1e-4)


def test_recall_counts_the_positives_that_few_others_beat():
    objective = make(RETRIEVAL)
    inputs = model_inputs(WINDOWS, ACTIONS, RETRIEVAL)
    logits, is_positive = retrieval_parts(
        objective, train_batch(WINDOWS, inputs, len(ACTIONS), FREQUENCIES)
    )
    ids, found = WINDOWS.candidate_post_ids, []
    for row, liked in enumerate(is_positive):
        others = np.asarray(logits[row])[~np.isin(ids, ids[row]).ravel()]
        own = np.asarray(logits[row, row * 8 : row * 8 + 8])[liked]
        if liked.any():
            found.append(np.mean([np.sum(others >= x) < 10 for x in own]))
    observed = loss_of(objective, WINDOWS)[1]["recall_at_10"].values()
    assert observed["mean"] == pytest.approx(np.mean(found))


def test_metrics_of_actions_leave_out_padding():
    observed = loss_of(make(RANKER), pad_windows(WINDOWS, 9))[1]
    labels = unpack_actions(WINDOWS.labels, 2).reshape(-1, 2)
    probabilities = jax.nn.sigmoid(output_of(make(RANKER)).logits).reshape(-1, 2)
    for name, kind in (("actions", Sums), ("scores", ScoreBins)):
        expected = kind.of(labels, np.asarray(probabilities)).values()
        for metric, values in observed[name].values().items():
            np.testing.assert_allclose(values, expected[metric], rtol=1e-4)


def with_unknown_labels(windows, seed=3):
    """The same windows, of which some labels are unknown, and which those are."""
    unknown = np.random.default_rng(seed).integers(0, 4, windows.labels.shape).astype(np.uint64)
    known_labels = windows.labels & ~unknown
    return windows._replace(labels=known_labels, label_unknown_actions=unknown)


@pytest.mark.parametrize(
    "options", [{}, {"focal_gammas": {"like": 2.0}}, {"jrc_shares": {"like": 0.5}}]
)
def test_loss_and_metrics_are_those_of_the_known_labels(options):
    objective = make(RANKER, losses=options)
    windows = with_unknown_labels(WINDOWS)
    loss, observed, _ = loss_of(objective, windows)
    inputs = model_inputs(windows, ACTIONS, RANKER)
    output = objective.config.make  # the same forward pass, by hand
    logits = hk.transform(lambda b, r: output()(b, r).logits).apply(
        params_of(RANKER), None, inputs, lookup(TABLES, inputs)
    )
    labels = unpack_actions(windows.labels, len(ACTIONS))
    is_known = unpack_actions(windows.label_unknown_actions, len(ACTIONS)) == 0
    assert 0 < is_known.mean() < 1
    expected = losses.multi_label(
        logits,
        labels,
        focal_gammas=np.array([options.get("focal_gammas", {}).get(a, 0.0) for a in ACTIONS]),
        jrc_shares=np.array([options.get("jrc_shares", {}).get(a, 0.0) for a in ACTIONS]),
        where=is_known,
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(observed["actions"].weight, is_known.sum(axis=(0, 1)))


def test_an_unknown_label_changes_nothing_whatever_it_would_have_been():
    windows = with_unknown_labels(WINDOWS)
    other = windows._replace(labels=windows.labels | windows.label_unknown_actions)
    (loss, _, gradients), (other_loss, _, other_gradients) = (
        loss_of(make(RANKER), each) for each in (windows, other)
    )
    assert loss == other_loss
    jax.tree.map(np.testing.assert_array_equal, gradients, other_gradients)


def test_who_may_have_liked_a_post_has_not_rejected_it():
    objective = make(
        RETRIEVAL, negatives={"hard_per_row": 3, "in_batch": False, "global_per_row": 0}
    )
    nothing = WINDOWS._replace(labels=np.zeros_like(WINDOWS.labels))
    one = nothing.labels.copy()
    one[:, 0] = 1
    rejected = nothing._replace(labels=one)
    unknown = np.zeros_like(one)
    unknown[:, 1:] = 1
    loss, _, _ = loss_of(objective, rejected)
    masked_loss, _, _ = loss_of(objective, rejected._replace(label_unknown_actions=unknown))
    assert loss > 0
    # Of no other post is it known that it was rejected: there is nothing to stand against.
    np.testing.assert_allclose(masked_loss, 0, atol=1e-6)


@pytest.mark.parametrize("config", [RANKER, RETRIEVAL])
def test_a_window_of_weight_two_is_learned_from_like_two_of_it(config):
    own = {"negatives": {"in_batch": False, "hard_per_row": 2, "global_per_row": 0}}
    objective = make(config, **(own if config is RETRIEVAL else {}))
    weights = np.ones(WINDOWS.labels.shape, np.float32)
    weights[0] = 2
    loss, observed, _ = loss_of(objective, WINDOWS._replace(label_weights=weights))
    twice, seen_twice, _ = loss_of(objective, WINDOWS.rows(np.array([0, 0, 1, 2, 3, 4, 5])))
    np.testing.assert_allclose(loss, twice, rtol=1e-5)
    if config is RANKER:
        np.testing.assert_allclose(
            observed["actions"].weight, seen_twice["actions"].weight, rtol=1e-6
        )


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
