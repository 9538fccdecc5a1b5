import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.source.by_day.file_days import FileDay
from phoenix.data.days import DAY_MS, day_number, day_of_number

ZONES = ("UTC", "America/Los_Angeles", "Asia/Tokyo", "Pacific/Kiritimati", "Europe/Berlin")


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(datetime.date(2020, 1, 1), datetime.date(2030, 1, 1)),
    overrun=st.integers(0, 1_440),
    minute=st.integers(-4_000, 4_000),
)
def test_a_row_has_the_day_that_a_slow_definition_gives(
    zone: str, day: datetime.date, overrun: int, minute: int
) -> None:
    midnight = datetime.datetime.combine(day, datetime.time(), ZoneInfo(zone))
    shown = midnight.astimezone(datetime.UTC) + datetime.timedelta(minutes=minute)
    end = datetime.datetime.combine(
        day + datetime.timedelta(days=1), datetime.time(), ZoneInfo(zone)
    )
    end = end.astimezone(datetime.UTC)  # where an hour is an hour
    is_within = midnight <= shown < end + datetime.timedelta(minutes=overrun)
    last_moment = end - datetime.timedelta(milliseconds=1)
    expected = shown.date() if is_within else last_moment.date()
    file_day = FileDay.of(day, zone, overrun * 60_000)
    shown_at = np.array([round(shown.timestamp() * 1_000)])
    (number,) = file_day.days_of(shown_at, np.array([True]))
    assert day_of_number(int(number)) == expected
    (unknown,) = file_day.days_of(shown_at, np.array([False]))
    assert unknown == file_day.home


@pytest.mark.parametrize("zone", ZONES)
def test_a_local_day_overlaps_with_at_most_two_utc_days(zone: str) -> None:
    day = datetime.date(2026, 3, 1)
    utc_days = FileDay.of(day, zone, 0).utc_days
    assert set(utc_days) <= {day_number(day) - 1, day_number(day), day_number(day) + 1}
    assert len(utc_days) == (1 if zone == "UTC" else 2)
    assert FileDay.of(day, "UTC", 0).start == day_number(day) * DAY_MS
