import json

import numpy as np
import pyarrow as pa

from components.source.layouts import ActionRule
from components.source.raw_files import RawRows
from components.source.row_checks import Rejections, RowCheck

ROWS = RawRows(
    "a.csv",
    np.array([2, 3, 4]),
    {"n": pa.array(["1", "x", ""]), "m": pa.array(["?", "?", "5"])},
)


def test_a_row_is_rejected_for_the_first_thing_that_is_wrong_with_it() -> None:
    check = RowCheck(3)
    assert check.whole(ROWS, "n").tolist() == [1, 0, 0]
    check.number(ROWS, "m")
    assert [check.rules[row] for row in range(3)] == [
        "unreadable_number",
        "unreadable_number",
        "missing_value",
    ]
    assert check.details == {
        0: "m: expected a number, got '?'",
        1: "n: expected a whole number, got 'x'",
        2: "n: expected a whole number, got nothing",
    }


def test_whole_numbers_that_do_not_fit_their_column_are_rejected() -> None:
    check = RowCheck(3)
    check.whole(RawRows("a", ROWS.lines, {"n": pa.array([7, 8, -9])}), "n", limit=8)
    assert check.is_good.tolist() == [True, False, False]


def test_a_rejected_row_keeps_its_place_and_its_content() -> None:
    check, rejections = RowCheck(3), Rejections()
    check.whole(ROWS, "n")
    rejections.add("events", ROWS, check)
    rejections.add_malformed("posts", "b.csv", 9, "expected 2 columns, got 1: x{}")
    first, _, last = rejections.table().to_pylist()
    assert (first["table"], first["file"], first["line"]) == ("events", "a.csv", 3)
    assert json.loads(first["raw"]) == {"n": "x", "m": "?"}
    assert (last["rule"], last["line"]) == ("malformed_row", 9)


def test_a_time_beyond_the_calendar_is_rejected_as_its_number() -> None:
    times = pa.array([2**62], pa.timestamp("us"))
    rows, check = RawRows("a", np.array([1]), {"t": times}), RowCheck(1)
    check.time(rows, "t", "us")
    assert check.rules == {0: "unreadable_time"}
    assert check.details[0].endswith(f"got {2**62}")


def test_an_action_is_not_read_from_lists() -> None:
    rows, check = RawRows("a", np.array([1]), {"n": pa.array([["a"]])}), RowCheck(1)
    assert not check.action(rows, ActionRule(column="n", values=("a",))).any()
    assert check.details == {0: "n: expected text or a number, got \"['a']\""}


def test_a_text_id_that_is_none_says_what_it_is() -> None:
    texts = ["u-1", '["u-1", "u-2"]', '{"id": "u-1"}', "u\ufffd", "NULL", "[u-3]"]
    rows = RawRows("a.json", np.arange(1, 7), {"user": pa.array(texts)})
    for end in ("", "@"):
        check = RowCheck(6, null_words=["NULL"])
        check.identifier(rows, "user", end)
        assert check.is_good.tolist() == [True, False, False, False, False, True]
        assert check.details[1].startswith("user: expected one id, not a list or an object, got")
        assert check.details[2].startswith("user: expected one id, not a list or an object, got")
        assert "expected an id in UTF-8, or the right `ingest_events.source.enc" in check.details[3]
        assert "not a word for nothing" in check.details[4]
    rows = RawRows("a.parquet", np.arange(1, 3), {"user": pa.array([["u-1"], ["u-2", "u-3"]])})
    check = RowCheck(2)
    check.identifier(rows, "user", "")
    assert not check.is_good.any()
    assert "expected an id, not a value of the type list<" in check.details[0]


def test_a_number_that_is_not_there_reaches_no_limit() -> None:
    rows = RawRows("a", np.array([1, 2, 3]), {"n": pa.array(["2", "", "many"])})
    check = RowCheck(3)
    assert check.action(rows, ActionRule(column="n", at_most=5)).tolist() == [True, False, False]
    assert check.rules == {2: "unreadable_number"}
