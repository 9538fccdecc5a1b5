"""Metrics equal their slow definitions, and say NaN where they are not defined."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix import metrics

examples = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(1, 3)), min_size=1, max_size=25
)


def columns(rows):
    labels, scores, groups = (np.array(column) for column in zip(*rows, strict=True))
    return labels, scores / 4, groups


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
        chosen = scores >= threshold
        new_recall = labels[chosen].sum() / labels.sum()
        total += (new_recall - recall) * labels[chosen].mean()
        recall = new_recall
    return total


@settings(deadline=None)
@given(examples)
def test_auc_and_average_precision_match_their_definitions(rows):
    labels, scores, _ = columns(rows)
    np.testing.assert_allclose(metrics.auc(labels, scores), slow_auc(labels, scores), rtol=1e-12)
    np.testing.assert_allclose(
        metrics.pr_auc(labels, scores), slow_average_precision(labels, scores), rtol=1e-12
    )


@settings(deadline=None)
@given(examples)
def test_grouped_auc_is_the_weighted_mean_of_the_groups(rows):
    labels, scores, groups = columns(rows)
    values, sizes = [], []
    for group in set(groups):
        value = slow_auc(labels[groups == group], scores[groups == group])
        if not math.isnan(value):
            values.append(value)
            sizes.append((groups == group).sum())
    expected = np.average(values, weights=sizes) if values else math.nan
    np.testing.assert_allclose(metrics.grouped_auc(labels, scores, groups), expected, rtol=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_metrics_of_one_class_are_not_a_number(label):
    labels, p = np.full(3, label), np.array([0.1, 0.5, 0.9])
    assert math.isnan(metrics.auc(labels, p))
    assert math.isnan(metrics.grouped_auc(labels, p, np.arange(3)))
    assert math.isnan(metrics.pr_auc(labels, p)) == (label == 0)


def test_metrics_of_nothing_are_not_a_number():
    empty, lists = np.empty(0), np.empty((0, 3), np.int64)
    for metric in (metrics.auc, metrics.pr_auc):
        assert math.isnan(metric(empty, empty))
    assert math.isnan(metrics.ndcg_at_k(lists, lists, 2))
    assert math.isnan(metrics.recall_at_k(lists, lists, 2))
    assert math.isnan(metrics.mean_reciprocal_rank(lists, lists))


def test_non_numbers_and_foreign_shapes_are_refused():
    with pytest.raises(ValueError, match="1 of 2 predictions are NaN"):
        metrics.auc(np.array([0, 1]), np.array([0.5, np.nan]))
    with pytest.raises(ValueError, match=r"\(2,\) and \(1,\)"):
        metrics.auc(np.array([0, 1]), np.array([0.5]))
    with pytest.raises(ValueError, match="`k`"):
        metrics.recall_at_k(np.ones((1, 1), int), np.ones((1, 1), int), 0)


@settings(deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), min_size=5, max_size=5
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 7),
)
def test_ndcg_matches_its_definition(rows, k):
    scores, relevance, where = np.moveaxis(np.array(rows, np.float64), -1, 0)
    values = []
    for row in range(len(rows)):
        real = [c for c in range(5) if where[row, c]]
        ranked = sorted(real, key=lambda c: -scores[row, c])
        gains = [relevance[row, c] for c in ranked]
        dcg = sum(g / math.log2(i + 2) for i, g in enumerate(gains[:k]))
        best = sum(g / math.log2(i + 2) for i, g in enumerate(sorted(gains, reverse=True)[:k]))
        if best > 0:
            values.append(dcg / best)
    expected = np.mean(values) if values else math.nan
    actual = metrics.ndcg_at_k(scores, relevance, k, where=where > 0)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.permutations(range(1, 7)), st.lists(st.integers(0, 9), min_size=3, max_size=3)
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 8),
)
def test_recall_and_reciprocal_rank_match_their_definitions(rows, k):
    retrieved = np.array([row[0] for row in rows])
    relevant = np.array([row[1] for row in rows])
    recalls, reciprocals = [], []
    for found, wanted in zip(retrieved.tolist(), relevant.tolist(), strict=True):
        wanted = set(wanted) - {0}
        if wanted:
            recalls.append(len(wanted & set(found[:k])) / len(wanted))
            reciprocals.append(
                max((1 / (found.index(p) + 1) for p in wanted & set(found)), default=0)
            )
    expected = (np.mean(recalls), np.mean(reciprocals)) if recalls else (math.nan, math.nan)
    actual = (
        metrics.recall_at_k(retrieved, relevant, k),
        metrics.mean_reciprocal_rank(retrieved, relevant),
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_missing_posts_are_neither_retrieved_nor_relevant():
    retrieved, relevant = np.array([[0, 3, 0]]), np.array([[0, 3]])
    assert metrics.recall_at_k(retrieved, relevant, 1) == 0
    assert metrics.recall_at_k(retrieved, relevant, 3) == 1
    assert metrics.mean_reciprocal_rank(retrieved, relevant) == 0.5


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
    assert metrics.xauc(targets, predictions) == pytest.approx(expected, nan_ok=True)
