import datetime
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tables import cells

texts = st.lists(
    st.one_of(
        st.integers(-(2**65), 2**65).map(str),
        st.floats().map(str),
        st.text("0123456789+-.eE xnaif_", max_size=8),
        st.none(),
    ),
    max_size=12,
)


def plain_number(text: str | None) -> float | None:
    """What Python reads, without its underscores, names of infinity and other scripts."""
    if text is None or set(text.strip()) - set("0123456789+-.eE"):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


@settings(deadline=None)
@given(texts)
def test_numbers_are_read_like_python_reads_them(values: list[str | None]) -> None:
    found, is_good = cells.parse_number(pa.array(values, pa.string()))
    expected = [plain_number(value) for value in values]
    assert is_good.tolist() == [value is not None for value in expected]
    assert found.tolist() == [value or 0.0 for value in expected]


def plain_whole(text: str | None) -> int | None:
    text = re.sub(r"\.0+$", "", (text or "").strip())  # as pandas writes whole numbers
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        return None
    return int(text) if -(2**63) <= int(text) < 2**63 else None


@settings(deadline=None)
@given(texts)
def test_whole_numbers_are_read_exactly_or_not_at_all(values: list[str | None]) -> None:
    found, is_good = cells.parse_whole(pa.array(values, pa.string()))
    expected = [plain_whole(value) for value in values]
    assert is_good.tolist() == [value is not None for value in expected]
    assert found.tolist() == [value or 0 for value in expected]


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        (["1767312000", "1767312000.5"], "s", [1_767_312_000_000, 1_767_312_000_500]),
        (["1767312000000000"], "us", [1_767_312_000_000]),
        (["2026-01-02", "2026-01-02T01:00:00+01:00"], "iso", [1_767_312_000_000] * 2),
        ([datetime.datetime(2026, 1, 2)], "iso", [1_767_312_000_000]),
        ([1_767_312_000_000], "ms", [1_767_312_000_000]),
    ],
)
def test_times_of_every_unit_are_utc_milliseconds(
    values: list, unit: str, expected: list[int]
) -> None:
    found, is_good = cells.parse_time(pa.array(values), unit)
    assert is_good.all()
    assert found.tolist() == expected


@pytest.mark.parametrize("value", ["0", "-1", "1767312000", "1767312000000000", "", "now", "1e99"])
def test_a_time_of_a_wrong_unit_or_an_unset_clock_is_not_read(value: str) -> None:
    assert not cells.parse_time(pa.array([value]), "ms")[1].any()


def test_flags_are_yes_or_no_and_nothing_else() -> None:
    found, is_good = cells.parse_flag(pa.array(["1", "0", "true", "False", "2", "", None, "maybe"]))
    assert is_good.tolist() == [True] * 4 + [False] * 4
    assert found[:4].tolist() == [True, False, True, False]
    assert cells.parse_flag(pa.array([0, 1, 2]))[1].tolist() == [True, True, False]
    found, is_good = cells.parse_flag(pa.array([" 1", "0\r\n", " ", "1 1"]))
    assert (found.tolist(), is_good.tolist()) == ([True, *[False] * 3], [True, True, False, False])


@pytest.mark.parametrize(
    ("yes", "no"), [("yes", "no"), ("Y", "N"), ("True", "False"), ("T", "F"), ("ON", "OFF")]
)
def test_a_flag_may_be_a_word(yes: str, no: str) -> None:
    found, is_good = cells.parse_flag(pa.array([yes, no, f" {yes}", "1"]))
    assert (found.tolist(), is_good.tolist()) == ([True, False, True, True], [True] * 4)


def test_values_that_do_not_fit_spoil_only_themselves() -> None:
    found, is_good = cells.parse_whole(pa.array([5, 2**63], pa.uint64()))
    assert (found.tolist(), is_good.tolist()) == ([5, 0], [True, False])


LISTS, BYTES = pa.array([[1], None]), pa.array([b"\xff\xfe", None], pa.binary(2))


@pytest.mark.parametrize("column", [LISTS, BYTES], ids=["lists", "bytes"])
def test_what_cannot_be_written_as_text_is_read_as_none(column: pa.Array) -> None:
    assert not cells.parse_text_id(column, "")[1].any()
    found, is_good = cells.parse_match(column, ["1"])
    assert (found.tolist(), is_good.tolist()) == ([False, False], [False, True])


def test_ids_with_bytes_that_are_no_text_are_not_mixed_up() -> None:
    """Two names in a wrong encoding would become one."""
    column = pa.array(["caf\ufffd", "cafe", "x/\ufffd"])
    assert cells.parse_text_id(column, "/")[1].tolist() == [False, True, True]
