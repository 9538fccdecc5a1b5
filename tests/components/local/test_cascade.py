"""Reading what a failed try left behind; the cascade itself runs in the end-to-end tests."""

import datetime
import json

import pytest

from components.errors import TryAgainError
from components.local.cascade import Cascade, TaskRun, error_in_log
from components.local.client import RefusedError


def task(map_index=-1):
    return TaskRun(
        dag_id="phoenix_feeds",
        run_id="asset_triggered__1",
        day="2026-01-01",
        task_id="materialize_feeds",
        map_index=map_index,
        try_number=2,
        state="failed",
    )


def test_the_log_of_a_try_is_where_airflow_writes_it(tmp_path):
    folder = "dag_id=phoenix_feeds/run_id=asset_triggered__1/task_id=materialize_feeds"
    assert task().log(tmp_path) == tmp_path / folder / "attempt=2.log"
    assert task(3).log(tmp_path) == tmp_path / folder / "map_index=3" / "attempt=2.log"


def test_the_error_is_the_last_exception_of_the_log(tmp_path):
    log = tmp_path / "attempt=1.log"
    lines = [
        {"event": "first", "error_detail": [{"exc_value": "an earlier one"}]},
        {"event": "Task failed", "error_detail": [{"exc_value": "row 7: user_id is text"}]},
        {"event": "::endgroup::"},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines) + "not json\n")
    assert error_in_log(log) == "row 7: user_id is text"


def test_a_log_without_an_exception_gives_its_last_line(tmp_path):
    log = tmp_path / "attempt=1.log"
    log.write_text("killed\n")
    assert error_in_log(log) == "killed"
    log.write_text("")
    assert error_in_log(log) == "its log is empty"


def test_a_missing_log_is_said(tmp_path):
    assert error_in_log(tmp_path / "attempt=1.log") == "its log is not there"


class _Client:
    """Just enough of Airflow's API to start a backfill and to cancel it, once."""

    def __init__(self):
        self.cancelled = []

    def every(self, *_, **__):
        return iter(())

    def post(self, path, body):
        del body
        return {"backfills": {"id": 7}}[path]

    def put(self, path):
        if path in self.cancelled:
            raise RefusedError("it is completed already", 409)
        self.cancelled.append(path)


def test_a_backfill_is_cancelled_if_it_was_started_and_an_ended_one_is_fine():
    client = _Client()
    cascade = Cascade(client, [datetime.date(2026, 1, 1)])
    cascade.cancel()
    assert client.cancelled == []
    cascade.start()
    cascade.cancel()
    cascade.cancel()
    assert client.cancelled == ["backfills/7/cancel"]


class _ClientWithBackfill(_Client):
    """An Airflow in which a backfill is open; `states` are those of the runs of the head DAG."""

    url = "http://127.0.0.1:1"

    def __init__(self, *states):
        super().__init__()
        self._states = states

    def every(self, path, *_, **__):
        if path == "backfills":
            return iter([{"id": 3, "completed_at": None}, {"id": 2, "completed_at": "earlier"}])
        return iter([{"dag_run_id": str(n), "state": s} for n, s in enumerate(self._states)])

    def post(self, path, body):
        if not self.cancelled:
            raise RefusedError("There is already a running backfill", 409)
        return super().post(path, body)


def test_a_backfill_that_is_over_but_not_marked_so_is_no_obstacle():
    client = _ClientWithBackfill("success", "failed")
    Cascade(client, [datetime.date(2026, 1, 1)]).start()
    assert client.cancelled == ["backfills/3/cancel"]


def test_a_backfill_at_work_is_left_alone():
    client = _ClientWithBackfill("success", "queued")
    with pytest.raises(TryAgainError, match="Another backfill of phoenix_data is at work"):
        Cascade(client, [datetime.date(2026, 1, 1)]).start()
    assert client.cancelled == []
