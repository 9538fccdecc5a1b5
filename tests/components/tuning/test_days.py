"""Settings are judged on days that have rows, and before them all that a training reads."""

import pytest

from components.errors import BadDataError
from components.store.artifacts import Store
from components.tuning.days import judged_days
from tests.components.training.log_store import config_of, day_of, write_features


def test_days_without_rows_or_with_a_gap_before_them_are_left_out(tmp_path) -> None:
    config = config_of(tmp_path, train_ranker={"window_days": 2})
    for number, rows in ((0, 100), (1, 100), (2, 0), (3, 100), (5, 100), (6, 100), (7, 100)):
        write_features(config, number, rows)
    store = Store(config.store)
    days = judged_days(config, store, "ranker")
    assert days == [day_of(number) for number in (1, 3, 7)]
    within = day_of(2), day_of(6)
    assert judged_days(config, store, "ranker", within=within) == [day_of(3)]


@pytest.mark.parametrize("numbers", [(), (0,)])
def test_a_store_without_such_a_day_is_told_what_to_run(numbers, tmp_path) -> None:
    config = config_of(tmp_path, train_ranker={"window_days": 7})
    for number in numbers:
        write_features(config, number, 100)
    complaint = (
        rf"no day to judge .* up to 7 days .* has features of {len(numbers)} days.*phoenix data"
    )
    with pytest.raises(BadDataError, match=complaint):
        judged_days(config, Store(config.store), "ranker")
