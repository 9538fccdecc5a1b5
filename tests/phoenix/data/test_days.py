import datetime

from hypothesis import given
from hypothesis import strategies as st

from phoenix.data.days import DAY_MS, day_number, day_of_number, midnight_ms


def test_midnight_is_the_first_millisecond_of_the_day() -> None:
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    assert midnight_ms(moment.date()) == moment.timestamp() * 1000


@given(st.dates())
def test_a_day_is_found_by_its_number_and_by_any_of_its_milliseconds(day: datetime.date) -> None:
    assert day_of_number(day_number(day)) == day
    assert day_of_number((midnight_ms(day) + DAY_MS - 1) // DAY_MS) == day
