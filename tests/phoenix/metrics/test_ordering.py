"""Metrics equal their slow definitions, and say NaN where they are not defined."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.metrics import ordering

examples = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=1, max_size=25)


def slow_auc(labels, scores):
    pairs = [
        1.0 if p > n else 0.5 if p == n else 0.0
        for p in scores[labels == 1]
        for n in scores[labels == 0]
    ]
    return np.mean(pairs) if pairs else math.nan


def slow_average_precision(labels, scores):
    if not labels.any():
        return math.nan
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        is_above = scores >= threshold
        new_recall = labels[is_above].sum() / labels.sum()
        total += (new_recall - recall) * labels[is_above].mean()
        recall = new_recall
    return total


@settings(deadline=None)
@given(examples)
def test_auc_and_average_precision_match_their_definitions(rows):
    labels, scores = np.array(rows).T
    np.testing.assert_allclose(ordering.auc(labels, scores), slow_auc(labels, scores), rtol=1e-12)
    np.testing.assert_allclose(
        ordering.pr_auc(labels, scores), slow_average_precision(labels, scores), rtol=1e-12
    )


@pytest.mark.parametrize("label", [0, 1])
def test_metrics_of_one_class_are_not_a_number(label):
    labels, p = np.full(3, label), np.array([0.1, 0.5, 0.9])
    assert math.isnan(ordering.auc(labels, p))
    assert math.isnan(ordering.pr_auc(labels, p)) == (label == 0)


def test_metrics_of_nothing_are_not_a_number():
    empty = np.empty(0)
    for metric in (ordering.auc, ordering.pr_auc):
        assert math.isnan(metric(empty, empty))


def test_non_numbers_and_foreign_shapes_are_refused():
    with pytest.raises(ValueError, match="1 of 2 predictions are NaN"):
        ordering.auc(np.array([0, 1]), np.array([0.5, np.nan]))
    with pytest.raises(ValueError, match=r"\(2,\) and \(1,\)"):
        ordering.auc(np.array([0, 1]), np.array([0.5]))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=15))
def test_xauc_counts_every_pair(rows):
    targets, predictions = np.array(rows, float).T
    wins, pairs = 0.0, 0
    for i in range(len(rows)):
        for j in range(i):
            if targets[i] == targets[j]:
                continue
            pairs += 1
            agreement = (targets[i] - targets[j]) * (predictions[i] - predictions[j])
            wins += 0.5 if agreement == 0 else float(agreement > 0)
    expected = wins / pairs if pairs else float("nan")
    assert ordering.xauc(targets, predictions) == pytest.approx(expected, nan_ok=True)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(1, 4)), min_size=1))
def test_an_example_of_a_weight_counts_as_so_many(rows) -> None:
    labels, scores, weights = np.array(rows).T
    many = np.repeat(np.arange(len(labels)), weights)
    for metric in (ordering.auc, ordering.pr_auc):
        np.testing.assert_allclose(
            metric(labels, scores, weights), metric(labels[many], scores[many])
        )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 4)), min_size=1))
def test_xauc_counts_a_pair_as_many_as_both_stand_for(rows) -> None:
    targets, predictions, weights = np.array(rows).T
    many = np.repeat(np.arange(len(targets)), weights)
    ours = ordering.xauc(targets, predictions, weights)
    theirs = ordering.xauc(targets[many], predictions[many])
    np.testing.assert_allclose(ours, theirs)
