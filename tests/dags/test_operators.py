"""The day of a run, and what a task tells the next DAG."""

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.context import OutletEventAccessors

from wiring.process import ProcessStep

FEATURES = Asset("features")
ARTIFACT = {"artifact": {"kind": "build_features", "digest": "d"}}


def task(*arguments):
    return ProcessStep(
        task_id="build_features", module="m", arguments=list(arguments), outlets=[FEATURES]
    )


def context(key=None, **params):
    return {"partition_key": key, "params": params, "outlet_events": OutletEventAccessors()}


def test_a_run_without_a_day_is_refused_with_what_to_do():
    with pytest.raises(AirflowFailException, match=r"Which day\?.*Partition Key.*form"):
        task("--day", "").pre_execute(context())


def test_a_run_with_two_days_is_refused():
    with pytest.raises(AirflowFailException, match=r"2026-01-01.*2026-01-02"):
        task("--day", "2026-01-01").pre_execute(context("2026-01-01", day="2026-01-02"))


@pytest.mark.parametrize("day", ["2026-02-30", "20260101", "2026-01-01T00:00:00", "../../etc"])
def test_a_day_that_is_none_is_refused(day):
    with pytest.raises(AirflowFailException, match=day):
        task("--day", day).pre_execute(context(day))


def test_a_forced_gate_needs_a_reason():
    with pytest.raises(AirflowFailException, match="reason"):
        task("--day", "2026-01-01").pre_execute(context("2026-01-01", force="keep"))


def test_fields_left_empty_are_no_arguments():
    step = task("--day", "2026-01-01", "--force", "", "--reason", "", "--unchanged-ok")
    step.pre_execute(context("2026-01-01"))
    assert step.arguments == ["--day", "2026-01-01", "--unchanged-ok"]


def test_the_event_of_a_run_by_form_carries_its_day_so_that_it_cascades():
    seen = context(day="2026-01-01")
    task("--day", "2026-01-01").post_execute(seen, ARTIFACT)
    event = seen["outlet_events"][FEATURES]
    assert event.partition_keys == {"2026-01-01"}
    assert event.extra == {"day": "2026-01-01", **ARTIFACT}


def test_the_event_of_a_partitioned_run_leaves_the_day_to_airflow():
    seen = context("2026-01-01")
    task("--day", "2026-01-01").post_execute(seen, ARTIFACT)
    assert seen["outlet_events"][FEATURES].partition_keys == set()
