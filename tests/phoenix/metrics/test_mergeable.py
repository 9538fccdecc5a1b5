"""Pieces merge in any order equal the whole, and the whole equals the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.metrics import ordering
from phoenix.metrics.mergeable import Coverage, Deviations, ScoreBins, Sums, WeightedMean, merge

# Half a logit apart: every score has a bin of its own.
GRID = 1 / (1 + np.exp(-np.arange(-6, 6.5, 0.5)))
EXAMPLES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, len(GRID) - 1)), min_size=1, max_size=40
)


def arrays(examples):
    labels, places = (np.array(column) for column in zip(*examples, strict=True))
    return labels, GRID[places]


def means(labels, p):
    """The definitions of what `Sums` counts."""
    y, rate = labels.astype(float), labels.mean()

    def log_loss(p):
        return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))

    reference = log_loss(rate) if 0 < rate < 1 else np.nan
    return {
        "log_loss": log_loss(p),
        "relative_cross_entropy": 100 * (1 - log_loss(p) / reference),
        "calibration": p.sum() / y.sum() if y.any() else np.nan,
        "accuracy": np.mean((p >= 0.5) == (y > 0)),
        "mean_absolute_error": np.mean(abs(p - y)),
        "mean_squared_error": np.mean((p - y) ** 2),
    }


@settings(deadline=None, max_examples=60)
@given(EXAMPLES, st.integers(0, 40))
def test_pieces_equal_the_whole_and_the_definition(examples, cut):
    labels, scores = arrays(examples)
    first, second = (labels[:cut], scores[:cut]), (labels[cut:], scores[cut:])
    bins = merge(ScoreBins.of(*second), ScoreBins.of(*first)).values()
    sums = merge(Sums.of(*second), Sums.of(*first)).values()
    expected = {"auc": ordering.auc(labels, scores), "pr_auc": ordering.pr_auc(labels, scores)}
    assert bins == pytest.approx(expected, nan_ok=True)
    assert sums == pytest.approx(means(labels, scores), rel=1e-9, abs=1e-9, nan_ok=True)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1), st.integers(0, 9))
def test_deviations_in_pieces_equal_the_whole(rows, cut):
    targets, predictions = np.array(rows, float).T + 0.5  # in the middle of a bin
    parts = [
        Deviations.of(targets[part], predictions[part], largest=128.0)
        for part in (slice(cut, None), slice(cut))
    ]
    expected = {
        "mean_absolute_error": np.mean(abs(targets - predictions)),
        "mean_squared_error": np.mean((targets - predictions) ** 2),
        "xauc": ordering.xauc(targets, predictions),
    }
    assert merge(*parts).values() == pytest.approx(expected, nan_ok=True)


def test_jax_counts_what_numpy_counts_and_columns_stay_apart():
    draw = np.random.default_rng(0)
    labels, places = draw.integers(0, 2, (50, 3)), draw.integers(0, len(GRID), (50, 3))
    weights = draw.uniform(0, 2, (50, 1))
    for kind in (Sums, ScoreBins):
        whole = kind.of(labels, GRID[places], weights).values()
        compiled = jax.jit(kind.of)(jnp.asarray(labels), jnp.asarray(GRID[places]), weights)
        for name, values in compiled.values().items():
            np.testing.assert_allclose(values, whole[name], rtol=1e-4)
        for column in range(3):
            alone = kind.of(labels[:, column], GRID[places[:, column]], weights[:, 0]).values()
            assert alone == pytest.approx({name: v[column] for name, v in whole.items()})
    seconds = draw.uniform(0, 40, (2, 50))
    plain = Deviations.of(*seconds, largest=30.0).values()
    compiled = Deviations.of(*map(jnp.asarray, seconds), largest=30.0).values()
    assert compiled == pytest.approx(plain, rel=1e-4)


def test_bins_are_fine_enough_for_scores_that_are_anything():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 20_000)
    scores = 1 / (1 + np.exp(-draw.normal(labels, 1.0)))
    auc = ScoreBins.of(labels, scores).values()["auc"]
    assert auc == pytest.approx(ordering.auc(labels, scores), abs=1e-4)


def test_weights_count_as_repetitions():
    labels, scores, weights = np.array([1, 0, 0]), GRID[[9, 12, 3]], np.array([1, 3, 2])
    repeated = [np.repeat(values, weights) for values in (labels, scores)]
    for kind in (ScoreBins, Sums):
        values = kind.of(labels, scores, weights).values()
        assert values == pytest.approx(kind.of(*repeated).values())


def test_a_state_times_a_number_counts_less():
    right, wrong = GRID[[20, 3]], GRID[[3, 20]]
    old, new = (ScoreBins.of(np.array([1, 0]), scores) for scores in (wrong, right))
    faded = merge(ScoreBins(*(0.5 * part for part in old)), new)
    # Half of the wrong step is left: positives win 1 + 0.25 of 1.5 * 1.5 pairs, and tie in one.
    assert faded.values()["auc"] == pytest.approx((1 + 2 * 0.25) / 2.25)


def test_means_of_groups_leave_out_what_is_not_defined():
    whole = np.array([0.5, np.nan, 1.0, 0.0])
    parts = merge(WeightedMean.of(whole[:2]), WeightedMean.of(whole[2:]))
    assert parts.values() == {"mean": pytest.approx(0.5)}
    assert np.isnan(WeightedMean.of(np.empty(0)).values()["mean"])
    assert {part.dtype for part in WeightedMean.of(jnp.ones(2))} == {jnp.dtype("float32")}


def test_coverage_counts_a_post_once_and_no_other_posts():
    corpus = np.array([4, 2, 1, 3])
    states = [Coverage.of(np.array(posts), corpus) for posts in ([[1, 2], [0, 1]], [2, 3, 9])]
    assert merge(*states).values() == {"coverage": 0.75}
    assert np.isnan(Coverage.of(np.array([1]), np.empty(0, np.int64)).values()["coverage"])


def test_a_prediction_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="1 of 1 predictions are NaN"):
        Sums.of(np.array([1]), np.array([np.nan]))
    with pytest.raises(ValueError, match=r"\(2,\), \(1,\)"):
        Sums.of(np.array([0, 1]), np.array([0.5]))
