import datetime

import pytest

from components import contract
from components.errors import BadDataError
from components.features import partitions
from components.run.context import Context

DAYS = tuple(datetime.date(2026, 1, number) for number in (1, 2, 3))


@pytest.mark.parametrize(("count", "days"), [(7, DAYS[:2]), (1, DAYS[1:2]), (0, ())])
def test_days_before_stop_at_the_first_day(three_days, count: int, days: tuple) -> None:
    assert partitions.days_before(three_days.config, DAYS[2], count) == list(days)


def test_the_features_of_days_come_in_their_order(three_days) -> None:
    context = Context(contract.TRAIN_RANKER, three_days.config, DAYS[2], three_days.store)
    refs = partitions.features_of(context, DAYS[:2])
    heads = [three_days.store.head("build_features", str(day)) for day in DAYS[:2]]
    assert refs == heads


def test_days_without_features_are_named(three_days) -> None:
    context = Context(contract.TRAIN_RANKER, three_days.config, DAYS[2], three_days.store)
    later = [datetime.date(2026, 1, number) for number in (3, 4, 5)]
    with pytest.raises(
        BadDataError,
        match="2026-01-03 to 2026-01-05 without a gap; missing: 2026-01-04, 2026-01-05",
    ):
        partitions.features_of(context, later)
