"""What every step shares: its command line, its context, its exit code, its one line of output.

A step module holds `run(context, ...)`, which does the work and returns the artifact, and a thin
`main`, which is `step.main(contract.<STEP>, run, argv)`.
"""

import argparse
import datetime
import errno
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
from components.run.context import Context
from components.run.signals import stoppable
from components.settings.config import Config
from components.settings.loading import load
from components.store import records
from components.store.artifacts import Artifact, Store, Unchanged

logger = logging.getLogger(__name__)


Run = Callable[..., Artifact]

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
    _log_to_stderr()
    options = _parser(step).parse_args(argv)
    values = {option.name: getattr(options, option.name) for option in step.options}
    started_at, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    context = None
    with stoppable() as cannot_be_stopped_any_more:
        try:
            config = load(Path(options.config))
            context = Context(step, config, _day(options.day, config), Store(config.store))
            outcome = _success("done", run(context, **values))
            code = ExitCode.DONE
        except Unchanged as unchanged:
            logger.info("%s Nothing to do.", unchanged)
            outcome = _success("unchanged", unchanged.artifact)
            code = ExitCode.DONE if options.unchanged_ok else ExitCode.NOTHING_TO_DO
        except (Exception, StoppedError) as error:
            code, outcome = _failure(step, error)
        cannot_be_stopped_any_more()
        if context is not None:
            outcome |= {"run_again": context.run_again} if context.run_again else {}
            record = {
                "step": step.name,
                "day": context.day.isoformat(),
                "options": values,
                "started_at": started_at.isoformat(timespec="milliseconds"),
                "seconds": round(time.monotonic() - clock, 3),
                "exit_code": int(code),
                "airflow_run": os.environ.get("AIRFLOW_CTX_DAG_RUN_ID"),
                **outcome,
            }
            _report(context, record)
        print(json.dumps(outcome, sort_keys=True), flush=True)  # noqa: T201 - the one line
    return int(code)


def _success(status: str, artifact: Artifact) -> dict[str, Any]:
    return {"status": status, "artifact": asdict(artifact.ref), "facts": dict(artifact.facts)}


def _failure(step: contract.Step, error: BaseException) -> tuple[ExitCode, dict[str, Any]]:
    """Returns the exit code and the outcome; only what nobody foresaw is logged with its trace."""
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


def _report(context: Context, record: Mapping[str, Any]) -> None:
    """Keeps the record and draws the day's page; a trouble here changes no result."""
    try:
        records.write(context.store, record)
        for day in (context.day, *context.also_changed):
            report.refresh(context.store, context.config, day)
    except Exception:
        logger.exception("The result stands, but the page of %s could not be drawn.", context.day)


def _log_to_stderr() -> None:
    """Shows what we log from INFO on, and warnings of the libraries."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    for name in ("__main__", "components", "phoenix", "schemas"):
        logging.getLogger(name).setLevel(logging.INFO)


def _day(text: str, config: Config) -> datetime.date:
    try:
        day = contract.parse_day(text)
    except ValueError as error:
        raise BadConfigurationError(f"--day: {error}") from error
    if day < config.first_day:
        raise BadConfigurationError(
            f"--day: {day} is before `first_day` of the configuration, {config.first_day}."
        )
    return day


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is a configuration error by exit code, too."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ExitCode.BAD_CONFIGURATION, f"{self.prog}: {message}\n")


def _parser(step: contract.Step) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"python -m {step.module}",
        description=step.summary,
        epilog=f"example: python -m {step.module} --config examples/synthetic.yaml "
        "--day 2026-01-01",
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
