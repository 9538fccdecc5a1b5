"""Losses equal their formulas, ignore what is masked, and keep finite gradients."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.train import losses


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.floats(-8, 8, width=32), st.integers(0, 1), st.booleans(), st.floats(0, 4, width=32)
        ),
        min_size=8,  # One size: one compilation.
        max_size=8,
    ),
    st.sampled_from([0.0, 1.0, 2.0]),
)
def test_binary_losses_match_their_formulas(rows, gamma):
    x, y, where, weights = (np.array(column) for column in zip(*rows, strict=True))
    cross_entropy, focal = [], []
    for logit, label in zip(x, y, strict=True):
        right = sigmoid(logit) if label else 1 - sigmoid(logit)
        cross_entropy.append(-math.log(right))
        focal.append(-((1 - right) ** gamma) * math.log(right))
    total = np.sum(weights * where)

    def mean(values):
        return np.sum(np.array(values) * weights * where) / total if total else 0.0

    options = {"where": jnp.asarray(where), "weights": jnp.asarray(weights)}
    actual = losses.multi_label(jnp.asarray(x), jnp.asarray(y), **options)
    np.testing.assert_allclose(actual, mean(cross_entropy), rtol=2e-4, atol=1e-6)
    actual = losses.multi_label(jnp.asarray(x), jnp.asarray(y), focal_gammas=gamma, **options)
    np.testing.assert_allclose(actual, mean(focal), rtol=2e-4, atol=1e-6)


def test_action_weights_scale_the_share_of_an_action():
    logits, labels = jnp.zeros((1, 2, 2)), jnp.array([[[1.0, 0], [0, 0]]])
    logits = logits.at[..., 1].set(3.0)
    plain, heavy = math.log(2), math.log1p(math.exp(3))
    actual = losses.multi_label(logits, labels, weights=jnp.array([1.0, 3.0]))
    np.testing.assert_allclose(actual, (plain + 3 * heavy) / 4, rtol=1e-6)


def test_large_logits_do_not_overflow():
    logits, labels = jnp.array([1e4, -1e4]), jnp.array([0.0, 1.0])
    for gamma in (0.0, 2.0):
        loss = partial(losses.multi_label, labels=labels, focal_gammas=gamma)
        value, gradient = jax.value_and_grad(loss)(logits)
        assert value == pytest.approx(1e4)
        assert np.all(np.isfinite(gradient))


def test_what_is_masked_has_no_value_and_no_gradient():
    logits = jnp.array([0.0, jnp.nan, jnp.inf])
    where = jnp.array([True, False, False])
    for loss in (losses.multi_label, losses.squared_error, losses.absolute_error):
        assert np.isfinite(loss(logits, jnp.zeros(3), where=where))
    assert losses.squared_error(logits, logits, where=jnp.zeros(3, bool)) == 0


def slow_sampled_softmax(logits, keys, is_positive, where, weights):
    num_rows, num_candidates = where.shape
    total = weight = 0.0
    for b in range(num_rows):
        own = {tuple(keys[b, c]) for c in range(num_candidates)}
        negatives = [
            logits[b, r * num_candidates + c]
            for r in range(num_rows)
            for c in range(num_candidates)
            if where[r, c] and tuple(keys[r, c]) not in own
        ]
        values = []
        for c in range(num_candidates):
            if is_positive[b, c] and where[b, c]:
                x = logits[b, b * num_candidates + c]
                values.append(math.log(math.exp(x) + sum(map(math.exp, negatives))) - x)
        if values:
            total += weights[b] * np.mean(values)
            weight += weights[b]
    return total / weight if weight else 0.0


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32))
def test_sampled_softmax_matches_its_definition(seed):
    draw = np.random.default_rng(seed)
    shape = (4, 3)
    keys = draw.integers(1, 4, (*shape, 2))
    where = draw.random(shape) < 0.8
    keys = np.where(where[..., None], keys, 0)
    is_positive = draw.random(shape) < 0.5
    weights = draw.integers(0, 3, 4).astype(np.float32)
    logits = draw.normal(size=(4, 12)).astype(np.float32)
    actual = losses.sampled_softmax(
        logits,
        is_positive=is_positive & where,
        is_other=losses.negatives_of_others(keys, where),
        weights=weights,
    )
    expected = slow_sampled_softmax(logits, keys, is_positive, where, weights)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def test_the_same_post_in_another_row_is_never_a_negative():
    keys = jnp.array([[[1, 1]], [[1, 1]], [[2, 1]]])
    yes = jnp.ones((3, 1), bool)

    def loss(logits):
        others = losses.negatives_of_others(keys, yes)
        return losses.sampled_softmax(logits, is_positive=yes, is_other=others)

    gradient = jax.grad(loss)(jnp.zeros((3, 3)))
    assert gradient[0, 1] == 0
    assert gradient[1, 0] == 0
    assert gradient[0, 2] > 0


def test_a_row_without_negatives_costs_nothing_and_has_finite_gradients():
    yes = jnp.ones((1, 1), bool)
    value, gradient = jax.value_and_grad(
        lambda x: losses.sampled_softmax(x, is_positive=yes, is_other=~yes)
    )(jnp.full((1, 1), 5.0))
    assert value == 0
    assert np.all(gradient == 0)


def test_correction_makes_the_batch_stand_for_the_corpus():
    # Posts drawn 9 : 1; corrected, the sample's normaliser estimates the corpus sum for any draw.
    scores = jnp.array([[1.0, -1.0]])
    log_q = jnp.log(jnp.array([0.9, 0.1]))
    logits = losses.corrected_logits(scores, log_frequencies=log_q, log_temperature=jnp.zeros(()))
    expected = 0.9 * np.exp(logits[0, 0]) + 0.1 * np.exp(logits[0, 1])
    np.testing.assert_allclose(expected, np.exp(1.0) + np.exp(-1.0), rtol=1e-6)


def test_temperature_divides_the_scores_down_to_its_floor():
    scores, zero = jnp.ones((1, 1)), jnp.zeros(1)

    def logit(temperature):
        return losses.corrected_logits(
            scores, log_frequencies=zero, log_temperature=jnp.log(temperature)
        )[0, 0]

    assert logit(0.5) == pytest.approx(2)
    assert logit(1e-6) == pytest.approx(100)


def slow_listed_softmax(queries, posts, targets, offsets, weights):
    total = weight = 0.0
    for query, target, w in zip(queries, targets, weights, strict=True):
        if target < 0:
            continue
        logits = [float(query @ post) + offset for post, offset in zip(posts, offsets, strict=True)]
        total += w * (math.log(sum(math.exp(x) for x in logits)) - logits[target])
        weight += w
    return total / weight if weight else 0.0


@pytest.mark.parametrize("num_queries", [1, 7, 600])  # 600: more than one block.
def test_listed_softmax_matches_its_formula_and_its_gradients(num_queries):
    draw = np.random.default_rng(num_queries)
    queries, posts = draw.normal(size=(num_queries, 3)), draw.normal(size=(5, 3))
    targets = draw.integers(-1, 5, num_queries)
    weights, offsets = draw.uniform(0, 2, num_queries), draw.normal(size=5)

    def value(queries, posts):
        return losses.listed_softmax(queries, posts, targets, offsets=offsets, weights=weights)

    expected = slow_listed_softmax(queries, posts, targets, offsets, weights)
    np.testing.assert_allclose(value(queries, posts), expected, rtol=1e-5)

    def plain(queries, posts):
        logits = queries @ posts.T + offsets
        own = jnp.take_along_axis(logits, jnp.maximum(targets, 0)[:, None], axis=1)[:, 0]
        counts = weights * (targets >= 0)
        values = jax.nn.logsumexp(logits, axis=1) - own
        return jnp.sum(counts * values) / jnp.maximum(jnp.sum(counts), 1e-9)

    for ours, theirs in zip(
        jax.grad(value, (0, 1))(queries, posts),
        jax.grad(plain, (0, 1))(queries, posts),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_gap_in_the_list_is_no_post():
    queries, posts = jnp.ones((2, 1)), jnp.array([[1.0], [0.0], [90.0]])
    targets = jnp.array([0, 1])
    gap = losses.listed_softmax(queries, posts, targets, offsets=jnp.array([0, 0, -np.inf]))
    without = losses.listed_softmax(queries, posts[:2], targets, offsets=jnp.zeros(2))
    np.testing.assert_allclose(gap, without, rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_jrc_matches_its_formula(share):
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(3, 4)), draw.integers(0, 2, (3, 4))
    where, weights = draw.random((3, 4)) < 0.8, draw.uniform(0, 2, (3, 1))
    total = weight = 0.0
    for b, c in zip(*np.nonzero(where), strict=True):
        sign = 1 if y[b, c] else -1
        mass = sum(math.exp(sign * x[b, j] / 2) for j in range(4) if where[b, j])
        listwise = math.log(mass) - sign * x[b, c] / 2
        entropy = -math.log(sigmoid(sign * x[b, c]))
        total += weights[b, 0] * ((1 - share) * entropy + share * listwise)
        weight += weights[b, 0]
    # One action: the slate is the last axis but one.
    value = losses.multi_label(
        x[..., None],
        y[..., None],
        jrc_shares=share,
        where=where[..., None],
        weights=weights[..., None],
    )
    np.testing.assert_allclose(value, total / weight, rtol=1e-5)


def test_every_action_has_its_own_gamma_and_share():
    draw = np.random.default_rng(2)
    x, y = draw.normal(size=(2, 3, 3)), draw.integers(0, 2, (2, 3, 3))
    gammas, shares = np.array([0.0, 2.0, 1.0]), np.array([0.0, 0.0, 0.5])
    whole = losses.multi_label(x, y, focal_gammas=gammas, jrc_shares=shares)
    alone = [
        losses.multi_label(x[..., [a]], y[..., [a]], focal_gammas=gammas[a], jrc_shares=shares[a])
        for a in range(3)
    ]
    np.testing.assert_allclose(whole, np.mean(alone), rtol=1e-6)


def test_own_negatives_count_unless_they_are_liked_posts():
    logits = jnp.array([[1.0, 2.0, 3.0, 0.5, 0.7, 0.1], [0.0] * 6])
    keys = jnp.array([[[1], [2], [1]], [[4], [5], [6]]])
    real = jnp.array([[True, True, True], [True, True, False]])
    positive = jnp.array([[True, False, False], [False, False, False]])
    negative = jnp.array([[False, True, True], [False, False, False]])
    value = losses.sampled_softmax(
        logits,
        is_positive=positive,
        is_other=losses.negatives_of_others(keys, real),
        is_negative=losses.without_posts(negative, positive, keys),
    )
    # Post 2 is rejected, post 1 again is the liked post itself, posts 4 and 5 are of others.
    mass = sum(math.exp(x) for x in (1.0, 2.0, 0.5, 0.7))
    np.testing.assert_allclose(value, math.log(mass) - 1.0, rtol=1e-6)


def test_only_shared_posts_are_negatives_of_others():
    keys = jnp.array([[[1], [2]], [[3], [1]], [[4], [0]]])
    shared = jnp.array([[False, True], [True, True], [True, False]])
    expected = [[0, 0, 1, 0, 1, 0], [0, 1, 0, 0, 1, 0], [0, 1, 1, 1, 0, 0]]
    np.testing.assert_array_equal(losses.negatives_of_others(keys, shared), expected)


def test_the_hardest_are_the_highest_of_the_candidates():
    logits = jnp.array([[3.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 9.0]])
    asked = jnp.array([[False, True, True, True], [True, False, False, False]])
    expected = [[0, 0, 1, 1], [1, 0, 0, 0]]
    np.testing.assert_array_equal(losses.hardest(logits, asked, 2), expected)
    assert not losses.hardest(logits, asked, 0).any()
