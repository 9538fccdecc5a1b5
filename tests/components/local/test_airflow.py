"""The processes of a local Airflow; the real one runs in the end-to-end tests."""

import json

import pytest

from components.errors import TryAgainError
from components.local import airflow_settings, process_groups
from components.local.airflow import LocalAirflow
from components.store import processes


def test_stopping_ends_stubborn_processes_and_what_they_left_elsewhere(
    deployment, start, monkeypatch
):
    monkeypatch.setattr(process_groups, "_STOP_SECONDS", 0.3)
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(flush=True); time.sleep(60)"
    )
    leader = start(stubborn, start_new_session=True)
    stray = start(stubborn, start_new_session=True)  # in no group that is known
    members = {"scheduler": (leader.pid, processes.start_time(leader.pid))}
    state = json.dumps({"url": "http://127.0.0.1:8080", "processes": members})
    airflow_settings.write_private(deployment.state_file, state)
    airflow = LocalAirflow(deployment)
    assert airflow.is_running
    airflow.stop()
    assert not airflow.is_running
    with stray, leader:
        stray.wait(5)
    assert process_groups.strangers(deployment.home) == []
    airflow.stop()  # nothing is there any more, and that is fine


def test_a_number_that_now_belongs_to_somebody_else_is_not_running(deployment, start):
    with start("print(flush=True); import time; time.sleep(60)") as other:
        members = {"scheduler": (other.pid, "1")}  # the same number, started at another time
        state = json.dumps({"url": "", "processes": members})
        airflow_settings.write_private(deployment.state_file, state)
        assert not LocalAirflow(deployment).is_running
        other.kill()


def test_without_a_running_airflow_there_is_no_address(deployment):
    with pytest.raises(TryAgainError, match="phoenix up"):
        _ = LocalAirflow(deployment).url
