"""Times in text, of which a block may hold several forms."""

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tables import times

PARIS = ZoneInfo("Europe/Paris")
# Around both changes of the clock, of which one skips an hour and the other repeats one.
local = st.datetimes(datetime.datetime(2026, 3, 28, 23), datetime.datetime(2026, 3, 29, 5)) | (
    st.datetimes(datetime.datetime(2026, 10, 24, 23), datetime.datetime(2026, 10, 25, 5))
)
texts = st.one_of(
    local.map(lambda each: each.isoformat()),
    local.map(lambda each: each.isoformat(" ", "milliseconds")),
    local.map(lambda each: f"{each.isoformat()}Z"),
    local.map(lambda each: f"{each:%Y-%m-%d %H:%M:%S} UTC"),
    local.map(lambda each: f"{each:%Y-%m-%dT%H:%M:%S.%f}789+02:00"),
    local.map(lambda each: f"{each:%Y%m%dT%H%M%S}"),
    st.sampled_from(["2026-03-29", "2026-03-28T24:00", "?", "2026-02-30", "2026-W13-7", None]),
)


def ms(moment: datetime.datetime) -> int:
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(
        milliseconds=1
    )


def one(text: str, zone: str = "UTC") -> int | None:
    values, is_good = times.of_iso(pa.array([text], pa.string()), zone)
    return int(values[0]) if is_good[0] else None


@settings(deadline=None, max_examples=200)
@given(st.lists(texts, max_size=8))
def test_a_time_means_the_same_whatever_else_is_in_its_block(block: list[str | None]) -> None:
    values, is_good = times.of_iso(pa.array(block, pa.string()), "Europe/Paris")
    alone = [None if text is None else one(text, "Europe/Paris") for text in block]
    assert is_good.tolist() == [each is not None for each in alone]
    assert values.tolist() == [each or 0 for each in alone]


@settings(deadline=None, max_examples=200)
@given(local)
def test_a_time_without_a_zone_is_one_of_its_zone(moment: datetime.datetime) -> None:
    found = one(moment.isoformat(), "Europe/Paris")
    is_skipped = moment.date() == datetime.date(2026, 3, 29) and moment.hour == 2
    expected = datetime.datetime(2026, 3, 29, 3) if is_skipped else moment.replace(fold=0)
    assert found == ms(expected.replace(tzinfo=PARIS)), "the end of the gap, or the first of two"


@pytest.mark.parametrize(
    "text",
    [
        *("2026-03-01T10:00:00Z", "2026-03-01 10:00:00 UTC", "2026-03-01 10:00:00.000000 UTC"),
        *("2026-03-01T10:00:00.000456789Z", "20260301T100000Z", "2026-03-01 10:00:00+0000"),
        *("2026-03-01T11:00:00+01", "2026-03-01 10:00", "2026-03-01T10:00:00,0", "2026-W09-7T10"),
        *("2026-03-01 10:00:00 GMT", "2026-03-01T10"),
    ],
)
def test_every_form_of_iso_8601_is_the_same_moment(text: str) -> None:
    assert one(text) == ms(datetime.datetime(2026, 3, 1, 10, tzinfo=datetime.UTC))


@pytest.mark.parametrize("text", ["2026-02-28T24:00:00", "2026-02-28 24:00", "20260228T240000Z"])
def test_24_o_clock_is_the_end_of_the_day(text: str) -> None:
    assert one(text) == ms(datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC))


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-03-01T24:30", "2026-03-01T25:00", "10:00", "", "UTC", "x 24:00"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert one(text) is None


def test_a_form_reads_american_dates_and_local_time() -> None:
    form = "%m/%d/%Y %I:%M:%S %p"
    column = pa.array(["11/12/2019 2:14:46 PM", "11/31/2019 2:14:46 PM", None, "11/12/2019"])
    values, is_good = times.of_form(column, form, "Europe/Paris")
    assert is_good.tolist() == [True, False, False, False]
    assert values[0] == ms(datetime.datetime(2019, 11, 12, 14, 14, 46, tzinfo=PARIS))
    values, is_good = times.of_form(pa.nulls(2, pa.string()), form, "UTC")
    assert (values.tolist(), is_good.tolist()) == ([0, 0], [False, False])


def test_a_form_with_a_zone_says_the_moment() -> None:
    column = pa.array(["Sun Mar 01 10:00:00 +0100 2026"])
    values, _ = times.of_form(column, "%a %b %d %H:%M:%S %z %Y", "Asia/Tokyo")
    assert values[0] == ms(datetime.datetime(2026, 3, 1, 9, tzinfo=datetime.UTC))


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("1772323201", "seconds since 1970, `time_unit: s`"),
        ("1772323201123", "milliseconds since 1970, `time_unit: ms`"),
        ("1772323201.5", "seconds since 1970, `time_unit: s`"),
        ("1772323201123456", "microseconds since 1970, `time_unit: us`"),
        ("2026-03-01 10:00:00 UTC", "ISO 8601, `time_unit: iso`"),
        ("11/12/2019 2:14:46 PM", 'the form `time_format: "%m/%d/%Y %I:%M:%S %p"`'),
        ("31/12/2019 14:14", 'the form `time_format: "%d/%m/%Y %H:%M"`'),
        ("2026/03/01 10:00:00", 'the form `time_format: "%Y/%m/%d %H:%M:%S"`'),
        ("42", None),
        ("yesterday", None),
        ("ann@example.org", None),
    ],
)
def test_a_time_of_another_kind_is_recognized(text: str, looks: str | None) -> None:
    found = times.guess(text)
    assert (found or "").startswith(looks) if looks else found is None


def test_a_date_that_two_countries_read_in_two_ways_is_told_with_both() -> None:
    assert times.guess("03/01/2026 10:00") == (
        'the form `time_format: "%m/%d/%Y %H:%M"` or `time_format: "%d/%m/%Y %H:%M"`'
    )


def test_less_than_a_millisecond_is_cut_off() -> None:
    block = ["2026-03-01T10:00:00.9996", "2026-03-01T10:00:00.9996Z"]
    values, _ = times.of_iso(pa.array(block), "UTC")
    assert np.unique(values).tolist() == [one(block[0])]
    assert values[0] % 1000 == 999
