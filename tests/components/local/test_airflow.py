"""The files and the processes of a local Airflow; the real one runs in the end-to-end tests."""

import configparser
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from components.errors import TryAgainError
from components.local import airflow_settings, ports, process_groups
from components.local.airflow import LocalAirflow
from components.local.deployment import Deployment
from components.settings.loading import load
from components.store import processes

CONFIG = """
store: store
first_day: 2026-01-01
ingest_events: {source: {layout: synthetic}}
actions: [{name: favorite, is_positive: true}]
materialize_feeds: {num_shards: 3}
evaluate_models: {approval: when_promoted}
"""


@pytest.fixture
def deployment(tmp_path):
    made = Deployment(tmp_path / "100% ours")
    made.folder.mkdir()
    made.config.write_text(CONFIG)
    return made


def settings(deployment, last_day="2026-01-04"):
    text = airflow_settings.settings_text(deployment, load(deployment.config), 8080, last_day, 5.0)
    parsed = configparser.ConfigParser()  # with interpolation, as Airflow reads it
    parsed.read_string(text)
    return text, parsed


def test_airflow_is_told_what_the_configuration_says(deployment):
    _, found = settings(deployment)
    ours = found["phoenix"]
    assert ours["config"] == str(deployment.config)
    assert ours["store"] == str(deployment.folder / "store")
    assert (ours["num_shards"], ours["approval"]) == ("3", "when_promoted")
    assert (ours["first_day"], ours["last_day"]) == ("2026-01-01", "2026-01-04")
    assert settings(deployment, last_day=None)[1]["phoenix"]["last_day"] == ""


def test_airflow_listens_on_loopback_alone_and_lets_nobody_in_without_a_password(deployment):
    _, found = settings(deployment)
    assert found["api"]["host"] == "127.0.0.1"
    assert found["core"]["simple_auth_manager_passwords_file"] == str(deployment.passwords)
    assert "simple_auth_manager_all_admins" not in found["core"]
    assert found["api"]["expose_config"] == "False"


def test_secrets_are_made_once_and_kept(deployment):
    text, first = settings(deployment)
    airflow_settings.write_private(deployment.home / "airflow.cfg", text)
    _, second = settings(deployment)
    assert len(first["api_auth"]["jwt_secret"]) == 64
    assert first["api_auth"]["jwt_secret"] == second["api_auth"]["jwt_secret"]
    assert first["api_auth"]["jwt_secret"] != first["api"]["secret_key"]


def test_private_files_are_readable_by_their_owner_alone_also_when_replaced(tmp_path):
    path = tmp_path / "folder" / "passwords.json"
    for text in ("one", "two"):
        airflow_settings.write_private(path, text)
        assert (path.read_text(), path.stat().st_mode & 0o777) == (text, 0o600)
    assert list(path.parent.iterdir()) == [path]


def test_a_port_in_use_is_not_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with ports.reserved_port(port) as other:
            assert other not in (0, port)


def test_two_that_start_in_the_same_second_get_a_port_each():
    with ports.reserved_port(0) as port:
        pass
    with ports.reserved_port(port) as first, ports.reserved_port(port) as second:
        assert first == port
        assert second not in (0, port)
        with socket.socket() as server:  # a claim keeps nobody from listening
            server.bind(("127.0.0.1", first))
            server.listen()
    with ports.reserved_port(port) as again:
        assert again == port


def start(deployment, code, **options):
    environment = os.environ | {"AIRFLOW_HOME": str(deployment.home.resolve())}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, **options
    )
    process.stdout.readline()
    return process


def test_stopping_ends_stubborn_processes_and_what_they_left_elsewhere(deployment, monkeypatch):
    monkeypatch.setattr(process_groups, "_STOP_SECONDS", 0.3)
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(flush=True); time.sleep(60)"
    )
    leader = start(deployment, stubborn, start_new_session=True)
    stray = start(deployment, stubborn, start_new_session=True)  # in no group that is known
    members = {"scheduler": (leader.pid, processes.start_time(leader.pid))}
    state = json.dumps({"url": "http://127.0.0.1:8080", "processes": members})
    airflow_settings.write_private(deployment.home / "processes.json", state)
    airflow = LocalAirflow(deployment)
    assert airflow.is_running
    airflow.stop()
    assert not airflow.is_running
    with stray, leader:
        stray.wait(5)
    assert process_groups.strangers(deployment.home) == []
    airflow.stop()  # nothing is there any more, and that is fine


def test_a_number_that_now_belongs_to_somebody_else_is_not_ended(deployment):
    with start(deployment, "print(flush=True); import time; time.sleep(60)") as other:
        members = {"scheduler": (other.pid, "1")}  # the same number, started at another time
        state = json.dumps({"url": "", "processes": members})
        airflow_settings.write_private(deployment.home / "processes.json", state)
        assert not LocalAirflow(deployment).is_running
        process_groups.end_groups([(other.pid, "1")])
        time.sleep(0.1)
        assert other.poll() is None
        other.kill()


def test_without_a_running_airflow_there_is_no_address(deployment):
    with pytest.raises(TryAgainError, match="phoenix up"):
        _ = LocalAirflow(deployment).url
