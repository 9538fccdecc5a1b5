"""Settings of a local Airflow: loopback, SQLite, secrets that are made once."""

import configparser
import os
import secrets
import sys
from pathlib import Path

from components.local.deployment import USER, Deployment
from components.settings.config import Config

PARALLEL_TASKS = 4  # data, release and feeds of neighbouring days, and one that is ending
DAGS_FOLDER = Path(__file__).parents[2] / "dags"


def settings_text(
    deployment: Deployment, config: Config, port: int, last_day: str | None, retry_seconds: float
) -> str:
    """Returns airflow.cfg. Secrets made before are kept, so that logins survive a restart.

    Args:
      deployment: Its folder; the airflow.cfg that is there has the secrets made before.
      config: The deployment's configuration, of which the DAGs must know a little.
      port: Of the API server, on the loopback.
      last_day: No run is scheduled after this day; None to go on every midnight.
      retry_seconds: How long a task waits before it tries again.
    """
    home = deployment.home.resolve()
    old = configparser.ConfigParser(interpolation=None)
    old.read(home / "airflow.cfg")

    def secret(section: str, option: str) -> str:
        return old.get(section, option, fallback=secrets.token_hex(32))

    sections = {
        "core": {
            "dags_folder": str(DAGS_FOLDER),
            "plugins_folder": str(DAGS_FOLDER / "plugins"),
            "executor": "LocalExecutor",
            "parallelism": PARALLEL_TASKS,
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager"
            ".SimpleAuthManager",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": str(deployment.passwords.resolve()),
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
        },
        "database": {
            "sql_alchemy_conn": f"sqlite:///{home / 'airflow.db'}",
            "load_default_connections": False,
        },
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "base_url": f"http://127.0.0.1:{port}",
            "workers": 1,
            "expose_config": False,  # the file holds the secrets
            "secret_key": secret("api", "secret_key"),
        },
        "api_auth": {"jwt_secret": secret("api_auth", "jwt_secret")},
        "logging": {"base_log_folder": str(home / "logs")},
        # A deployment like this is a long line of short tasks: what counts is how soon the next one
        # starts. After a task has ended, its worker looks up only once per heartbeat, and takes no
        # other task before that: 5 s by default.
        "scheduler": {"scheduler_idle_sleep_time": 0.25},  # 1 s by default
        "workers": {"min_heartbeat_interval": 1},
        # The files of the DAGs hardly change while it runs.
        "dag_processor": {"parsing_processes": 1, "min_file_process_interval": 60},
        "usage_data_collection": {"enabled": False},
        "phoenix": {
            "config": str(deployment.config.resolve()),
            "store": config.store,
            "python": sys.executable,
            "first_day": config.first_day.isoformat(),
            "last_day": last_day or "",
            "num_shards": config.materialize_feeds.num_shards,
            "approval": config.evaluate_models.approval,
            "retry_delay_seconds": retry_seconds,
        },
    }
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        # Airflow reads the file with interpolation, in which a percent sign is written twice.
        lines += [f"{name} = {str(value).replace('%', '%%')}" for name, value in options.items()]
    return "\n".join(lines) + "\n"


def write_private(path: Path, text: str) -> None:
    """Writes a file that its owner alone can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # of a killed process that had our number
    # The mode is set as the file is made: between making and chmod others could open it.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
