"""The demonstration: days of a log become feeds, run by Airflow, before the eyes of a new user.

`phoenix demo` makes a deployment below `var/`, starts its Airflow, backfills the head DAG over the
days, follows the cascade until the last day's feeds are published, shows what came out, and stops
what it started. `phoenix up` keeps the same deployment's Airflow running; `phoenix down` stops it.
"""

import contextlib
import datetime
import fcntl
import json
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from components.cli import demo_view
from components.errors import BadConfigurationError, BadDataError, TryAgainError
from components.local.airflow import LocalAirflow
from components.local.cascade import Cascade, CascadeFailedError, end_leftovers, error_in_log
from components.local.deployment import USER, Deployment
from components.local.process_groups import homes_in_use
from components.settings.config import Config
from components.settings.loading import load
from components.settings.source import SyntheticSource
from components.source import source as sources
from components.store.artifacts import Store

ROOT = Path("var")
NUM_DAYS = 4  # of the synthetic world
_EXAMPLES = Path(__file__).parents[2] / "examples"
_RETRY_SECONDS = 5.0
_POLL_SECONDS = 2.0
_SYNTHETIC_DAYS = 28  # that the scheduler may ever start by itself


@dataclass(frozen=True)
class Plan:
    """What a deployment will process."""

    deployment: Deployment
    config: Config
    last_day: datetime.date  # newest day that is complete
    has_ended: bool  # whether nothing is added to the source any more

    def days(self, count: int | None) -> list[datetime.date]:
        """Returns the days from the configured first one on; all of them without a count."""
        first = self.config.first_day
        available = (self.last_day - first).days + 1
        wanted = available if count is None else min(count, available)
        return [first + datetime.timedelta(days=number) for number in range(wanted)]


def run_demo(
    source: Path | None = None,
    *,
    num_days: int | None = None,
    keep_running: bool = False,
    root: Path = ROOT,
) -> None:
    """Runs the demonstration and prints what came out.

    Args:
      source: A folder in KuaiRand's layout; None for the synthetic world.
      num_days: How many days from the first one on; by default 4 of the synthetic world, or all
        complete days of the source.
      keep_running: Leave Airflow and its UI running.
      root: Folder of the deployments.

    Raises:
      CascadeFailedError: If a step failed; the message is the step's own.
      TryAgainError: If another command is at work in the same deployment.
      StepError: If it could not start.
    """
    started = time.monotonic()
    plan = prepare(source, root)
    days = plan.days(num_days if num_days or source else NUM_DAYS)
    if not days:
        raise BadDataError(f"The source ends on {plan.last_day}, before {plan.config.first_day}.")
    airflow = LocalAirflow(plan.deployment)
    with (
        _terminable(),
        _alone(plan.deployment),
        _running(airflow, plan, keep_running=keep_running) as was_running,
    ):
        if not was_running:
            end_leftovers(airflow.client())
        demo_view.started(airflow.url, USER, plan.deployment.passwords, days)
        _follow(Cascade(airflow.client(), days), airflow)
        store = Store(plan.config.store)
        demo_view.finished(store, plan.config, days, time.monotonic() - started)
        if keep_running or was_running:
            demo_view.how_to_log_in(airflow.url, USER, plan.deployment.passwords)


def up(source: Path | None = None, *, root: Path = ROOT) -> None:
    """Starts the Airflow of a deployment and leaves it running.

    Args:
      source: A folder in KuaiRand's layout; None for the deployment used last, or else the
        synthetic world.
      root: Folder of the deployments.
    """
    found = sorted(root.glob("*/phoenix.yaml"), key=lambda path: path.stat().st_mtime)
    plan = _plan(Deployment(found[-1].parent)) if found and not source else prepare(source, root)
    airflow = LocalAirflow(plan.deployment)
    with _terminable():
        if not airflow.is_running:
            with _alone(plan.deployment), demo_view.waiting("Starting Airflow"):
                _start(airflow, plan)
    demo_view.how_to_log_in(airflow.url, USER, plan.deployment.passwords)


def down(*, root: Path = ROOT) -> list[Path]:
    """Stops the Airflow of every deployment below `root`; returns the folders where one ran."""
    listed = {path.parents[1] for path in root.glob("*/airflow/processes.json")}
    # A folder that was deleted under a running Airflow lists nothing, and the processes live on.
    folders = sorted(listed | {home.parent for home in homes_in_use(root)})
    for folder in folders:
        LocalAirflow(Deployment(folder)).stop()
    return folders


