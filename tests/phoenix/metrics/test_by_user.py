"""Metrics by user equal their slow definitions, and differences of them do, too."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.metrics import by_user
from phoenix.metrics.mergeable import WeightedMean, merge

impressions = st.lists(  # user, score, gain
    st.tuples(st.integers(1, 3), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=25
)


def slow_auc(scores, labels):
    pairs = [(p > n) + (p == n) / 2 for p in scores[labels] for n in scores[~labels]]
    return np.mean(pairs) if pairs else math.nan


def slow_ndcg(scores, gains, k):
    discounts = [1 / math.log2(place + 2) if place < k else 0 for place in range(len(scores))]
    # Every impression takes each place among those of its score equally often.
    higher = [sum(other > score for other in scores) for score in scores]
    tied = [sum(other == score for other in scores) for score in scores]
    shares = [np.mean(discounts[h : h + t]) for h, t in zip(higher, tied, strict=True)]
    dcg = np.dot(gains, shares)
    ideal = np.dot(sorted(gains, reverse=True), discounts)
    return dcg / ideal if ideal and len(scores) > 1 else math.nan


@settings(deadline=None)
@given(impressions, st.integers(1, 6))
def test_auc_and_ndcg_of_each_user_match_their_definitions(rows, k) -> None:
    users, scores, gains = np.array(rows).T
    auc = by_user.gauc(users, np.zeros_like(users), scores, gains > 0)
    ndcg = by_user.ndcg(users, scores, gains.astype(float), k)
    for metric, slow in ((auc, lambda s, g: slow_auc(s, g > 0)), (ndcg, partial(slow_ndcg, k=k))):
        expected = {user: slow(scores[users == user], gains[users == user]) for user in set(users)}
        defined = {user: value for user, value in expected.items() if not math.isnan(value)}
        assert metric.user_ids.tolist() == sorted(defined)
        np.testing.assert_allclose(metric.values, [defined[user] for user in metric.user_ids])
    positives = [np.sum(gains[users == user] > 0) for user in auc.user_ids]
    np.testing.assert_array_equal(auc.weights, np.array(positives))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.permutations(range(7)), st.lists(st.integers(1, 9), max_size=6)),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 7),
)
def test_retrieval_of_each_user_matches_its_definitions(rows, k) -> None:
    users = np.arange(len(rows))[::-1] + 7
    retrieved = np.array([posts for posts, _ in rows])[:, :k]  # 0 is no post
    pairs = [(user, post) for user, (_, liked) in zip(users, rows, strict=True) for post in liked]
    relevant = np.array(pairs, np.int64).reshape(-1, 2)
    measured = by_user.retrieval(users, retrieved, (relevant[:, 0], relevant[:, 1]))
    expected = {}
    for user, posts, (_, liked) in zip(users, retrieved.tolist(), rows, strict=True):
        places = [posts.index(post) for post in set(liked) if post in posts]
        if liked:
            ideal = sum(1 / math.log2(i + 2) for i in range(min(k, len(set(liked)))))
            expected[user] = (
                len(places) / len(set(liked)),
                sum(1 / math.log2(place + 2) for place in places) / ideal,
                max((1 / (place + 1) for place in places), default=0),
            )
    for number, values in enumerate(measured):
        actual = dict(zip(values.user_ids.tolist(), values.values.tolist(), strict=True))
        assert actual == pytest.approx({user: each[number] for user, each in expected.items()})


def test_pieces_of_users_merge_into_the_mean_of_all() -> None:
    generator = np.random.default_rng(0)
    users, scores = np.repeat(np.arange(40), 5), generator.normal(size=200)
    labels = generator.random(200) < 0.4
    columns = users, np.zeros_like(users), scores, labels
    whole = by_user.gauc(*columns).mean
    pieces = [by_user.gauc(*(each[part] for each in columns)) for part in parts_of(200)]
    states = [WeightedMean.of(piece.values, piece.weights) for piece in pieces]
    assert merge(*states).values()["mean"] == pytest.approx(whole, rel=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(*4 * [st.integers(0, 3)]), min_size=1, max_size=40))
def test_gauc_is_the_mean_over_users_and_days_weighted_by_positives(rows) -> None:
    users, days, scores, labels = np.array(rows).T
    total = weight = 0
    for user, day in set(zip(users.tolist(), days.tolist(), strict=True)):
        is_own = (users == user) & (days == day)
        value = slow_auc(scores[is_own], labels[is_own] > 1)
        if not math.isnan(value):
            total += value * sum(labels[is_own] > 1)
            weight += sum(labels[is_own] > 1)
    mean = by_user.gauc(users, days, scores, labels > 1).mean
    assert mean == pytest.approx(total / weight if weight else math.nan, nan_ok=True)


def test_what_tells_the_days_of_a_user_apart_changes_no_gauc() -> None:
    generator = np.random.default_rng(0)
    users, days = np.repeat(np.arange(40), 10), np.tile(np.repeat([0, 1], 5), 40)
    scores, labels = generator.normal(size=400), generator.random(400) < 0.4
    shifted = scores + 10 * days * generator.normal(size=40)[users]
    both = [by_user.gauc(users, days, each, labels) for each in (scores, shifted)]
    np.testing.assert_array_equal(both[0].values, both[1].values)
    assert not np.array_equal(
        *(by_user.gauc(users, 0 * days, each, labels).values for each in (scores, shifted))
    )


def parts_of(count: int) -> list[slice]:
    return [slice(0, 35), slice(35, 40), slice(40, count)]


def test_a_model_that_says_the_same_of_all_has_the_value_of_chance() -> None:
    """Whatever the order of the rows, and so of the ids."""
    generator = np.random.default_rng(2)
    users = np.repeat(np.arange(30), 8)
    gains = (generator.random(240) < 0.3).astype(float)
    constant = by_user.ndcg(users, np.zeros(240), gains, k=3)
    backwards = by_user.ndcg(users[::-1], np.zeros(240), gains[::-1], k=3)
    np.testing.assert_allclose(constant.values, backwards.values)
    drawn = [by_user.ndcg(users, generator.random(240), gains, k=3).mean for _ in range(400)]
    assert constant.mean == pytest.approx(np.mean(drawn), abs=0.005)


def test_ties_of_auc_count_half() -> None:
    users, labels = np.array([7, 7, 7]), np.array([True, False, False])
    scores, days = np.array([0.5, 0.5, 0.1]), np.zeros(3, np.int64)
    assert by_user.gauc(users, days, scores, labels).values.tolist() == [0.75]


def test_a_user_with_one_impression_has_nothing_to_order() -> None:
    values = by_user.ndcg(np.array([7]), np.array([0.5]), np.array([1.0]), k=5)
    assert len(values.values) == 0
    assert np.isnan(values.mean)


def test_retrieval_without_users_or_relevant_posts_is_not_a_number() -> None:
    nothing, liked = np.empty(0, np.int64), (np.array([1]), np.array([1]))
    nobody = by_user.retrieval(nothing, np.empty((0, 3), np.int64), liked)
    nothing_liked = by_user.retrieval(np.array([1]), np.array([[5]]), (nothing, nothing))
    for values in (*nobody, *nothing_liked):
        assert np.isnan(values.mean)


weighted_impressions = st.lists(  # user, score, gain, weight
    st.tuples(st.integers(1, 3), st.integers(0, 4), st.integers(0, 1), st.integers(1, 4)),
    min_size=1,
    max_size=15,
)


@settings(deadline=None)
@given(weighted_impressions, st.integers(1, 6))
def test_an_impression_of_a_weight_counts_as_so_many(rows, k) -> None:
    users, scores, gains, weights = np.array(rows).T
    many = np.repeat(np.arange(len(users)), weights)
    days = np.zeros_like(users)
    weighted = by_user.gauc(users, days, scores, gains > 0, weights)
    repeated = by_user.gauc(users[many], days[many], scores[many], gains[many] > 0)
    for ours, theirs in zip(weighted, repeated, strict=True):
        np.testing.assert_allclose(ours, theirs)
    weighted = by_user.ndcg(users, scores, gains.astype(float), k, weights)
    repeated = by_user.ndcg(users[many], scores[many], gains[many].astype(float), k)
    common = np.isin(repeated.user_ids, weighted.user_ids)
    np.testing.assert_allclose(weighted.values, repeated.values[common])


def test_recall_is_a_share_of_the_impressions_for_which_relevant_posts_stand() -> None:
    users, posts = np.array([7, 7, 8]), np.array([4, 9, 4])
    answers = np.array([[4, 5], [5, 6]])
    values = by_user.retrieval(np.array([7, 8]), answers, (users, posts), np.array([3.0, 1.0, 5.0]))
    assert values.recall.values.tolist() == [0.75, 0]
    ideal = 3 + 1 / math.log2(3)
    np.testing.assert_allclose(values.ndcg.values, [3 / ideal, 0])


def test_a_user_counts_by_the_mean_weight_of_what_is_relevant() -> None:
    # Of users such as 8, one in five is in the log.
    users, posts = np.array([7, 7, 8]), np.array([4, 9, 4])
    answers = np.array([[4, 5], [5, 4]])
    values = by_user.retrieval(np.array([7, 8]), answers, (users, posts), np.array([3.0, 1.0, 5.0]))
    for each in values:
        assert each.weights.tolist() == [2, 5]
    np.testing.assert_allclose(values.reciprocal_rank.mean, (2 * 1 + 5 * 0.5) / 7)
    ranked = by_user.ndcg(
        np.array([7, 7, 8, 8]),
        np.array([0.9, 0.1, 0.9, 0.1]),
        np.array([1.0, 0.0, 0.0, 1.0]),
        1,
        np.array([3.0, 9.0, 2.0, 5.0]),
    )
    assert ranked.weights.tolist() == [3, 5]
    np.testing.assert_allclose(ranked.mean, 3 / 8)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=5),  # scores of posts 1, 2, ...
    st.sets(st.integers(1, 5), min_size=1),
    st.integers(1, 4),
)
def test_equal_scores_are_worth_the_mean_over_all_their_orders(scores, liked, k) -> None:
    posts = np.arange(1, len(scores) + 1)
    liked = np.array(sorted(liked))
    users, score = np.full(len(liked), 7), np.append(scores, -np.ones(5))[liked - 1]
    above = np.array([sum(np.array(scores) > each) for each in score])
    tied = np.array([max(1, sum(np.array(scores) == each)) for each in score])
    above[liked > len(scores)] = k  # cannot be retrieved
    places = np.zeros((1, k), np.int64)
    expected = by_user.retrieval(np.array([7]), places, (users, liked), standing=(above, tied))
    orders = [
        order
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    drawn = []
    for order in orders:
        retrieved = np.append(posts[list(order)], np.zeros(k, np.int64))[None, :k]
        drawn.append(by_user.retrieval(np.array([7]), retrieved, (users, liked)))
    for number, values in enumerate(expected):
        assert values.mean == pytest.approx(np.mean([each[number].mean for each in drawn]))
