"""Claims about padded batches and post frequencies."""

import numpy as np

from phoenix.data.days import DAY_MS
from phoenix.data.window_source import InMemoryWindows, pad_windows
from phoenix.data.windows import unpack_actions
from phoenix.inputs.model_inputs import model_inputs
from phoenix.train.batches import PostFrequencies, batch_generator, train_batch
from tests.phoenix.planted import ACTIONS, RANKER, world

WINDOWS = world(10).windows


def test_padding_has_no_weight():
    windows = pad_windows(WINDOWS, 12)
    batch = train_batch(windows, model_inputs(windows, ACTIONS, RANKER), len(ACTIONS), None)
    np.testing.assert_array_equal(batch.weights, [1] * 10 + [0, 0])
    np.testing.assert_array_equal(batch.labels[:10], unpack_actions(WINDOWS.labels, 2))


def test_frequencies_are_shares_of_the_counted_impressions():
    source = InMemoryWindows(WINDOWS)
    frequencies = PostFrequencies.of(source, 6)
    ids = WINDOWS.candidate_post_ids
    counted = ids[:6]
    expected = [[np.log(max(np.sum(counted == p), 1) / counted.size) for p in row] for row in ids]
    np.testing.assert_allclose(frequencies.logarithms(ids, WINDOWS.starts_at), expected, rtol=1e-6)


def test_frequencies_do_not_depend_on_how_the_source_is_read(monkeypatch):
    source = InMemoryWindows(WINDOWS)
    whole = PostFrequencies.of(source, 10).logarithms(WINDOWS.candidate_post_ids, WINDOWS.starts_at)
    monkeypatch.setattr("phoenix.train.batches.SCAN_ROWS", 3)
    parts = PostFrequencies.of(source, 10).logarithms(WINDOWS.candidate_post_ids, WINDOWS.starts_at)
    np.testing.assert_array_equal(whole, parts)


def test_frequencies_of_nothing_are_finite():
    nothing = PostFrequencies.of(InMemoryWindows(WINDOWS), 0)
    np.testing.assert_array_equal(
        nothing.logarithms(np.array([[5, 0]]), np.zeros(1, np.int64)), [[0, 0]]
    )


def test_random_numbers_of_a_batch_follow_from_seed_and_step_alone():
    draws = {
        (seed, step): batch_generator(seed, step).integers(1 << 62)
        for seed in (0, 1)
        for step in (0, 1, None)
    }
    assert len(set(draws.values())) == 6
    assert draws[1, None] == batch_generator(1, None).integers(1 << 62)
    # A run that goes on from an older state must draw what it would have drawn.
    assert draws[1, None] == 3724962860247282137


def test_shares_of_posts_in_the_whole_log_count_impressions_by_their_weights():
    weights = np.arange(WINDOWS.labels.size).reshape(WINDOWS.labels.shape).astype(np.float32) + 1
    source = InMemoryWindows(WINDOWS._replace(label_weights=weights))
    number = len(WINDOWS.user_ids)
    whole = PostFrequencies.of(source, number, by_weight=True)
    met = PostFrequencies.of(source, number)
    post = WINDOWS.candidate_post_ids[0, 0]
    is_post = WINDOWS.candidate_post_ids == post
    share = weights[is_post].sum() / weights.sum()
    asked = np.array([post]), np.zeros(1, np.int64)
    np.testing.assert_allclose(np.exp(whole.logarithms(*asked)), share, rtol=1e-5)
    np.testing.assert_allclose(np.exp(met.logarithms(*asked)), is_post.mean(), rtol=1e-5)


def test_a_post_has_its_share_in_the_day_on_which_it_is_met():
    days = np.array([5, 5, 5, 7, 7, 7, 7, 9, 9, 9])
    windows = WINDOWS._replace(starts_at=days * DAY_MS)
    frequencies = PostFrequencies.of(InMemoryWindows(windows), 7, is_by_day=True)
    ids = windows.candidate_post_ids
    for own, counted in ((days == 5, ids[:3]), (days == 7, ids[3:7]), (days == 9, ids[3:7])):
        expected = [
            [np.log(max(np.sum(counted == p), 1) / counted.size) for p in row] for row in ids[own]
        ]
        actual = frequencies.logarithms(ids, windows.starts_at)[own]
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_a_drawn_post_is_met_on_every_day():
    days = np.array([5, 5, 5, 7, 7, 7, 7, 9, 9, 9])
    source = InMemoryWindows(WINDOWS._replace(starts_at=days * DAY_MS))
    frequencies = PostFrequencies.of(source, 10, drawn_per_window=4, is_by_day=True)
    posts = np.unique(WINDOWS.candidate_post_ids)
    for day in (5, 7, 9):
        every = np.exp(frequencies.logarithms(posts[None], np.array([day * DAY_MS])))
        np.testing.assert_allclose(every.sum(), 1, rtol=1e-5)
        assert every.min() > 0.9 * 4 / len(posts) / (8 + 4)
