"""Facts of events as vectors: buckets of ages, and what is not known."""

import numpy as np

from phoenix.inputs.event_vectors import (
    action_vectors,
    age_vectors,
    dwell_vectors,
    post_age_bucket,
    scaled_dwell,
    surface_vectors,
)
from tests.phoenix.model_inputs import random_params, ranker, transformed

CONFIG = ranker()


def vectors(function, values):
    """`function(CONFIG, values)` with random parameters."""

    def forward(values):
        return function(CONFIG, values)

    model = transformed(forward)
    return model.apply(random_params(model.init, values), values)


def test_post_age_buckets_follow_their_limits() -> None:
    ages = [np.nan, -1, 0, 59.9, 60, 4799, 4800, 1e9]
    np.testing.assert_array_equal(post_age_bucket(ages), [0, 0, 1, 1, 2, 80, 81, 81])


def test_dwell_is_clipped_at_thirty_seconds() -> None:
    np.testing.assert_allclose(scaled_dwell([0, 15, 30, 300]), [0, 0.5, 1, 1])


def test_an_age_gives_the_row_of_its_bucket() -> None:
    of_ages = vectors(age_vectors, np.array([[np.nan, -1, 0, 59.9, 60, 1e9]], np.float32))[0]
    np.testing.assert_array_equal(of_ages[0], of_ages[1])
    np.testing.assert_array_equal(of_ages[2], of_ages[3])
    assert len(np.unique(of_ages, axis=0)) == 4


def test_a_missing_dwell_time_gives_the_zero_vector() -> None:
    of_times = np.asarray(vectors(dwell_vectors, np.array([[np.nan, -3, 0, 15]], np.float32)))[0]
    assert not of_times[:2].any()
    assert of_times[2:].any(axis=1).all()


def test_an_unknown_surface_and_no_action_multiply_to_nothing() -> None:
    surfaces = vectors(surface_vectors, np.array([[-1, 0, 3, 4]], np.int32))
    np.testing.assert_array_equal(surfaces.rows.any(axis=-1), [[False, True, True, False]])
    actions = vectors(action_vectors, np.array([[[0, 0, 0], [0, 1, 0]]], np.float32))
    np.testing.assert_array_equal(actions.rows, [[[0, 0, 0], [-1, 1, -1]]])
    assert actions.table.shape == (3, CONFIG.emb_size)


def test_an_unknown_action_is_neither_yes_nor_no() -> None:
    histories = np.array([[[1, 0.5, 0], [0, 0.5, 0], [0.5, 0.5, 0.5]]], np.float32)
    signs = vectors(action_vectors, histories).rows
    # Where no action is known to be done, there is no vector, as where none was done.
    np.testing.assert_array_equal(signs, [[[1, 0, -1], [0, 0, 0], [0, 0, 0]]])
