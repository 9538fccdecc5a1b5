"""The promises of evidence: intervals that cover, and days that add up."""

import functools
import operator
from collections.abc import Callable

import numpy as np
import pytest

from phoenix.metrics.by_user import UserValues
from phoenix.metrics.evidence import Evidence


def _values(values: np.ndarray, weights: np.ndarray | None = None) -> UserValues:
    users = np.arange(len(values))
    return UserValues(users, values, np.ones(len(values)) if weights is None else weights)


def _day(sums: np.ndarray, weights: np.ndarray | None = None) -> Evidence:
    zeros = _values(np.zeros(len(sums)), weights)
    return Evidence.of_day(_values(sums, weights), zeros)


def _ends(interval: tuple[float, float] | None) -> tuple[float, float]:
    assert interval is not None
    return interval


def _sum(days: list[Evidence]) -> Evidence:
    return functools.reduce(operator.add, days)


Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def _normal(generator: np.random.Generator, num: int) -> tuple[np.ndarray, np.ndarray]:
    return generator.normal(0.1, 1.0, num), np.ones(num)


def _order(generator: np.random.Generator, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of NDCG: of many users none, since both models order their posts alike."""
    return np.where(generator.random(num) < 0.4, 0.0, generator.normal(0.05, 0.25, num)), np.ones(
        num
    )


def _recall(generator: np.random.Generator, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of recall: most users have one relevant post, which both models miss."""
    chance = generator.random(num)
    return np.select([chance < 0.10, chance < 0.16, chance < 0.20], [1.0, -1.0, 0.5], 0.0), np.ones(
        num
    )


def _weighted(generator: np.random.Generator, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of AUC that depend on the weight of the user."""
    weights = np.exp(generator.normal(0, 0.7, num))
    return generator.normal(0.05, 0.3, num) + 0.05 * np.log(weights), weights


@pytest.mark.parametrize("draw", [_normal, _order, _recall, _weighted])
@pytest.mark.parametrize("num_users", [50, 500, 5_000])
def test_intervals_cover_what_they_claim(draw: Draw, num_users: int) -> None:
    generator = np.random.default_rng(num_users)
    values, weights = draw(generator, 2_000_000)
    truth = np.average(values, weights=weights)
    num_logs, num_holding = 3_000, 0
    for _ in range(num_logs):
        low, high = _ends(_day(*draw(generator, num_users)).interval())
        num_holding += low <= truth <= high
    # 93 to 97 %, and what 3,000 logs leave open of the share itself: two standard errors.
    assert 0.93 - 0.008 <= num_holding / num_logs <= 0.97 + 0.008


def test_users_of_several_days_are_one_cluster() -> None:
    """A user's luck is the same on each day here: two days say no more than one."""
    generator = np.random.default_rng(3)
    luck = generator.normal(0.0, 1.0, 200)
    once = _day(luck)
    twice = once + once
    assert twice.mean == pytest.approx(once.mean)
    assert twice.interval() == pytest.approx(once.interval())


def test_days_of_other_users_narrow_the_interval() -> None:
    generator = np.random.default_rng(4)
    first = _day(generator.normal(0, 1, 300))
    others = _day(generator.normal(0, 1, 300))
    later = Evidence(others.user_ids + 300, others.sums, others.weights, num_days=1)
    both = first + later
    assert np.diff(_ends(both.interval()))[0] < 0.8 * np.diff(_ends(first.interval()))[0]


def test_the_order_in_which_days_are_added_does_not_matter() -> None:
    generator = np.random.default_rng(5)
    days = []
    for _ in range(3):
        users = np.flatnonzero(generator.random(60) < 0.5)
        sums = generator.normal(size=len(users))
        days.append(Evidence(users, sums, np.ones(len(users)), num_days=1))
    one, two = days[0] + days[1] + days[2], days[2] + days[0] + days[1]
    np.testing.assert_array_equal(one.user_ids, two.user_ids)
    np.testing.assert_allclose(one.sums, two.sums)
    assert one.num_days == two.num_days == 3


def test_looking_every_day_costs_no_error() -> None:
    """Two equal models, users that come again, and a look on each of 14 days."""
    generator = np.random.default_rng(6)
    num_chains, num_wrong, num_wrong_without = 400, 0, 0
    for _ in range(num_chains):
        tastes = generator.normal(0, 0.5, 200)
        days: list[Evidence] = []
        sure, sure_without = False, False
        for _ in range(14):
            users = np.flatnonzero(generator.random(200) < 0.5)
            sums = tastes[users] + generator.normal(0, 1, len(users))
            days.append(Evidence(users, sums, np.ones(len(users)), num_days=1))
            low, high = _ends(_sum(days).sequence())
            sure |= not low <= 0 <= high
            low, high = _ends(_sum(days).interval())
            sure_without |= not low <= 0 <= high
        num_wrong += sure
        num_wrong_without += sure_without
    assert num_wrong <= 0.05 * num_chains
    # What the sequence is for: intervals for one look are wrong far more often.
    assert num_wrong_without > 0.08 * num_chains


def test_two_standard_errors_a_day_are_sure_within_five_days() -> None:
    generator = np.random.default_rng(7)
    num_users, num_chains, num_sure = 400, 400, 0
    for _ in range(num_chains):
        days = [
            Evidence(
                np.arange(num_users) + num_users * day,
                generator.normal(2 / np.sqrt(num_users), 1, num_users),
                np.ones(num_users),
                num_days=1,
            )
            for day in range(5)
        ]
        looks = [_sum(days[: day + 1]).sequence() for day in range(5)]
        num_sure += any(_ends(look)[0] > 0 for look in looks)
    assert num_sure >= 0.8 * num_chains


def test_the_same_answers_differ_surely_by_nothing() -> None:
    assert _day(np.zeros(100)).interval() == (0.0, 0.0)


def test_of_one_user_nothing_can_be_said() -> None:
    assert _day(np.array([0.5])).interval() is None
    assert _day(np.empty(0)).sequence() is None


def test_models_measured_on_different_users_are_refused() -> None:
    one = _values(np.zeros(3))
    with pytest.raises(ValueError, match="different users"):
        Evidence.of_day(one, one.of(np.array([0, 1])))
