"""Pieces merged in any order equal the whole, and the whole equals the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix import metrics
from phoenix.mergeable_metrics import Decayed, ScoreBins, Seen, Sums, WeightedMean

# Half a logit apart: every score has a bin of its own.
GRID = 1 / (1 + np.exp(-np.arange(-6, 6.5, 0.5)))
EXAMPLES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, len(GRID) - 1)), min_size=1, max_size=40
)


def arrays(examples):
    labels, places = (np.array(column) for column in zip(*examples, strict=True))
    return labels, GRID[places]


@settings(deadline=None, max_examples=60)
@given(EXAMPLES, st.integers(0, 40))
def test_pieces_equal_the_whole_and_the_definition(examples, cut):
    labels, scores = arrays(examples)
    first, second = (labels[:cut], scores[:cut]), (labels[cut:], scores[cut:])
    bins = ScoreBins.of(*second) + ScoreBins.of(*first)
    sums = (Sums.of(*second) + Sums.of(*first)).values()
    expected = {
        "log_loss": metrics.log_loss(labels, scores),
        "relative_cross_entropy": metrics.relative_cross_entropy(labels, scores),
        "calibration": metrics.calibration(labels, scores),
        "accuracy": metrics.accuracy(labels, scores),
        "mean_absolute_error": metrics.mean_absolute_error(labels, scores),
        "mean_squared_error": metrics.mean_squared_error(labels, scores),
    }
    assert sums == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
    assert bins.auc == pytest.approx(metrics.auc(labels, scores), nan_ok=True)
    assert bins.pr_auc == pytest.approx(metrics.pr_auc(labels, scores), nan_ok=True)


def test_bins_are_fine_enough_for_scores_that_are_anything():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 20_000)
    scores = 1 / (1 + np.exp(-draw.normal(labels, 1.0)))
    assert ScoreBins.of(labels, scores).auc == pytest.approx(metrics.auc(labels, scores), abs=1e-4)


def test_weights_count_as_repetitions():
    labels, scores, weights = np.array([1, 0, 0]), GRID[[9, 12, 3]], np.array([1, 3, 2])
    repeated = [np.repeat(values, weights) for values in (labels, scores)]
    assert ScoreBins.of(labels, scores, weights).auc == ScoreBins.of(*repeated).auc
    assert Sums.of(labels, scores, weights).values() == pytest.approx(Sums.of(*repeated).values())


def test_means_of_groups_leave_out_what_is_not_defined():
    whole = np.array([0.5, np.nan, 1.0, 0.0])
    merged = WeightedMean.of(whole[:2]) + WeightedMean.of(whole[2:])
    assert merged.value == pytest.approx(0.5)
    assert np.isnan(WeightedMean().value)


def test_coverage_counts_a_post_once():
    seen = Seen.of(np.array([[1, 2], [0, 1]])) + Seen.of(np.array([2, 3]))
    assert seen.coverage(np.array([1, 2, 3, 4])) == 0.75


def test_decayed_metrics_follow_the_last_steps():
    decayed = Decayed(half_life=1.0)
    right, wrong = GRID[[20, 3]], GRID[[3, 20]]
    labels = np.array([1, 0])
    for scores in (wrong, right):
        decayed.add_scores("auc", labels, scores)
        decayed.add_values("recall", np.array([float(scores[0] > scores[1])]))
    # Half of the wrong step is left: positives win (1 + 0.25) of 1.5 * 1.5 pairs, and tie in one.
    assert decayed.values()["recall"] == pytest.approx(2 / 3)
    assert decayed.values()["auc"] == pytest.approx((1 + 2 * 0.25) / 2.25)


def test_a_prediction_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="1 of 1 predictions are NaN"):
        Sums.of(np.array([1]), np.array([np.nan]))
    with pytest.raises(ValueError, match="half_life"):
        Decayed(0)
