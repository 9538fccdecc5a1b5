"""The way into every step: command line, exit code, record, page, and one line of output.

A step module holds `run(context, ...)`, which does the work and returns an `Outcome`, and a thin
`main`, which is `step.main(contract.<STEP>, run, argv)`. Whoever runs a step inside its own process
calls `execute`.
"""

import argparse
import datetime
import errno
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from components import contract
from components.contract import ExitCode
from components.errors import BadConfigurationError, StepError, StoppedError
from components.pages import report
from components.run import provenance
from components.run.context import Context, Outcome
from components.run.signals import Signals, stoppable
from components.settings.config import Config
from components.settings.loading import load
from components.store import records
from components.store.artifacts import Store, Unchanged

logger = logging.getLogger(__name__)

Run = Callable[..., Outcome]
Draw = Callable[[Store, Config, datetime.date], object]

_OBJECTS_BEFORE_COLLECTION = 10_000
_SPACE = (
    "Free space on the disk of the store and on that of temporary files (TMPDIR, or /tmp), then "
    "run the step again; what was begun is gone."
)
_RIGHTS = "Let the user of the step read its inputs and write to the store, then run it again."
_ADVICE = {  # where the system's own words say enough, and a trace would hide them
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EROFS: _RIGHTS,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENAMETOOLONG: "Give the store a shorter path, then run the step again.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`), then run the step again.",
}


def main(step: contract.Step, run: Run, argv: Sequence[str] | None = None) -> int:
    """Runs a step from the command line and returns its exit code.

    The last line on standard output is one JSON object: status, artifact and facts, or the error.
    """
    log_to_stderr()
    # A library makes some hundred thousand objects when it is imported, and no garbage; to look for
    # it after each 700 took a fifth of the time that the import of Great Expectations takes.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    arguments = _parser(step).parse_args(argv)
    options = {option.name: getattr(arguments, option.name) for option in step.options}
    with stoppable() as signals:
        try:
            config = load(Path(arguments.config))
            day = _parse_day(arguments.day, config)
            context = Context(step, config, day, Store(config.store))
            _refuse_wrong_shard(step, options)
            code, result = _execute(
                context, run, options, signals, unchanged_ok=arguments.unchanged_ok
            )
        except (Exception, StoppedError) as error:
            # Without a configuration there is no store to keep a record in.
            code, result = _failure(step, signals.cause_of(error))
        signals.ignore()
        sys.stdout.write(json.dumps(result, sort_keys=True) + "\n")
        sys.stdout.flush()
    return int(code)


def execute(
    step: contract.Step,
    run: Run,
    config: Config,
    day: datetime.date,
    *,
    unchanged_ok: bool = False,
    draw: Draw = report.refresh,
    **options: object,
) -> tuple[ExitCode, dict[str, Any]]:
    """Runs a step inside this process; keeps its record and draws its page as `main` does.

    Args:
      step: The step.
      run: The function of its module that does the work.
      config: The configuration of the deployment.
      day: The UTC day.
      unchanged_ok: Whether to answer DONE instead of NOTHING_TO_DO when there is nothing to do.
      draw: Draws the pages of a day; whoever runs many days draws their index once.
      **options: The step's own options by name; those left out have their defaults.

    Returns:
      The exit code, and the object that `main` prints: status, artifact and facts, or the error.
    """
    context = Context(step, config, day, Store(config.store))
    defaults = {option.name: option.default for option in step.options}
    _refuse_wrong_shard(step, defaults | options)
    with stoppable() as signals:
        return _execute(
            context,
            run,
            defaults | options,
            signals,
            unchanged_ok=unchanged_ok,
            draw=draw,
        )


def _execute(
    context: Context,
    run: Run,
    options: Mapping[str, object],
    signals: Signals,
    *,
    unchanged_ok: bool,
    draw: Draw = report.refresh,
) -> tuple[ExitCode, dict[str, Any]]:
    # The signals are the caller's, because `main` must stay deaf until its line is printed.
    # The wall clock says when, the monotonic one how long: the former may be set meanwhile.
    started_at, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    also_changed: Sequence[datetime.date] = ()
    try:
        outcome = _run(context, run, options)
        code, result = _success(outcome, unchanged_ok=unchanged_ok)
        also_changed = outcome.also_changed
    except (Exception, StoppedError) as error:
        code, result = _failure(context.step, signals.cause_of(error))
    signals.ignore()
    record = {
        "step": context.step.name,
        "day": context.day.isoformat(),
        "options": dict(options),
        "started_at": started_at.isoformat(timespec="milliseconds"),
        "seconds": round(time.monotonic() - clock, 3),
        "exit_code": int(code),
        "airflow_run": os.environ.get("AIRFLOW_CTX_DAG_RUN_ID"),
        "environment": provenance.environment(),
        **result,
    }
    _report(context, record, also_changed, draw)
    return code, result


