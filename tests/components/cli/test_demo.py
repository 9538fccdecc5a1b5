"""Starting and stopping for a demonstration; that it runs is shown in the end-to-end tests."""

import contextlib
import subprocess
import sys

import pytest

from components.cli import demo
from components.cli.plan import prepare
from components.errors import TryAgainError
from components.local import process_groups
from components.local.airflow import LocalAirflow


def test_nothing_runs_so_nothing_is_stopped(tmp_path):
    assert demo.down(root=tmp_path) == []


def test_two_commands_do_not_start_or_stop_one_airflow_together(tmp_path, monkeypatch):
    touched = []
    monkeypatch.setattr(LocalAirflow, "start", lambda *_, **__: touched.append("start"))
    monkeypatch.setattr(LocalAirflow, "stop", lambda *_: touched.append("stop"))
    plan = prepare(None, tmp_path)
    with demo._alone(plan.deployment):
        for command in (demo.run_demo, demo.up):
            with pytest.raises(TryAgainError, match="Another `phoenix demo` or `phoenix up`"):
                command(root=tmp_path)
    assert touched == []
    with demo._alone(plan.deployment):
        pass  # the first one has ended


@pytest.mark.parametrize(
    ("was_running", "keep_running", "goes_well", "stops"),
    [
        (True, False, True, False),
        (True, False, False, False),
        (False, False, True, True),
        (False, True, True, False),
        (False, True, False, True),
    ],
)
def test_only_what_was_started_here_is_stopped(
    tmp_path, monkeypatch, was_running, keep_running, goes_well, stops
):
    touched = []
    monkeypatch.setattr(LocalAirflow, "is_running", was_running)
    monkeypatch.setattr(LocalAirflow, "start", lambda *_, **__: touched.append("start"))
    monkeypatch.setattr(LocalAirflow, "stop", lambda *_: touched.append("stop"))
    plan = prepare(None, tmp_path)
    with (
        contextlib.suppress(KeyboardInterrupt),
        demo._running(LocalAirflow(plan.deployment), plan, keep_running=keep_running),
    ):
        if not goes_well:
            raise KeyboardInterrupt
    assert touched == ["start"] * (not was_running) + ["stop"] * stops


def test_what_a_killed_demonstration_left_running_is_stopped_by_the_next(tmp_path, monkeypatch):
    touched = []
    monkeypatch.setattr(LocalAirflow, "is_running", True)
    monkeypatch.setattr(LocalAirflow, "start", lambda *_, **__: touched.append("start"))
    monkeypatch.setattr(LocalAirflow, "stop", lambda *_: touched.append("stop"))
    plan = prepare(None, tmp_path)
    airflow = LocalAirflow(plan.deployment)
    left = plan.deployment.home / "started-for-one-run"
    left.parent.mkdir()
    left.touch()
    with demo._running(airflow, plan, keep_running=False) as was_running:
        assert not was_running
    assert touched == ["start", "stop"]
    assert not left.exists()


def test_down_finds_an_airflow_whose_folder_was_deleted(tmp_path):
    home = tmp_path / "synthetic/airflow"
    code = "print(flush=True); import time; time.sleep(60)"
    environment = {"AIRFLOW_HOME": str(home.resolve())}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert demo.down(root=tmp_path) == [tmp_path / "synthetic"]
        process.wait(5)
    assert process_groups.strangers(home) == []
