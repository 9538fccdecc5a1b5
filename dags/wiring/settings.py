"""The deployment's settings: the section `[phoenix]` of Airflow's own configuration.

Each setting is an option there, or the environment variable `AIRFLOW__PHOENIX__<SETTING>`. They are
read while a DAG file is parsed, so they must be the same in every Airflow process.
"""

import datetime
from dataclasses import dataclass
from typing import Self

from airflow.sdk.configuration import conf

SECTION = "phoenix"
RUNNERS = ("process", "docker", "kubernetes")
APPROVALS = ("never", "when_promoted")


@dataclass(frozen=True)
class Mount:
    """One folder that a container sees: `SOURCE=TARGET`, with `=ro` behind it for read-only."""

    source: str  # a folder of the host (Docker) or the name of a volume claim (Kubernetes)
    target: str
    read_only: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads one mount.

        Raises:
          ValueError: If it is not `SOURCE=TARGET` or `SOURCE=TARGET=ro`.
        """
        source, _, rest = text.strip().partition("=")
        target, _, mode = rest.partition("=")
        if not source or not target.startswith("/") or mode not in ("", "ro"):
            raise ValueError(
                f"[{SECTION}] mounts: expected SOURCE=/TARGET or SOURCE=/TARGET=ro, got {text!r}."
            )
        return cls(source, target, mode == "ro")


@dataclass(frozen=True)
class Settings:
    """The place and the way in which the steps run, and on which days."""

    runner: str  # one of RUNNERS
    config: str  # path of the configuration, as the step sees it
    first_day: datetime.datetime  # no run is scheduled before it
    last_day: datetime.datetime | None  # none after it; for a log that has ended
    num_shards: int
    approval: str  # one of APPROVALS; for runners that do not return what the gate said
    retries: int
    retry_delay: datetime.timedelta
    python: str  # process runner: the interpreter; empty means Airflow's own
    stop_seconds: float  # process runner: from SIGTERM to SIGKILL
    image: str  # Docker and Kubernetes, best by digest
    user: int  # numeric, never 0
    memory: str  # limit in Kubernetes notation, e.g. 4Gi
    cpus: float
    mounts: tuple[Mount, ...]
    namespace: str  # Kubernetes
    timeout: datetime.timedelta  # of one step


def load() -> Settings:
    """Reads the settings.

    Raises:
      ValueError: If a setting has a value that it cannot have, by name.
    """
    last_day = _text("last_day", "")
    return Settings(
        runner=_choice("runner", RUNNERS),
        config=_text("config", "phoenix.yaml"),
        first_day=_midnight("first_day", _text("first_day", "2020-01-01")),
        last_day=_midnight("last_day", last_day) if last_day else None,
        num_shards=int(_number("num_shards", 1, at_least=1)),
        approval=_choice("approval", APPROVALS),
        retries=int(_number("retries", 2, at_least=0)),
        retry_delay=datetime.timedelta(seconds=_number("retry_delay_seconds", 60, at_least=0)),
        python=_text("python", ""),
        stop_seconds=_number("stop_seconds", 20, at_least=0),
        image=_text("image", "phoenix:latest"),
        user=int(_number("user", 10001, at_least=1)),
        memory=_text("memory", "4Gi"),
        cpus=_number("cpus", 2, at_least=0.1),
        mounts=tuple(Mount.parse(part) for part in _text("mounts", "").split(",") if part.strip()),
        namespace=_text("namespace", "default"),
        timeout=datetime.timedelta(minutes=_number("timeout_minutes", 360, at_least=1)),
    )


def _text(name: str, default: str) -> str:
    return conf.get(SECTION, name, fallback=default).strip()


def _choice(name: str, choices: tuple[str, ...]) -> str:
    value = _text(name, choices[0])
    if value not in choices:
        raise ValueError(f"[{SECTION}] {name}: expected one of {choices}, got {value!r}.")
    return value


def _number(name: str, default: float, *, at_least: float) -> float:
    text = _text(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value >= at_least:
        raise ValueError(
            f"[{SECTION}] {name}: expected a number, at least {at_least}, got {text!r}."
        )
    return value


def _midnight(name: str, text: str) -> datetime.datetime:
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"[{SECTION}] {name}: expected YYYY-MM-DD, got {text!r}.") from error
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)
