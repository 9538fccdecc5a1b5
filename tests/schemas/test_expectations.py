import datetime

from schemas.events import EVENTS
from schemas.expectations import (
    Expectation,
    expectations,
    measured_between,
    pair_in_order,
    with_severities,
)


def of_column(name: str, found: list[Expectation]) -> dict[str, dict]:
    return {e.type: e.kwargs for e in found if e.kwargs.get("column") == name}


def test_every_column_that_may_not_be_null_is_expected_not_to_be() -> None:
    found = expectations(EVENTS)
    for column in EVENTS.columns:
        assert "ExpectColumnValuesToNotBeNull" in of_column(column.name, found)


def test_ranges_and_uniqueness_come_from_the_columns() -> None:
    found = expectations(EVENTS.bounded(surface=(0, 3)))
    surface = of_column("surface", found)["ExpectColumnValuesToBeBetween"]
    assert surface == {"column": "surface", "min_value": 0, "max_value": 3}
    assert "ExpectColumnValuesToBeUnique" in of_column("event_id", found)
    assert "ExpectColumnValuesToBeUnique" not in of_column("user_id", found)


def test_bounds_of_times_are_times() -> None:
    found = of_column("shown_at", expectations(EVENTS.bounded(shown_at=(0, 1_500))))
    between = found["ExpectColumnValuesToBeBetween"]
    assert between["max_value"] == datetime.datetime(1970, 1, 1, 0, 0, 1, 500_000, datetime.UTC)


def test_too_few_rows_are_a_critical_failure() -> None:
    wanted = Expectation("ExpectTableRowCountToBeBetween", {"min_value": 5}, "critical")
    assert wanted in expectations(EVENTS, min_rows=5)


def test_severities_are_those_of_the_deployment_and_some_are_ignored() -> None:
    wanted = [pair_in_order("shown_at", "ingested_at"), *expectations(EVENTS)]
    found = with_severities(wanted, {"arrival_order": "ignore", "contract": "info"})
    assert len(found) == len(wanted) - 1
    assert {each.severity for each in found} == {"info"}


def test_a_measured_number_may_have_one_limit_alone() -> None:
    found = measured_between("volume", 5, None, kind="volume")
    assert (found.kwargs["min_value"], found.kwargs["max_value"], found.kind) == (5, None, "volume")
