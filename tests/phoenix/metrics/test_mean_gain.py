"""The interval of the gain of one mean over another covers, whoever comes again."""

import numpy as np
import pytest

from phoenix.metrics.evidence import Evidence
from phoenix.metrics.mean_gain import gain_beside, gain_over


def _day(generator: np.random.Generator, taste: np.ndarray, share: float, rate: float) -> Evidence:
    users = np.flatnonzero(generator.random(len(taste)) < share)
    shown = generator.poisson(8, len(users)) + 1.0
    chances = np.clip(rate + taste[users], 0, 1)
    return Evidence(users, generator.binomial(shown.astype(int), chances) * 1.0, shown, num_days=1)


@pytest.mark.parametrize("num_users", [60, 500])
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_the_interval_covers_the_gain(num_users: int, share: float) -> None:
    generator = np.random.default_rng(num_users)
    tries, hits = 600, 0
    for _ in range(tries):
        taste = generator.normal(0, 0.1, num_users)
        later, earlier = (_day(generator, taste, share, rate) for rate in (0.35, 0.30))
        low, high = gain_over(later, earlier).interval() or (0.0, 0.0)
        hits += low <= 0.05 <= high
    assert 0.925 <= hits / tries <= 0.975


def test_who_comes_again_is_compared_with_themselves() -> None:
    generator = np.random.default_rng(0)
    taste = generator.normal(0, 0.15, 400)
    later, earlier = (_day(generator, taste, 1.0, rate) for rate in (0.4, 0.4))
    strangers = Evidence(earlier.user_ids + 1_000, earlier.sums, earlier.weights, num_days=1)

    def width(other: Evidence) -> float:
        low, high = gain_over(later, other).interval() or (0.0, 0.0)
        return high - low

    assert width(earlier) < 0.8 * width(strangers)


def test_the_mean_is_the_difference_of_the_means_of_all() -> None:
    later = Evidence(np.array([1, 2]), np.array([3.0, 1.0]), np.array([4.0, 4.0]), num_days=1)
    earlier = Evidence(np.array([2, 7, 9]), np.array([0.0, 2.0, 1.0]), np.full(3, 2.0), num_days=3)
    gain = gain_over(later, earlier)
    assert gain.user_ids.tolist() == [1, 2, 7, 9]
    assert gain.mean == pytest.approx(0.5 - 0.5)
    assert gain.num_days == 1


def test_the_interval_covers_the_gain_beside_a_control() -> None:
    """The release earns as much as before, on a day on which all is worth a fifth less."""
    generator = np.random.default_rng(3)
    tries, hits, hits_without = 600, 0, 0
    for _ in range(tries):
        taste = generator.normal(0, 0.05, 300)
        earlier, control_before = (_day(generator, taste, 0.7, rate) for rate in (0.5, 0.3))
        later, control = (_day(generator, taste * 0.8, 0.7, rate) for rate in (0.4, 0.24))
        low, high = gain_beside(later, earlier, (control, control_before)).interval() or (0.0, 0.0)
        hits += low <= 0.0 <= high
        low, high = gain_over(later, earlier).interval() or (0.0, 0.0)
        hits_without += low <= 0.0 <= high
    assert 0.925 <= hits / tries <= 0.975
    assert hits_without < 0.1 * tries
