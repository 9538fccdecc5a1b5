"""A release that earns less is found out, and one that earns as much is left in peace."""

import numpy as np
import pyarrow as pa
import pytest

from components.earnings import comparison
from components.earnings.comparison import MeasuredDay
from components.earnings.measure import NO_RANK, Impressions, Measure
from components.settings.steps import MeasureConfig

SECTION = MeasureConfig()
BEFORE = {"models": "a", "partition": "2026-01-01"}


def _day(generator: np.random.Generator, models: str, taste: np.ndarray, rate: float):
    """A day of a world: two of three users come, and see a dozen posts each."""
    users = np.flatnonzero(generator.random(len(taste)) < 2 / 3)
    shown = np.repeat(users, generator.poisson(12, len(users)))
    chances = np.clip(taste[shown] * rate, 0, 1)
    count = len(shown)
    zeros, nothing = np.zeros(count, np.int64), np.full(count, np.nan)
    impressions = Impressions(
        shown + 1,
        zeros,
        zeros,
        np.full(count, NO_RANK),
        np.ones(count),
        (generator.random(count) < chances).astype(np.uint64),
        nothing,
        nothing,
    )
    measure = Measure((models,), ("retrieval",), {"like": 1.0})
    return MeasuredDay([{"release": models, "models": models}], measure.user_earnings(impressions))


def flagged(seed: int, rate: float, num_users: int, days: int = 2) -> bool:
    """Whether a release that earns `rate` of the one before is flagged on one of its days."""
    generator = np.random.default_rng(seed)
    taste = generator.beta(3, 5, num_users)
    measured = [_day(generator, "a", taste, 1.0) for _ in range(2)]
    for _ in range(days):
        measured.append(_day(generator, "b", taste, rate))
        against = comparison.compare({"models": "b", "before": BEFORE}, measured, SECTION)
        assert against is not None
        if against["verdict"] == "surely less":
            return True
    return False


@pytest.mark.parametrize(
    ("rate", "at_least", "at_most"), [(0.95, 19, 20), (1.0, 0, 1), (1.05, 0, 0)]
)
def test_a_release_that_earns_less_is_flagged_within_two_days(rate, at_least, at_most) -> None:
    found = sum(flagged(seed, rate, num_users=3_000) for seed in range(20))
    assert at_least <= found <= at_most


@pytest.mark.slow
def test_over_a_hundred_seeds() -> None:
    assert sum(flagged(seed, 0.95, num_users=3_000) for seed in range(1_000, 1_100)) >= 95
    assert sum(flagged(seed, 1.0, num_users=3_000) for seed in range(1_000, 1_100)) <= 5


def test_few_users_have_no_verdict() -> None:
    generator = np.random.default_rng(0)
    measured = [
        _day(generator, models, np.full(40, 0.9), rate) for models, rate in (("a", 1.0), ("b", 0.1))
    ]
    against = comparison.compare({"models": "b", "before": BEFORE}, measured, SECTION)
    assert against is not None
    assert against["verdict"] == "too few users"
    assert against["gain"] < 0


def test_without_a_measured_day_of_the_one_before_nothing_is_compared() -> None:
    day = _day(np.random.default_rng(0), "b", np.full(60, 0.5), 1.0)
    for before in (BEFORE, None):
        assert comparison.compare({"models": "b", "before": before}, [day], SECTION) is None
    empty = MeasuredDay([], pa.Table.from_batches([], day.rows.schema))
    assert empty.of_models("b").num_days == 0
