"""Counts know what happened before a moment, and nothing of what happened at it or later."""

import numpy as np

from benchmarks.point_in_time import Impressions, counts_before, features


def random_log(seed):
    rng = np.random.default_rng(seed)
    shown_at = rng.integers(0, 60, 80)
    return Impressions(
        user_ids=rng.integers(1, 5, 80),
        post_ids=rng.integers(1, 7, 80),
        author_ids=rng.integers(1, 4, 80),
        surfaces=rng.integers(0, 2, 80),
        shown_at=shown_at,
        known_at=shown_at - rng.integers(0, 3, 80),
        done=rng.integers(0, 2, (80, 2)),
    )


def test_counts_equal_their_definition():
    log = random_log(0)
    key = [log.user_ids, log.author_ids]
    shown, done = counts_before(key, log.shown_at, np.maximum(log.known_at, 0), log.done)
    for row in range(len(shown)):
        is_before = log.shown_at < max(log.known_at[row], 0)
        for each in key:
            is_before &= each == each[row]
        assert shown[row] == is_before.sum()
        np.testing.assert_array_equal(done[row], log.done[is_before].sum(axis=0))


def test_what_happens_later_changes_no_feature():
    log = random_log(1)
    moment = 30
    is_late = log.shown_at >= moment
    done = np.where(is_late[:, None], 1 - log.done, log.done)
    other = log._replace(done=done)
    is_early = log.known_at <= moment
    np.testing.assert_allclose(features(log)[is_early], features(other)[is_early], rtol=1e-6)
    assert (features(log)[~is_early] != features(other)[~is_early]).any()
