"""A release is compared with the one before it, on the days on which both were measured."""

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.release_losses import measured_day
from components.earnings import comparison
from components.earnings.comparison import MeasuredDay
from components.settings.steps import MeasureConfig
from schemas.earnings import NO_FEED

SECTION = MeasureConfig()
BEFORE = {"models": "a", "partition": "2026-01-01"}


def test_few_users_have_no_verdict() -> None:
    generator = np.random.default_rng(0)
    measured = [
        measured_day(generator, models, np.full(40, 0.9), rate)
        for models, rate in (("a", 1.0), ("b", 0.1))
    ]
    against = comparison.compare({"models": "b", "before": BEFORE}, measured, SECTION)
    assert against is not None
    assert against["verdict"] == "too few users"
    assert against["gain"] < 0


def test_without_a_measured_day_of_the_one_before_nothing_is_compared() -> None:
    day = measured_day(np.random.default_rng(0), "b", np.full(60, 0.5), 1.0)
    for before in (BEFORE, None):
        assert comparison.compare({"models": "b", "before": before}, [day], SECTION) is None
    empty = MeasuredDay([], pa.Table.from_batches([], day.rows.schema))
    assert empty.of_models("b").num_days == 0


def _days(*, of_day: float, of_release: float, num_control: int) -> list[MeasuredDay]:
    """Two days: on the second one all earn `of_day` of the first, its release `of_release` of that.

    Some users see a half of their posts outside of feeds.
    """
    generator = np.random.default_rng(2)
    taste = generator.beta(3, 7, 4_000)
    days = []
    for models, rate, own in (("a", 1.0, 1.0), ("b", of_day, of_release)):
        served = measured_day(generator, models, taste, rate * own)
        others = measured_day(generator, NO_FEED, taste[:num_control] * 0.5, rate)
        days.append(MeasuredDay(served.facts, pa.concat_tables([served.rows, others.rows])))
    return days


@pytest.mark.parametrize(
    ("of_day", "of_release", "num_control", "verdict", "words"),
    [
        (0.8, 1.0, 4_000, "not sure", "of what no feed showed taken out"),
        (0.8, 1.0, 40, "surely less", "the days taken as they were"),
        (1.0, 0.8, 4_000, "surely less", "of what no feed showed taken out"),
        (1.25, 0.8, 4_000, "surely less", "of what no feed showed taken out"),
    ],
)
def test_a_bad_day_is_told_from_a_bad_release_by_what_no_feed_showed(
    of_day: float, of_release: float, num_control: int, verdict: str, words: str
) -> None:
    days = _days(of_day=of_day, of_release=of_release, num_control=num_control)
    release = {"models": "b", "before": BEFORE}
    against = comparison.compare(release, days, SECTION)
    assert against is not None
    assert against["verdict"] == verdict
    assert words in comparison.sentence({**release, "comparison": against})
    if against["control"] is not None:
        assert against["control"] == pytest.approx(of_day - 1, abs=0.06)
        assert against["share"] == pytest.approx(of_release - 1, abs=0.06)
    alone = comparison.compare(release, days, MeasureConfig(has_control=False))
    assert alone is not None
    assert alone["control"] is None
