"""The demonstration: days of a log become feeds, run by Airflow, before the eyes of a new user.

`phoenix demo` makes a deployment below `var/`, starts its Airflow, backfills the head DAG over the
days, follows the cascade until the last day's feeds are published, shows what came out, and stops
what it started. `phoenix up` keeps the same deployment's Airflow running; `phoenix down` stops it.
"""

import contextlib
import fcntl
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from components.cli import demo_view
from components.cli.loop import book
from components.cli.plan import Plan, plan_of, prepare, prepare_loop
from components.errors import BadDataError, TryAgainError
from components.local.airflow import LocalAirflow
from components.local.cascade import Cascade, CascadeFailedError, end_leftovers, error_in_log
from components.local.deployment import USER, Deployment, deployments
from components.local.process_groups import homes_in_use
from components.store.artifacts import Store

ROOT = Path("var")
NUM_DAYS = 4  # of the synthetic world
NUM_LOOP_DAYS = 7  # of the world that answers: three to learn from, and some to see what came of it
_RETRY_SECONDS = 5.0  # somebody watches: what fails for the moment is tried again at once
_POLL_SECONDS = 2.0
_TERMINATION = (signal.SIGTERM, signal.SIGHUP)


def run_demo(
    source: Path | None = None,
    *,
    num_days: int | None = None,
    is_loop: bool = False,
    keep_running: bool = False,
    root: Path = ROOT,
) -> None:
    """Runs the demonstration and prints what came out.

    Args:
      source: A folder in KuaiRand's layout; None for the synthetic world.
      num_days: How many days from the first one on; by default 4 of the synthetic world, 7 of that
        which answers, or all complete days of the source.
      is_loop: Whether the synthetic world is shown the published feeds, and answers them.
      keep_running: Leave Airflow and its UI running.
      root: Folder of the deployments.

    Raises:
      CascadeFailedError: If a step failed; the message is the step's own.
      TryAgainError: If another command is at work in the same deployment.
      StepError: If it could not start.
    """
    clock = time.monotonic()
    plan, log = prepare_loop(root) if is_loop else (prepare(source, root), None)
    days = plan.days(num_days if num_days or source else NUM_LOOP_DAYS if is_loop else NUM_DAYS)
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
        if log is None:
            _follow(Cascade(airflow.client(), days), airflow)
        else:
            for day in days:
                log.write(day)
                _follow(Cascade(airflow.client(), [day]), airflow)
        store = Store(plan.config.store)
        demo_view.finished(store, plan.config, days, time.monotonic() - clock)
        if log is not None:
            demo_view.answers([book.entry(log, plan.config, day) for day in days])
        if keep_running or was_running:
            demo_view.how_to_log_in(airflow.url, USER, plan.deployment.passwords)


def up(source: Path | None = None, *, root: Path = ROOT) -> None:
    """Starts the Airflow of a deployment and leaves it running.

    Args:
      source: A folder in KuaiRand's layout; None for the deployment used last, or else the
        synthetic world.
      root: Folder of the deployments.
    """
    existing = deployments(root)
    if existing and not source:
        # The demonstration writes the configuration every time: the newest one was used last.
        plan = plan_of(max(existing, key=lambda deployment: deployment.config.stat().st_mtime))
    else:
        plan = prepare(source, root)
    airflow = LocalAirflow(plan.deployment)
    with _terminable():
        if not airflow.is_running:
            with _alone(plan.deployment), demo_view.waiting("Starting Airflow"):
                _start(airflow, plan)
    demo_view.how_to_log_in(airflow.url, USER, plan.deployment.passwords)


def down(*, root: Path = ROOT) -> list[Path]:
    """Stops the Airflow of every deployment below `root`; returns the folders where one ran."""
    with_state = {folder for folder in root.glob("*") if Deployment(folder).state_file.exists()}
    # A folder that was deleted under a running Airflow has no file, and the processes live on.
    folders = sorted(with_state | {home.parent for home in homes_in_use(root)})
    for folder in folders:
        LocalAirflow(Deployment(folder)).stop()
    return folders


def _follow(cascade: Cascade, airflow: LocalAirflow) -> None:
    """Shows the cascade until all days are done.

    Raises:
      CascadeFailedError: If a step failed, with its error and the place of its log.
    """
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
        # The system gives a lock of `flock` back however its process ends: none is ever left over.
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
    # Written before Airflow starts, so that a killed command leaves it and the next one knows.
    marker = airflow.deployment.home / "started-for-one-run"
    was_running, went_well = airflow.is_running and not marker.exists(), False
    try:
        if not was_running:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
            with demo_view.waiting("Starting Airflow"):
                _start(airflow, plan)
        yield was_running
        went_well = True
    finally:
        if not was_running and not (keep_running and went_well):
            with _undisturbed(), demo_view.waiting("Stopping Airflow"):
                airflow.stop()
        if not was_running:
            marker.unlink(missing_ok=True)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Makes a request to terminate the same as Ctrl-C, so that both clean up."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise KeyboardInterrupt

    handlers = {number: signal.signal(number, interrupt) for number in _TERMINATION}
    try:
        yield
    finally:
        _restore(handlers)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Finishes the block although the user presses Ctrl-C again."""
    numbers = (signal.SIGINT, *_TERMINATION)
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        _restore(handlers)


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
