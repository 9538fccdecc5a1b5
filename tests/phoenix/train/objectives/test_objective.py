"""Claims about the objectives of both models."""

import jax
import numpy as np
import pytest

from phoenix.data.window_source import pad_windows
from tests.phoenix.planted import RANKER, RETRIEVAL
from tests.phoenix.train.objectives.forward import WINDOWS, loss_of, make


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
