"""Airflow on this machine, for one deployment: three processes, SQLite, loopback only.

```
<deployment>/airflow/airflow.cfg       settings and secrets, readable by its owner alone
<deployment>/airflow/passwords.json    user and generated password, likewise
<deployment>/airflow/processes.json    what runs, so that another command can stop it
<deployment>/airflow/logs/             one file per process, and one per try of a task
```
Every process has its own process group. Stopping ends the groups, and then whatever else was
started in this Airflow's name, so that nothing stays behind.
"""

import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from components.contract import LATE_DAG, Dag
from components.errors import BadConfigurationError, TryAgainError
from components.local.airflow_settings import DAGS_FOLDER, settings_text, write_private
from components.local.client import AirflowClient, RefusedError
from components.local.deployment import USER, Deployment
from components.local.ports import reserved_port
from components.local.process_groups import end_groups, is_alive, send_signal, strangers
from components.settings.config import Config
from components.store import processes

logger = logging.getLogger(__name__)

DEFAULT_PORT = 8080
DAG_IDS = (*(dag.value for dag in Dag), LATE_DAG)
_COMMANDS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],  # the API server reads the files itself
    "dag-processor": ["dag-processor"],
}
_PARTS = ("metadatabase", "scheduler", "dag_processor")  # that must be healthy
_START_SECONDS = 180.0
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class LocalAirflow:
    """The Airflow of one deployment: start it, find it running, stop it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    @property
    def is_running(self) -> bool:
        """Whether all of its processes live."""
        members = self._members()
        return bool(members) and all(is_alive(*member) for member in members.values())

    @property
    def url(self) -> str:
        """The address of its UI.

        Raises:
          TryAgainError: If it is not running.
        """
        return self._read_state()["url"]

    def client(self) -> AirflowClient:
        """Returns a client that is logged in as the user of the deployment.

        Raises:
          TryAgainError: If Airflow is not running.
        """
        password = json.loads(self.deployment.passwords.read_text())[USER]
        return AirflowClient(self.url, USER, password)

    def start(self, config: Config, *, last_day: str | None, retry_delay_seconds: float) -> None:
        """Starts the three processes and returns when Airflow is healthy and knows the DAGs.

        Args:
          config: The deployment's configuration, read from its file.
          last_day: No run is scheduled after this day; None to go on every midnight.
          retry_delay_seconds: How long a task waits before it tries again.

        Raises:
          BadConfigurationError: If Airflow is not installed.
          TryAgainError: If it does not become healthy; the message says where its log is.
        """
        self.stop()  # what a killed command may have left
        if shutil.which("airflow", path=str(Path(sys.executable).parent)) is None:
            raise BadConfigurationError("Airflow is not installed here: run `make setup`.")
        with reserved_port(DEFAULT_PORT) as port:
            write_private(
                self.deployment.home / "airflow.cfg",
                settings_text(self.deployment, config, port, last_day, retry_delay_seconds),
            )
            if not self.deployment.passwords.exists():
                password = secrets.token_urlsafe(16)
                write_private(self.deployment.passwords, json.dumps({USER: password}))
            self._migrate()
            try:
                self._spawn(f"http://127.0.0.1:{port}")
                self._await_health()
                self._await_dags()
            except BaseException:  # Ctrl-C, too, must leave no half of an Airflow behind
                self.stop()
                raise

    def stop(self) -> None:
        """Ends everything that runs in this Airflow's name; fine if nothing does."""
        members = self._members()
        # The API server goes last: tasks that are told to stop still report to it.
        for names in (("scheduler", "dag-processor"), ("api-server",)):
            end_groups([members[name] for name in names if name in members])
        # Tasks and their steps lead groups of their own, which no list has.
        for pid in strangers(self.deployment.home):
            send_signal(pid, signal.SIGKILL)
        self.deployment.state_file.unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        """Returns the log file of one of the processes."""
        return self.deployment.home / "logs" / f"{name}.log"

    def _migrate(self) -> None:
        """Makes or upgrades the database, once per version of Airflow."""
        from importlib.metadata import version  # slow to import, and needed here alone

        marker = self.deployment.home / "database-version"
        current = version("apache-airflow")
        if marker.exists() and marker.read_text() == current:
            return
        migration = subprocess.run(
            [*_airflow(), "db", "migrate"],
            env=_environment(self.deployment.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if migration.returncode:
            raise TryAgainError(
                f"Airflow's database could not be made:\n{migration.stdout[-2_000:]}"
            )
        marker.write_text(current)

    def _spawn(self, url: str) -> None:
        """Starts the three processes, each in a session of its own, and lists them."""
        members: dict[str, tuple[int, str | None]] = {}
        for name, arguments in _COMMANDS.items():
            self.log(name).parent.mkdir(parents=True, exist_ok=True)
            # Not a Popen: these processes may outlive this one, and are found again by number.
            pid = os.posix_spawn(
                sys.executable,
                [*_airflow(), *arguments],
                _environment(self.deployment.home),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, self.log(name), _APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
            )
            members[name] = (pid, processes.start_time(pid))
            # After each one: a command that dies here leaves a list of what it started.
            write_private(
                self.deployment.state_file, json.dumps({"url": url, "processes": members})
            )

    def _await_health(self) -> None:
        """Waits until Airflow says that its parts are healthy; a process that ends is an error."""
        client = self.client()
        deadline = time.monotonic() + _START_SECONDS
        while True:
            health = client.health()
            if all(health.get(part) == "healthy" for part in _PARTS):
                return
            for name, member in self._members().items():
                if not is_alive(*member):
                    raise TryAgainError(
                        f"Airflow's {name} ended while it started. Its log is {self.log(name)}:\n"
                        + self.log(name).read_text(errors="replace")[-2_000:]
                    )
            if time.monotonic() > deadline:
                raise TryAgainError(
                    f"Airflow is not healthy after {_START_SECONDS:.0f} s ({health}). Its logs are "
                    f"in {self.deployment.home / 'logs'}."
                )
            time.sleep(0.2)

    def _await_dags(self) -> None:
        """Waits until Airflow has read the DAGs, and sees to it that none is paused."""
        client = self.client()
        _make_pool(client)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            errors = client.get("importErrors")["import_errors"]
            if errors:
                raise BadConfigurationError(
                    f"A DAG cannot be read: {errors[0]['filename']}:\n{errors[0]['stack_trace']}"
                )
            dags = {dag["dag_id"]: dag for dag in client.get("dags", limit=100)["dags"]}
            if all(dag_id in dags for dag_id in DAG_IDS):
                for dag_id in DAG_IDS:
                    # One that a person paused before the last stop: `up` means that it runs.
                    if dags[dag_id]["is_paused"]:
                        client.patch(f"dags/{dag_id}", {"is_paused": False})
                return
            time.sleep(0.2)
        raise TryAgainError(f"Airflow does not see the DAGs in {DAGS_FOLDER}.")

    def _read_state(self) -> dict[str, Any]:
        try:
            return json.loads(self.deployment.state_file.read_text())
        except FileNotFoundError as error:
            raise TryAgainError(
                f"Airflow of {self.deployment.folder} is not running: `phoenix up` starts it."
            ) from error

    def _members(self) -> dict[str, tuple[int, str | None]]:
        if not self.deployment.state_file.exists():
            return {}
        state = self._read_state()["processes"]
        return {name: (pid, started) for name, (pid, started) in state.items()}


def _make_pool(client: AirflowClient) -> None:
    body = {"name": "training", "slots": 1, "description": "One model is trained at a time."}
    try:
        client.post("pools", body | {"include_deferred": False})
    except RefusedError as error:
        if error.status != 409:  # it is there
            raise


def _airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def _environment(home: Path) -> dict[str, str]:
    """Returns this process's environment without the settings of another Airflow."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return ours | {"AIRFLOW_HOME": str(home.resolve())}