def _run(context: Context, run: Run, options: Mapping[str, object]) -> Outcome:
    try:
        return run(context, **options)
    except Unchanged as unchanged:
        return Outcome(unchanged.artifact, is_unchanged=True)


def _success(outcome: Outcome, *, unchanged_ok: bool) -> tuple[ExitCode, dict[str, Any]]:
    artifact, code = outcome.artifact, ExitCode.DONE
    if outcome.is_unchanged:
        logger.info("%s is there already. Nothing to do.", artifact.ref)
        code = ExitCode.DONE if unchanged_ok else ExitCode.NOTHING_TO_DO
    result: dict[str, Any] = {
        "status": "unchanged" if outcome.is_unchanged else "done",
        "artifact": asdict(artifact.ref),
        "facts": dict(artifact.facts),
    }
    if outcome.run_again:
        result["run_again"] = list(outcome.run_again)
    return code, result


def _failure(step: contract.Step, error: BaseException) -> tuple[ExitCode, dict[str, Any]]:
    """Returns the exit code and the result; only what nobody foresaw is logged with its trace."""
    message = str(error)
    if isinstance(error, StepError):
        logger.error("%s", error)
        code = error.exit_code
    elif isinstance(error, StoppedError):
        logger.error("%s", error)
        code = ExitCode.TRY_AGAIN
    elif isinstance(error, OSError):  # a full disk, a lost mount: worth another try
        advice = _ADVICE.get(error.errno or 0)
        message = f"The system refused: {error}. {advice or 'Run the step again.'}"
        logger.error("%s", message, exc_info=None if advice else error)
        code = ExitCode.TRY_AGAIN
    else:
        logger.error("A bug in %s: please report these lines.", step.name, exc_info=error)
        code, message = ExitCode.BUG, f"{type(error).__name__}: {error}"
    return code, {"status": "failed", "error": message}


def _report(
    context: Context,
    record: Mapping[str, Any],
    also_changed: Sequence[datetime.date],
    draw: Draw,
) -> None:
    """Keeps the record and draws the days' pages; a trouble here changes no result."""
    try:
        records.write(context.store, record)
        for day in (context.day, *also_changed):
            draw(context.store, context.config, day)
    except Exception as error:
        has_advice = isinstance(error, OSError) and error.errno in _ADVICE
        logger.error(
            "The result stands, but the page of %s could not be drawn: %s",
            context.day,
            error,
            exc_info=not has_advice and not isinstance(error, StepError),
        )


def log_to_stderr(level: int = logging.INFO) -> None:
    """Shows what we log from a level on, and warnings of the libraries."""
    # Standard output belongs to the one line of the result.
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    for name in ("__main__", "components", "phoenix", "schemas"):
        logging.getLogger(name).setLevel(level)


def _parse_day(text: str, config: Config) -> datetime.date:
    try:
        day = contract.parse_day(text)
    except ValueError as error:
        raise BadConfigurationError(f"--day: {error}") from error
    refuse_early_day(day, config)
    return day


def refuse_early_day(day: datetime.date, config: Config) -> None:
    """Refuses a day that is before all history.

    Raises:
      BadConfigurationError: If it is.
    """
    if day < config.first_day:
        raise BadConfigurationError(
            f"--day: {day} is before `first_day` of the configuration, {config.first_day}."
        )


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is a configuration error by exit code, too."""

    def error(self, message: str) -> NoReturn:
        """Ends the process with the exit code of a configuration error."""
        self.print_usage(sys.stderr)
        self.exit(ExitCode.BAD_CONFIGURATION, f"{self.prog}: {message}\n")


def _refuse_wrong_shard(step: contract.Step, options: Mapping[str, Any]) -> None:
    """Refuses a shard that is none, before a record would say of the day that its step failed.

    Raises:
      BadConfigurationError: Naming both numbers.
    """
    if not step.is_sharded:
        return
    shard, num_shards = options["shard"], options["num_shards"]
    if not 0 <= shard < num_shards <= contract.MAX_SHARDS:
        raise BadConfigurationError(
            "--shard must be from 0 to --num-shards less 1, and --num-shards at most "
            f"{contract.MAX_SHARDS}; got {shard} of {num_shards}."
        )


def _parser(step: contract.Step) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"python -m {step.module}",
        description=step.summary,
        epilog=f"example: python -m {step.module} --config examples/synthetic.yaml "
        "--day 2026-01-01",
        # An abbreviation that is unique today is ambiguous once an option is added.
        allow_abbrev=False,
    )
    parser.add_argument("--config", required=True, help="Configuration of the deployment (YAML).")
    parser.add_argument("--day", required=True, help="UTC day, YYYY-MM-DD.")
    parser.add_argument(
        "--unchanged-ok",
        action="store_true",
        help="Exit 0 instead of 99 when there is nothing to do, for schedulers that must go on.",
    )
    for option in step.options:
        parser.add_argument(
            "--" + option.name.replace("_", "-"),
            type=option.value_type,
            default=option.default,
            choices=option.choices or None,
            help=option.help,
        )
    return parser
