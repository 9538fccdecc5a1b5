import numpy as np
import pytest

from phoenix.data import prediction


@pytest.mark.parametrize("number", [3, 7, 14])
@pytest.mark.parametrize("false_alarms", [0.2, 0.02])
def test_the_share_of_false_alarms_is_the_one_asked_for(number: int, false_alarms: float) -> None:
    generator = np.random.default_rng(number)
    rows = np.exp(generator.normal(5, 0.4, (4_000, number + 1)))
    outside = 0
    for *past, now in rows.tolist():
        low, high = prediction.interval(past, prediction.COUNT, false_alarms=false_alarms)
        outside += not low <= now <= high
    error = 4 * np.sqrt(false_alarms / len(rows))
    assert outside / len(rows) == pytest.approx(false_alarms, abs=error)


def test_limits_of_a_known_sample() -> None:
    """Mean 2, s 1, n 3, t(0.975, 2) = 4.302653: 2 ± 4.302653 * sqrt(4 / 3) on the scale itself."""
    plain = prediction.Scale(float, float)
    low, high = prediction.interval([1.0, 2.0, 3.0], plain, false_alarms=0.05)
    assert (low, high) == pytest.approx((2 - 4.968275, 2 + 4.968275), abs=1e-5)


@pytest.mark.parametrize("scale", [prediction.COUNT, prediction.SHARE, prediction.DISTANCE])
def test_scales_go_back_to_where_they_came_from(scale: prediction.Scale) -> None:
    for value in (0.0, 1e-6, 0.3, 1.0):
        assert scale.back(scale.forward(value)) == pytest.approx(value)


def test_limits_stay_where_values_can_be() -> None:
    low, high = prediction.interval([0.01, 0.5, 0.99], prediction.SHARE, false_alarms=0.001)
    assert (low, high) == (0.0, 1.0)
    low, high = prediction.interval([0, 10, 10**9], prediction.COUNT, false_alarms=0.001)
    assert low == 0
    assert np.isfinite(high)


def test_what_never_changed_may_not_change() -> None:
    limits = prediction.interval([7.0] * 5, prediction.COUNT, false_alarms=0.01)
    assert limits == pytest.approx((7.0, 7.0))
