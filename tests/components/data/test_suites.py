import json

import numpy as np
import pytest

from components import data_files, suites
from schemas.events import EVENTS
from schemas.expectations import Expectation, expectations

TIMES = np.array([10, 20, 30])


def table(**values: list) -> object:
    columns = {
        "event_id": np.array([1, 2, 3]),
        "user_id": np.array([4, 5, 6]),
        "post_id": np.array([7, 8, 9]),
        "author_id": np.array([1, 1, 1]),
        "shown_at": TIMES,
        "ingested_at": TIMES,
        "surface": np.zeros(3, np.int32),
        "actions": np.zeros(3, np.uint64),
        "dwell_seconds": np.zeros(3, np.float32),
    }
    return data_files.arrow_table(EVENTS, columns | {k: np.array(v) for k, v in values.items()})


def failures(rows: object, wanted: list[Expectation]) -> list[tuple]:
    results, _ = suites.check(rows, wanted, name="events", day="2026-01-02")  # type: ignore
    return [(r["column"], r["expectation"], r["severity"]) for r in results if not r["success"]]


def test_what_breaks_a_contract_fails_its_expectation() -> None:
    wanted = expectations(EVENTS.bounded(surface=(0, 1), shown_at=(0, 25)), min_rows=4)
    rows = table(event_id=[1, 2, 2], surface=[0, 2, 0], user_id=[4, -5, 6])
    assert failures(rows, wanted) == [
        (None, "expect_table_row_count_to_be_between", "critical"),
        ("event_id", "expect_column_values_to_be_unique", "critical"),
        ("shown_at", "expect_column_values_to_be_between", "critical"),
        ("surface", "expect_column_values_to_be_between", "critical"),
        ("user_id", "expect_column_values_to_be_between", "critical"),
    ]


def test_results_count_wrong_values_and_never_show_them() -> None:
    wanted = expectations(EVENTS)
    results, sections = suites.check(
        table(user_id=[4, -987654321, 6]),  # type: ignore[arg-type]
        wanted,
        name="events",
        day="2026-01-02",
    )
    assert results[0]["unexpected_count"] == 1
    assert results[0]["element_count"] == 3
    assert "987654321" not in json.dumps(results, default=str) + "".join(sections)


def test_an_expectation_that_cannot_be_checked_is_an_error_and_no_verdict() -> None:
    wanted = [Expectation("ExpectColumnValuesToNotBeNull", {"column": "nowhere"})]
    with pytest.raises(RuntimeError, match="could not be checked"):
        failures(table(), wanted)
