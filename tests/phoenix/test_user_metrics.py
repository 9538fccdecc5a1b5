"""Metrics by user agree with the metrics of the whole, and differences with their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix import metrics, user_metrics


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_the_mean_of_the_users_is_the_metric_of_the_whole(data: st.DataObject) -> None:
    num_users, size = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 6))
    seed = data.draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    scores = generator.permutation(num_users * size).reshape(num_users, size).astype(float)
    gains = generator.integers(0, 3, (num_users, size)).astype(float)
    users = np.repeat(np.arange(num_users) + 7, size)
    posts = np.arange(num_users * size) + 1
    flat_scores, flat_gains = scores.reshape(-1), gains.reshape(-1)

    ndcg = user_metrics.ndcg(users, posts, flat_scores, flat_gains, k=3)
    np.testing.assert_allclose(ndcg.mean, metrics.ndcg_at_k(scores, gains, 3))
    auc = user_metrics.auc(users, flat_scores, flat_gains > 0)
    np.testing.assert_allclose(
        auc.mean, metrics.grouped_auc(flat_gains > 0, flat_scores, users), equal_nan=True
    )


def test_ties_of_auc_count_half() -> None:
    users, labels = np.array([7, 7, 7]), np.array([True, False, False])
    assert user_metrics.auc(users, np.array([0.5, 0.5, 0.1]), labels).values.tolist() == [0.75]


def test_a_user_with_one_impression_has_nothing_to_order() -> None:
    found = user_metrics.ndcg(np.array([7]), np.array([1]), np.array([0.5]), np.array([1.0]), k=5)
    assert len(found.values) == 0
    assert np.isnan(found.mean)


def test_recall_counts_each_relevant_post_once_and_keeps_the_users_apart() -> None:
    found = user_metrics.recall(
        np.array([9, 7, 8]),
        np.array([[1, 2], [3, 0], [1, 2]]),
        (np.array([9, 9, 9, 7, 5]), np.array([2, 2, 4, 1, 1])),
    )
    assert dict(zip(found.user_ids.tolist(), found.values.tolist(), strict=True)) == {9: 0.5, 7: 0}


def test_recall_without_users_or_relevant_posts_is_not_a_number() -> None:
    nothing = np.empty(0, np.int64)
    empty = user_metrics.recall(nothing, np.empty((0, 3), np.int64), (np.array([1]), np.array([1])))
    assert np.isnan(empty.mean)
    some = user_metrics.recall(np.array([1]), np.array([[5]]), (nothing, nothing))
    assert np.isnan(some.mean)


def test_the_interval_holds_a_clear_gain_and_covers_a_missing_one() -> None:
    users = np.arange(400)
    generator = np.random.default_rng(0)
    values = generator.normal(size=400)
    weights = np.ones(400)
    champion = user_metrics.UserValues(users, values, weights)
    better = user_metrics.UserValues(users, values + 0.5, weights)
    np.testing.assert_allclose(user_metrics.gain_interval(better, champion, seed=1), 0.5)
    noisy = user_metrics.UserValues(users, generator.normal(size=400), weights)
    low, high = user_metrics.gain_interval(noisy, champion, seed=1)
    assert low < 0 < high


def test_an_interval_of_different_users_is_refused() -> None:
    one = user_metrics.UserValues(np.array([1]), np.array([1.0]), np.array([1.0]))
    two = user_metrics.UserValues(np.array([2]), np.array([1.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="different users"):
        user_metrics.gain_interval(one, two, seed=0)
