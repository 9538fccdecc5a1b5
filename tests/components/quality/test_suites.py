import json
import sys

import numpy as np
import pyarrow as pa
import pytest

from components.errors import BadConfigurationError
from components.quality import suites
from components.settings.steps import EngineConfig
from components.tables import data_files
from schemas.events import EVENTS
from schemas.expectations import (
    Expectation,
    expectations,
    measured_between,
    pair_in_order,
    with_severities,
)

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


def checked(rows: object, wanted: list[Expectation], engine: str = "duckdb") -> suites.SuiteResult:
    where = EngineConfig(name=engine, spark_master="local[2]")
    return suites.check(rows, wanted, name="events", day="2026-01-02", engine=where)


def failures(rows: object, wanted: list[Expectation]) -> list[tuple]:
    results = checked(rows, wanted).results
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


def test_a_check_says_nothing_of_folders_that_nobody_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    checked(table(), expectations(EVENTS))
    # The module that tells of the folder sets its own level; others follow that of the process.
    teller = "great_expectations.data_context.types.base"
    assert [each for each in caplog.records if each.name == teller] == []


def test_results_count_wrong_values_and_never_show_them() -> None:
    wanted = expectations(EVENTS)
    found = checked(table(user_id=[4, -987654321, 6]), wanted)
    results, sections = found.results, found.sections()
    assert results[0]["unexpected_count"] == 1
    assert results[0]["element_count"] == 3
    assert "987654321" not in json.dumps(results, default=str) + "".join(sections)


def test_parts_of_a_table_come_to_the_verdicts_of_the_whole() -> None:
    bounded = EVENTS.bounded(surface=(0, 1), shown_at=(0, 25), actions=(0, 1))
    rows = table(event_id=[2, 2, 3], surface=[0, 2, 0], user_id=[4, -5, 6], ingested_at=[9, 20, 40])
    more = table(event_id=[3, 5, 6], user_id=[-7, 8, 9])
    fewest = (4, 6, 7)  # more than one part has; as many as both; too many
    for few in fewest:
        wanted = [*expectations(bounded, min_rows=few), pair_in_order("shown_at", "ingested_at")]
        both = [checked(part, wanted) for part in (rows, more)]
        # Event 3 is in both parts, once in each: two rows that only the whole knows to be wrong.
        merged = suites.merge(both, {"event_id": 2})
        whole = checked(pa.concat_tables([rows, more]), wanted)
        assert merged.results == whole.results
        assert merged.sections() == whole.sections()
        assert not merged.validation.success


def test_an_expectation_that_cannot_be_checked_is_an_error_and_no_verdict() -> None:
    wanted = [Expectation("ExpectColumnValuesToNotBeNull", {"column": "nowhere"})]
    with pytest.raises(RuntimeError, match="could not be checked"):
        failures(table(), wanted)


def test_the_worst_failures_come_first_with_the_severities_of_the_deployment() -> None:
    wanted = [
        measured_between("volume", 10, None, kind="volume"),
        measured_between("users", None, 5.5, kind="users"),
        measured_between("posts", 1, 3, kind="posts"),
        measured_between("freshness", 1, 3, kind="freshness"),
    ]
    severities = {"volume": "info", "users": "critical", "posts": "warning", "freshness": "ignore"}
    day = pa.table({"volume": [9.0], "users": [6.0], "posts": [3.0], "freshness": [9.0]})
    results = checked(day, with_severities(wanted, severities)).results
    assert [(r["kind"], r["severity"], r["success"], r["observed_value"]) for r in results] == [
        ("users", "critical", False, 6),
        ("volume", "info", False, 9),
        ("posts", "warning", True, 3),
    ]


def test_small_types_are_judged_by_their_exact_values() -> None:
    """The engines see wider types; no value may move over a limit on the way."""
    limit = float(np.float32(0.1))
    wanted = expectations(EVENTS.bounded(dwell_seconds=(0.0, limit), actions=(0, 2**63 - 1)))
    close = [0.1, np.nextafter(np.float32(0.1), np.float32(1)), 0.0]
    bits = np.array([1, 2**63, 2**63 - 1], np.uint64)
    rows = table(dwell_seconds=np.array(close, np.float32), actions=bits)
    failed = [r for r in checked(rows, wanted).results if not r["success"]]
    assert [(r["column"], r["unexpected_count"]) for r in failed] == [
        ("actions", 1),
        ("dwell_seconds", 1),
    ]


def test_without_spark_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    checked(table(), expectations(EVENTS))  # Great Expectations looks for Spark but once
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(BadConfigurationError, match=r"needs the extra `spark`"):
        checked(table(), expectations(EVENTS), "spark")


@pytest.mark.filterwarnings("ignore")  # of Spark's own Python
def test_pandas_and_spark_come_to_the_same_verdicts(require_spark: None) -> None:
    start = 1_767_312_000_000
    generator = np.random.default_rng(0)
    shown_at = np.sort(generator.integers(start, start + 86_400_000, 200))
    columns = {
        "event_id": np.arange(1, 201),
        "user_id": generator.integers(1, 50, 200),
        "post_id": generator.integers(1, 20, 200),
        "author_id": generator.integers(1, 5, 200),
        "shown_at": shown_at,
        "ingested_at": shown_at + 4_000,
        "surface": generator.integers(0, 3, 200).astype(np.int32),
        "actions": generator.integers(0, 4, 200).astype(np.uint64),
        "dwell_seconds": generator.exponential(5, 200).astype(np.float32),
    }
    good = data_files.arrow_table(EVENTS, columns)
    columns = {name: values.copy() for name, values in columns.items()}
    columns["event_id"][3] = columns["event_id"][5]
    columns["user_id"][:2] = [-7, 0]
    columns["shown_at"][0], columns["ingested_at"][7] = 5, start
    columns["surface"][3], columns["actions"][0] = 99, 2**63
    columns["dwell_seconds"][9] = 90_000.5
    bad = data_files.arrow_table(EVENTS, columns)
    narrowed = EVENTS.bounded(
        shown_at=(start, start + 86_399_999),
        surface=(0, 15),
        actions=(0, 3),
        dwell_seconds=(0.0, 86_400.0),
    )
    wanted = [*expectations(narrowed, min_rows=1), pair_in_order("shown_at", "ingested_at")]
    for rows, num_failed in ((good, 0), (bad, 7)):
        both = [checked(rows, wanted, engine).results for engine in ("duckdb", "spark")]
        assert json.dumps(both[0], default=str) == json.dumps(both[1], default=str)
        assert sum(not result["success"] for result in both[0]) == num_failed
    numbers = pa.table({"volume": [100.0], "drift/surface/psi": [0.25]})
    wanted = [
        measured_between("volume", 101.0, None, kind="volume"),
        measured_between("drift/surface/psi", None, 0.25, kind="drift"),
    ]
    both = [checked(numbers, wanted, engine).results for engine in ("duckdb", "spark")]
    assert json.dumps(both[0], default=str) == json.dumps(both[1], default=str)
    assert [result["success"] for result in both[0]] == [False, True]
