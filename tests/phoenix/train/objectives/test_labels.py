"""Claims about the candidates and labels that count."""

import haiku as hk
import jax
import numpy as np
import pytest

from phoenix.data.window_source import pad_windows
from phoenix.data.windows import unpack_actions
from phoenix.embedding import lookup
from phoenix.inputs.model_inputs import model_inputs
from phoenix.metrics.mergeable import ScoreBins, Sums
from phoenix.train import losses
from tests.phoenix.planted import ACTIONS, RANKER
from tests.phoenix.train.objectives.forward import (
    TABLES,
    WINDOWS,
    loss_of,
    make,
    output_of,
    params_of,
)


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


def test_metrics_of_actions_leave_out_padding():
    observed = loss_of(make(RANKER), pad_windows(WINDOWS, 9))[1]
    labels = unpack_actions(WINDOWS.labels, 2).reshape(-1, 2)
    probabilities = jax.nn.sigmoid(output_of(make(RANKER)).logits).reshape(-1, 2)
    for name, kind in (("actions", Sums), ("scores", ScoreBins)):
        expected = kind.of(labels, np.asarray(probabilities)).values()
        for metric, values in observed[name].values().items():
            np.testing.assert_allclose(values, expected[metric], rtol=1e-4)
