"""What the demonstration prepares; that it runs is shown in the end-to-end tests."""

import contextlib
import datetime
import subprocess
import sys

import pytest

from components.cli import demo
from components.errors import BadConfigurationError, TryAgainError
from components.local import process_groups
from components.local.airflow import LocalAirflow
from components.settings.loading import load


def days(first, last):
    start, end = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
    return [start + datetime.timedelta(days=number) for number in range((end - start).days + 1)]


def test_the_synthetic_world_is_made_on_the_spot(tmp_path):
    plan = demo.prepare(None, tmp_path)
    assert plan.deployment.folder == tmp_path / "synthetic"
    assert plan.config.store == str(tmp_path / "synthetic/store")
    assert plan.days(4) == days("2026-01-01", "2026-01-04")
    assert plan.has_ended


def test_a_log_is_processed_up_to_its_last_complete_day(tmp_path, shared_data):
    source = shared_data("kuairand-pure")
    plan = demo.prepare(source, tmp_path)
    assert plan.config.ingest_events.source.path == source.resolve()
    assert plan.days(None) == days("2022-04-26", "2022-05-04")
    assert plan.days(2) == days("2022-04-26", "2022-04-27")
    assert plan.has_ended


def test_what_a_user_changed_in_the_configuration_is_kept(tmp_path):
    config = demo.prepare(None, tmp_path).deployment.config
    config.write_text(config.read_text() + "\n# mine\nmaterialize_feeds: {feed_length: 7}\n")
    plan = demo.prepare(None, tmp_path)
    assert plan.config.materialize_feeds.feed_length == 7
    assert "# mine" in config.read_text()


def test_the_configuration_follows_the_source(tmp_path, shared_data):
    source = shared_data("kuairand-pure")
    moved = tmp_path / 'a "strange": folder'
    moved.symlink_to(source)
    demo.prepare(moved, tmp_path)
    config = demo.prepare(source, tmp_path).deployment.config
    assert load(config).ingest_events.source.path == source.resolve()
    assert config.read_text().count("path:") == 1


def test_a_source_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(BadConfigurationError, match=r"--source.*nowhere"):
        demo.prepare(tmp_path / "nowhere", tmp_path)


def test_nothing_runs_so_nothing_is_stopped(tmp_path):
    assert demo.down(root=tmp_path) == []


def test_two_commands_do_not_start_or_stop_one_airflow_together(tmp_path, monkeypatch):
    touched = []
    monkeypatch.setattr(LocalAirflow, "start", lambda *_, **__: touched.append("start"))
    monkeypatch.setattr(LocalAirflow, "stop", lambda *_: touched.append("stop"))
    plan = demo.prepare(None, tmp_path)
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
    plan = demo.prepare(None, tmp_path)
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
    plan = demo.prepare(None, tmp_path)
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
