"""The numbers of a model on a day, of some of its users."""

import numpy as np

from components.evaluation.results import Result, UserCalibration
from phoenix.metrics.by_user import UserValues

USERS = np.array([2, 3, 5, 8])


def test_a_result_of_some_users_has_nothing_of_the_others() -> None:
    ones = np.ones(4)
    values = UserValues(USERS, np.array([0.1, 0.2, 0.3, 0.4]), ones)
    calibration = UserCalibration(USERS, ones, ones, ones)
    result = Result({}, values, {"slice": values}, {"like": calibration}, {"report": values})
    even = result.where(lambda users: users % 2 == 0)
    assert even.by_user is not None
    parts = (even.by_user, even.slices["slice"], even.calibration["like"], even.negatives["report"])
    for part in parts:
        np.testing.assert_array_equal(part.user_ids, [2, 8])
    assert even.value == 0.25


def test_a_model_without_numbers_has_none_of_any_users() -> None:
    result = Result({"not_finite": 1}, None)
    assert result.where(lambda users: users > 0) == result
    assert result.value is None
