import numpy as np
import pytest

from components.features import statistics
from components.features.statistics import Histories
from phoenix.data import histograms

HOUR = 3_600_000


def test_histories_are_measured_as_one_would_by_hand() -> None:
    histories = Histories(
        starts_at=np.array([10, 20, 30]) * HOUR,
        is_there=np.array([[True, True], [False, False], [True, False]]),
        shown_at=np.array([[1, 4], [0, 0], [28, 0]]) * HOUR,
        surfaces=np.array([[5, 7], [0, 0], [5, 0]]),
        actions=np.array([[0, 3], [0, 0], [2, 0]], np.uint64),
    )
    measured = statistics.measure(histories, ("favorite", "click"))
    assert {name: dict(each.counts) for name, each in measured.items()} == {
        "history_length": {"0": 1, "1": 1, "2": 1},
        "active_share": {"10": 1, "20": 1},
        "newest_age_hours": dict(histograms.of_numbers(np.array([6.0, 2.0])).counts),
        "newest_surface": {"5": 1, "7": 1},
        "newest_action": {"click": 2, "favorite": 1},
    }


def test_the_same_share_of_users_is_in_sample_wherever_they_come(three_days) -> None:
    user_ids = np.arange(1, 50_001)
    measured = statistics._is_in_sample(user_ids, three_days.config)
    assert measured.mean() == pytest.approx(0.2, abs=0.01)
    again = statistics._is_in_sample(user_ids[::-1], three_days.config)
    assert (again[::-1] == measured).all()
