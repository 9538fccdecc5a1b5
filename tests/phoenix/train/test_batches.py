"""Claims about sources, padding and post frequencies."""

import dataclasses

import numpy as np
import pytest

from phoenix.data.window_source import InMemoryWindows, padded, windows_between
from phoenix.data.windows import unpack_actions
from phoenix.inputs.model_inputs import model_inputs
from phoenix.train.batches import PostFrequencies, batch_generator, train_batch
from tests.phoenix.planted import ACTIONS, RANKER, world

WINDOWS = world(10).windows


def test_parts_of_a_range_are_its_windows_in_order():
    class Chunks(InMemoryWindows):
        chunk_sizes = (4, 0, 6)

        def read(self, chunk):
            return WINDOWS.rows([slice(0, 4), slice(0, 0), slice(4, 10)][chunk])

    for start, stop in ((0, 10), (2, 7), (4, 4), (5, 10)):
        parts = list(windows_between(Chunks(WINDOWS), start, stop, limit=2))
        assert all(0 < len(part.user_ids) <= 2 for part in parts)
        found = [user for part in parts for user in part.user_ids]
        assert found == WINDOWS.user_ids[start:stop].tolist()


def test_padding_adds_windows_about_nobody():
    result = padded(WINDOWS, 13)
    for field, array in result._asdict().items():
        np.testing.assert_array_equal(array[:10], getattr(WINDOWS, field))
        assert not array[10:].any()
        assert array.dtype == getattr(WINDOWS, field).dtype
    assert padded(WINDOWS, 10) is WINDOWS
    with pytest.raises(ValueError, match="at most 9 windows, got 10"):
        padded(WINDOWS, 9)


def test_padding_has_no_weight():
    windows = padded(WINDOWS, 12)
    batch = train_batch(windows, model_inputs(windows, ACTIONS, RANKER), len(ACTIONS), None)
    np.testing.assert_array_equal(batch.weights, [1] * 10 + [0, 0])
    np.testing.assert_array_equal(batch.labels[:10], unpack_actions(WINDOWS.labels, 2))


def test_frequencies_are_shares_of_the_counted_impressions():
    source = InMemoryWindows(WINDOWS)
    frequencies = PostFrequencies.of(source, 6)
    ids = WINDOWS.candidate_post_ids
    counted = ids[:6]
    expected = [[np.log(max(np.sum(counted == p), 1) / counted.size) for p in row] for row in ids]
    np.testing.assert_allclose(frequencies.logarithms(ids), expected, rtol=1e-6)


def test_frequencies_do_not_depend_on_how_the_source_is_read(monkeypatch):
    source = InMemoryWindows(WINDOWS)
    whole = PostFrequencies.of(source, 10).logarithms(WINDOWS.candidate_post_ids)
    monkeypatch.setattr("phoenix.train.batches.SCAN_ROWS", 3)
    parts = PostFrequencies.of(source, 10).logarithms(WINDOWS.candidate_post_ids)
    np.testing.assert_array_equal(whole, parts)


def test_frequencies_of_nothing_are_finite():
    nothing = PostFrequencies.of(InMemoryWindows(WINDOWS), 0)
    np.testing.assert_array_equal(nothing.logarithms(np.array([[5, 0]])), [[0, 0]])


def test_ages_are_those_at_the_impressions_and_only_read_where_asked():
    minute = 60_000
    windows = WINDOWS._replace(
        history_shown_at=np.full_like(WINDOWS.history_shown_at, 500 * minute),
        history_created_at=np.full_like(WINDOWS.history_created_at, 440 * minute),
        candidate_created_at=WINDOWS.candidate_shown_at * 0 + np.array([0, 4, 12, 1] * 2),
    )
    assert model_inputs(windows, ACTIONS, RANKER).history_post_age_minutes is None
    aged = dataclasses.replace(RANKER, has_post_age=True)
    inputs = model_inputs(windows, ACTIONS, aged)
    assert np.unique(inputs.history_post_age_minutes).tolist() == [60.0]
    ages = np.float32([np.nan, 6 / minute, -2 / minute, 9 / minute] * 2)  # shown at 10
    np.testing.assert_array_equal(
        inputs.candidate_post_age_minutes, np.broadcast_to(ages, windows.candidate_post_ids.shape)
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
