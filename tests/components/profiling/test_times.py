"""The forms in which columns write times."""

import datetime

import pyarrow as pa
import pytest

from components.profiling.times import has_zone, time_settings


@pytest.mark.parametrize(
    ("value", "settings"),
    [
        ("1511544070", {"time_unit": "s"}),
        ("1433221332117", {"time_unit": "ms"}),
        ("1433221332117000", {"time_unit": "us"}),
        ("1433221332117000000", {"time_unit": "ns"}),
        ("2026-03-01T10:00:00", {"time_unit": "iso"}),
        ("11/13/2019 9:05:58 AM", {"time_format": "%m/%d/%Y %I:%M:%S %p"}),
        ("13/11/2019 09:05:58", {"time_format": "%d/%m/%Y %H:%M:%S"}),
        ("11/13/2019 9:05 AM", {"time_format": "%m/%d/%Y %I:%M %p"}),
        ("13-Nov-2019 09:05:58", {"time_format": "%d-%b-%Y %H:%M:%S"}),
        ("Wed, 13 Nov 2019 09:05:58 +0100", {"time_format": "%a, %d %b %Y %H:%M:%S %z"}),
        ("20260301100000", {"time_format": "%Y%m%d%H%M%S"}),
    ],
)
def test_the_form_of_times_is_seen(value: str, settings: dict[str, str]) -> None:
    assert time_settings(pa.array([value, value, None])) == settings


def test_timestamps_need_no_form() -> None:
    moments = pa.array([datetime.datetime(2026, 3, 1)], pa.timestamp("us"))
    assert time_settings(moments) == {"time_unit": "iso"}


@pytest.mark.parametrize("values", [["7", "8"], ["blue"], [None]])
def test_what_is_no_time_has_no_form(values: list[str | None]) -> None:
    assert time_settings(pa.array(values, pa.string())) is None


def test_a_zone_is_seen_where_it_is_written() -> None:
    assert has_zone(pa.array(["2026-03-01T10:00:00Z"]))
    assert has_zone(pa.array([1511544070]))
    assert not has_zone(pa.array(["2026-03-01T10:00:00"]))
    assert not has_zone(pa.array(["11/12/2019 2:14:46 PM"]))
    assert not has_zone(pa.array([datetime.datetime(2026, 3, 1)], pa.timestamp("us")))