def prepare(source: Path | None, root: Path) -> Plan:
    """Makes the deployment's folder and configuration, unless they are there.

    A configuration that is there is kept as the user left it, but for the path of the source.

    Raises:
      BadConfigurationError: If the source is no folder, or the configuration breaks a rule.
    """
    if source is not None and not source.is_dir():
        raise BadConfigurationError(f"--source: expected a folder, got {source}.")
    name = "synthetic" if source is None else "kuairand"
    deployment = Deployment(root / name)
    kept = deployment.config.exists()
    text = (deployment.config if kept else _EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    if not kept:
        text = re.sub(r"(?m)^store:.*$", "store: store", text)
    if source is not None:
        path = json.dumps(str(source.resolve()))  # a JSON text is a YAML text
        text = re.sub(r"(?m)^( +path:).*$", lambda match: f"{match[1]} {path}", text, count=1)
    deployment.folder.mkdir(parents=True, exist_ok=True)
    deployment.config.write_text(text, encoding="utf-8")
    return _plan(deployment)


def _plan(deployment: Deployment) -> Plan:
    config = load(deployment.config)
    source = config.ingest_events.source
    if isinstance(source, SyntheticSource):
        last_day = config.first_day + datetime.timedelta(days=_SYNTHETIC_DAYS - 1)
        return Plan(deployment, config, last_day, has_ended=True)
    found = sources.open_source(config, Store(config.store)).days
    if not found:
        raise BadDataError("The source has no event.")
    yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
    # The newest event's own day may still be growing.
    last_day = found[-1] - datetime.timedelta(days=1)
    return Plan(deployment, config, last_day, has_ended=found[-1] < yesterday)


def _follow(cascade: Cascade, airflow: LocalAirflow) -> None:
    cascade.start()
    logs = airflow.deployment.home / "logs"
    with demo_view.progress(cascade) as show:
        try:
            while not cascade.poll():
                show()
                time.sleep(_POLL_SECONDS)
        except CascadeFailedError as error:
            tasks = cascade.tasks("failed")
            if not tasks:
                raise
            first = tasks[0]
            log = first.log(logs)
            raise CascadeFailedError(
                f"{first.task_id} of {first.day} failed: {error_in_log(log)}\nIts log: {log}"
            ) from error
        finally:
            show()
            cascade.cancel()  # also when all is done: Airflow takes its time to see that


def _start(airflow: LocalAirflow, plan: Plan) -> None:
    # A log that goes on is processed every midnight; one that has ended, only when asked for.
    last_day = plan.last_day.isoformat() if plan.has_ended else None
    airflow.start(plan.config, last_day=last_day, retry_delay_seconds=_RETRY_SECONDS)


@contextlib.contextmanager
def _alone(deployment: Deployment) -> Iterator[None]:
    """Keeps other commands from starting or stopping this Airflow, until the block or we end."""
    deployment.home.mkdir(parents=True, exist_ok=True)
    with (deployment.home / "command.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TryAgainError(
                f"Another `phoenix demo` or `phoenix up` is at work in {deployment.folder}: "
                "wait for its end, or stop it there."
            ) from error
        yield


@contextlib.contextmanager
def _running(airflow: LocalAirflow, plan: Plan, *, keep_running: bool) -> Iterator[bool]:
    """Runs Airflow for the duration of the block; yields whether it ran before, and then goes on.

    What was started here is stopped however the block ends, unless it is to be kept and went well;
    by the next one, if this process is killed.
    """
    ours = airflow.deployment.home / "started-for-one-run"
    was_running, completed = airflow.is_running and not ours.exists(), False
    try:
        if not was_running:
            ours.parent.mkdir(parents=True, exist_ok=True)
            ours.touch()
            with demo_view.waiting("Starting Airflow"):
                _start(airflow, plan)
        yield was_running
        completed = True
    finally:
        if not was_running and not (keep_running and completed):
            with _undisturbed(), demo_view.waiting("Stopping Airflow"):
                airflow.stop()
        if not was_running:
            ours.unlink(missing_ok=True)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Makes a request to terminate the same as Ctrl-C, so that both clean up."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Finishes the block although the user presses Ctrl-C again."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
