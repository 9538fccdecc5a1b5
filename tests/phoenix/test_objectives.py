"""Claims about what the two models are trained for."""

from functools import lru_cache

import jax
import numpy as np
import pytest

from phoenix.batches import PostFrequencies, model_inputs, padded, train_batch
from phoenix.embedding import initial_tables, lookup
from phoenix.objectives import objective_of
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL, SPEC, InMemoryWindows, world

WINDOWS = world(6).windows
FREQUENCIES = PostFrequencies.of(InMemoryWindows(WINDOWS), 6)
TABLES = initial_tables(SPEC, 32, 0)


def make(config, **options):
    return objective_of(
        config, ACTIONS, **{"action_weights": {}, "positive_actions": ["like"], **options}
    )


@lru_cache
def params_of(config):
    objective = make(config)
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
    padded_loss, _, (padded_dense, padded_rows) = loss_of(objective, padded(WINDOWS, 9))
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
    objective = make(RANKER, action_weights={"hide": 0.0})
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
    with pytest.raises(ValueError, match="share"):
        make(RANKER, action_weights={"share": 2.0})
    with pytest.raises(ValueError, match="2 actions, but the action list has 1"):
        objective_of(RANKER, ["like"], action_weights={}, positive_actions=[])
