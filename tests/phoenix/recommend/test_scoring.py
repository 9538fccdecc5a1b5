"""Scores and feeds by hand-computed numbers."""

import numpy as np

from phoenix.recommend import scoring


def test_offset_follows_the_published_formula() -> None:
    weights = [0.5, 42.82, -367.22]  # the published sums: 43.32 and 367.22
    probabilities = np.array([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    expected = [0.251, 0.001, (-183.61 + 367.22) / 410.54 * 0.001]
    scores = scoring.weighted_scores(probabilities, weights).scores
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_a_broken_head_counts_as_zero_and_is_reported() -> None:
    probabilities = np.array([[np.nan, 0.5], [0.25, np.inf]])
    result = scoring.weighted_scores(probabilities, [1.0, 2.0])
    np.testing.assert_allclose(result.scores, [1.001, 0.251], rtol=1e-6)
    assert result.num_not_finite.tolist() == [1, 1]
    padded = scoring.weighted_scores(probabilities, [1.0, 2.0], np.array([False, True]))
    assert padded.num_not_finite.tolist() == [0, 1]


def test_without_weights_the_score_is_not_offset() -> None:
    assert scoring.weighted_scores(np.array([[0.5]]), [0.0]).scores.tolist() == [0.0]
