"""The task that turns days with late rows into partitions."""

from types import SimpleNamespace

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors

from wiring.late import LateDays

ASSET = Asset(name="late_rows", uri="x-phoenix://late_rows")


def run(result, ingested=None) -> tuple[object, set[str]]:
    after = ["ingest_events", "validate_events"]
    task = LateDays(task_id="late_rows", after=after, outlets=[ASSET])
    events = OutletEventAccessors()
    pulled = {"validate_events": result, "ingest_events": ingested}
    ti = SimpleNamespace(xcom_pull=lambda task_ids: pulled[task_ids])
    days = task.execute({"ti": ti, "outlet_events": events})
    return days, events[ASSET].partition_keys


def test_every_day_to_run_again_is_a_partition_of_the_asset() -> None:
    days = ["2026-01-02", "2026-01-03"]
    assert run({"status": "done", "run_again": days}) == (days, set(days))


def test_days_whose_source_changed_are_among_them_and_each_once() -> None:
    of_rows, of_source = ["2026-01-03"], ["2026-01-02", "2026-01-03"]
    days, emitted = run({"run_again": of_rows}, {"status": "unchanged", "run_again": of_source})
    assert days == of_source
    assert emitted == set(of_source)


@pytest.mark.parametrize("result", [None, {}, {"status": "unchanged", "run_again": []}])
def test_without_a_late_row_nothing_is_emitted(result) -> None:
    with pytest.raises(AirflowSkipException, match="No row arrived"):
        run(result)


def test_what_is_no_day_is_never_a_partition() -> None:
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        run({"run_again": ["; rm -rf /"]})
