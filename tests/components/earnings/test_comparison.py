"""A release is compared with the one before it, on the days on which both were measured."""

import numpy as np
import pyarrow as pa

from benchmarks.release_losses import measured_day
from components.earnings import comparison
from components.earnings.comparison import MeasuredDay
from components.settings.steps import MeasureConfig

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
