"""Plain models know earlier days alone, and fit what can be fitted."""

import numpy as np
import pytest

from benchmarks import rate_models
from benchmarks.rate_models import Impressions


def log_of(seed, num=200):
    rng = np.random.default_rng(seed)
    return Impressions(
        user_ids=rng.integers(1, 9, num),
        post_ids=rng.integers(1, 30, num),
        author_ids=rng.integers(1, 5, num),
        surfaces=rng.integers(0, 3, num),
        shown_at=rng.integers(0, 10**9, num),
        done=rng.integers(0, 2, (num, 2)),
    )


def test_rates_are_those_of_the_past_backed_off_from_post_to_author_to_all():
    past, log = log_of(0), log_of(1)
    found = rate_models.rates(past, log)
    overall = (past.done.sum(axis=0) + 1) / (len(past.done) + 2)
    for row in range(len(log.done)):
        author = past.done[past.author_ids == log.author_ids[row]]
        post = past.done[past.post_ids == log.post_ids[row]]
        rate = (author.sum(axis=0) + 20 * overall) / (len(author) + 20)
        rate = (post.sum(axis=0) + 20 * rate) / (len(post) + 20)
        np.testing.assert_allclose(found.odds["post"][row], np.log(rate / (1 - rate)))
        assert found.shown["post"][row] == len(post)


def test_popularity_without_authors_is_backed_off_to_all():
    past, log = log_of(0), log_of(1)
    found = rate_models.rates_of_posts(past, log._replace(post_ids=log.post_ids + 5))
    overall = (past.done.sum(axis=0) + 1) / (len(past.done) + 2)
    for row, post_id in enumerate(log.post_ids + 5):
        post = past.done[past.post_ids == post_id]
        rate = (post.sum(axis=0) + 20 * overall) / (len(post) + 20)
        np.testing.assert_allclose(found[row], rate)


def test_what_followed_the_impressions_themselves_changes_nothing():
    past, log = log_of(0), log_of(1)
    other = log._replace(done=1 - log.done)
    pairs = zip(rate_models.rates(past, log).four, rate_models.rates(past, other).four, strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


def test_the_regression_finds_the_weights_from_which_labels_were_drawn():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20_000, 2))
    truth = 1 / (1 + np.exp(-(features @ [1.0, -0.5] - 1)))
    predict = rate_models.regression(features, rng.random(20_000) < truth)
    assert predict(features) == pytest.approx(truth, abs=0.04)
