"""The process runner, with real processes."""

import os
import stat
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from components.store import processes
from wiring.process import ProcessStep

CONTEXT = {"dag_run": SimpleNamespace(dag_id="phoenix_data", run_id="manual__1")}


@pytest.fixture
def step_of(tmp_path):
    """Makes a task whose interpreter is a shell script with the given body."""

    def make(body, **options):
        script = tmp_path / "interpreter"
        script.write_text(f"#!/bin/sh\ncd {tmp_path}\n{body}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        options = {"arguments": ["--day", "2026-01-01"], "python": str(script)} | options
        return ProcessStep(task_id="ingest_events", module="components.ingest_events", **options)

    return make


def is_alive(pid):
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # not ours: the grandchild
        return processes.start_time(pid) is not None


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_arguments_arrive_one_by_one_whatever_is_in_them(step_of, tmp_path):
    hostile = ["--day", "2026-01-01; touch owned", "--reason", "$(touch owned) `touch owned` 'a b'"]
    task = step_of(
        'for word; do echo "$word" >> words; done\necho \'{"status": "done"}\'', arguments=hostile
    )
    assert task.execute(CONTEXT) == {"status": "done", "artifact": None}
    words = (tmp_path / "words").read_text().splitlines()
    assert words == ["-P", "-m", "components.ingest_events", *hostile]
    assert not (tmp_path / "owned").exists()


def test_the_result_is_the_last_line_of_standard_output(step_of):
    task = step_of('echo noise\necho to stderr >&2\necho \'{"status": "unchanged"}\'')
    assert task.execute(CONTEXT)["status"] == "unchanged"


def test_the_error_of_the_step_is_the_error_of_the_task(step_of):
    task = step_of('echo \'{"status": "failed", "error": "user_id is text"}\'; exit 65')
    with pytest.raises(AirflowFailException, match="user_id is text"):
        task.execute(CONTEXT)


@pytest.mark.parametrize("end", ["exit 75", "kill -9 $$"])
def test_a_busy_or_killed_step_is_retried(step_of, end):
    with pytest.raises(AirflowException) as raised:
        step_of(end).execute(CONTEXT)
    assert not isinstance(raised.value, AirflowFailException)


def test_airflow_settings_and_secrets_do_not_reach_the_step(step_of, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "hush")
    monkeypatch.setenv("PHOENIX_POSTGRES_DSN", "for the sink")
    step_of('env > environment\necho \'{"status": "done"}\'').execute(CONTEXT)
    environment = (tmp_path / "environment").read_text()
    assert "hush" not in environment
    assert "PHOENIX_POSTGRES_DSN=for the sink" in environment
    assert "AIRFLOW_CTX_DAG_RUN_ID=manual__1" in environment


def run_and_kill(task, is_started):
    raised = []

    def run():
        try:
            task.execute(CONTEXT)
        except AirflowException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(is_started)
    task.on_kill()
    thread.join(10)
    assert not thread.is_alive()
    return raised[0]


def test_killing_the_task_lets_the_step_finish_what_it_must(step_of, tmp_path):
    task = step_of(
        "trap 'echo saved > saved; exit 75' TERM\ntouch started\nwhile :; do sleep 0.01; done"
    )
    error = run_and_kill(task, (tmp_path / "started").exists)
    assert (tmp_path / "saved").exists()
    assert not isinstance(error, AirflowFailException)


def test_killing_the_task_leaves_no_process_of_a_stubborn_step(step_of, tmp_path):
    body = "trap '' TERM\nsleep 1000 &\necho $! > child.part; mv child.part child\nwait"
    task = step_of(body, stop_seconds=0.2)
    run_and_kill(task, (tmp_path / "child").exists)
    child = int((tmp_path / "child").read_text())
    wait_for(lambda: not is_alive(child))


def test_a_kill_while_the_step_starts_ends_it(step_of, tmp_path, monkeypatch):
    task = step_of('echo $$ > step.part; mv step.part step\nsleep 20\necho \'{"status": "done"}\'')

    def start_and_kill(*arguments, start=subprocess.Popen, **options):
        process = start(*arguments, **options)
        wait_for((tmp_path / "step").exists)
        task.on_kill()  # before the task knows its process
        return process

    monkeypatch.setattr("wiring.process.subprocess.Popen", start_and_kill)
    with pytest.raises(AirflowException):
        task.execute(CONTEXT)
    assert not is_alive(int((tmp_path / "step").read_text()))
