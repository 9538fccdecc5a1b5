"""Commands that run the pipeline: the demonstration, a local Airflow, one step of one day."""

import importlib
import json
import logging
from typing import Annotated

import typer

from components import contract
from components.cli.options import (
    ConfigOption,
    JsonOption,
    SourceOption,
    config_path,
    open_deployment,
)
from components.cli.output import complain, show
from components.contract import ExitCode
from components.errors import BadConfigurationError, StoppedError

commands = typer.Typer(rich_markup_mode="markdown")


@commands.command(
    epilog="Examples: `phoenix demo`, `phoenix demo --loop`, `phoenix demo --source KuaiRand/data`"
)
def demo(
    source: SourceOption = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="How many days, from the first one on.")
    ] = None,
    is_loop: Annotated[
        bool,
        typer.Option(
            "--loop", help="Show the synthetic world its feeds; what it then does is the next day."
        ),
    ] = False,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Leave Airflow and its UI running.")
    ] = False,
) -> None:
    """Turn days of a log into feeds, run by a real Airflow, and show what came out.

    It stops what it started, also on Ctrl-C. Run it again: there is nothing left to do, and it says
    so.
    """
    from components.cli import demo as demonstration

    if source and is_loop:
        raise BadConfigurationError("--loop is of the synthetic world, and --source another log.")
    demonstration.run_demo(source, num_days=days, is_loop=is_loop, keep_running=keep_running)


@commands.command(epilog="Example: `phoenix up`, and `phoenix down` later")
def up(source: SourceOption = None) -> None:
    """Start Airflow with its UI on the newest deployment under var/, and leave it running."""
    from components.cli import demo as demonstration

    demonstration.up(source)


@commands.command(epilog="Example: `phoenix down`")
def down() -> None:
    """Stop the Airflow of every deployment under var/."""
    from components.cli import demo as demonstration

    folders = demonstration.down()
    for folder in folders:
        typer.echo(f"Stopped the Airflow of {folder}.")
    if not folders:
        typer.echo("Nothing was running.")


@commands.command(
    epilog="Examples: `phoenix step ingest_events --day 2026-01-01` · "
    "`phoenix step train_ranker --help`\n\n"
    f"Steps, in order: {', '.join(contract.STEPS)}",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,  # what follows the name belongs to the step
    },
)
def step(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the step.")],
) -> int:
    """Run one step of one day in this process, as the DAGs do in theirs.

    The exit codes are: 0 done, 65 bad data, 70 a bug, 75 try again, 78 bad configuration, 99
    nothing to do.
    """
    if name not in contract.STEPS:
        raise BadConfigurationError(
            f"Unknown step {name!r}; there are {', '.join(contract.STEPS)}."
        )
    argv = list(context.args)
    is_help = "--help" in argv or "-h" in argv
    # The step requires --config; here it may come from the environment, as for other commands.
    if not is_help and not any(arg.split("=")[0] == "--config" for arg in argv):
        argv = ["--config", str(config_path(None)), *argv]
    try:
        return importlib.import_module(contract.STEPS[name].module).main(argv)
    except SystemExit as stop:  # argparse has printed the help, or what is wrong
        return stop.code if isinstance(stop.code, int) else int(ExitCode.BAD_CONFIGURATION)


@commands.command(epilog="Example: `phoenix data --days 2026-01-01..2026-03-31`")
def data(
    days: Annotated[
        str,
        typer.Option("--days", metavar="DAY..DAY", help="First and last UTC day, YYYY-MM-DD."),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Run the data steps of a range of days, in order and in this process.

    Days that are done already are left as they are. It stops at the first day that fails, with the
    exit code of its step; the same command goes on there.
    """
    from components import step as steps
    from components.cli import days as ranges

    settings, _ = open_deployment(config)
    first, last = ranges.parse_range(days)
    steps.log_to_stderr(level=logging.WARNING)
    code = ExitCode.DONE
    for result in ranges.run(settings, first, last):
        code = result.exit_code
        if as_json:  # a line a day, while they end
            values = vars(result) | {"day": str(result.day), "exit_code": int(code)}
            typer.echo(json.dumps(values, sort_keys=True))
        elif code is ExitCode.DONE:
            rows = f"{result.num_rows:,} rows" if result.num_rows else "empty"
            again = f"; run again: {', '.join(result.run_again)}" if result.run_again else ""
            typer.echo(f"{result.day}  {result.status}  {rows}{again}")
        else:
            complain(result.error)
    return int(code)


@commands.command(
    epilog="Examples: `phoenix tune ranker --minutes 60` · "
    "`phoenix tune retrieval --days 6 --try epochs=1,2,4 --try model.reads_counts=true`"
)
def tune(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The model: ranker or retrieval.")],
    minutes: Annotated[
        float,
        typer.Option("--minutes", min=0.1, help="Budget; what was done is kept for the next time."),
    ] = 30.0,
    days: Annotated[
        str,
        typer.Option(
            "--days",
            metavar="NUMBER|DAY..DAY",
            help="Past days to judge every setting on: the newest ones, or a range.",
        ),
    ] = "4",
    try_values: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="NAME=VALUE,VALUE",
            help="Values of a setting, in place of the usual ones; may be repeated.",
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Search better settings of a training, each judged on past days that it did not train on.

    Where a setting is surely better, a configuration with it is written beside the present one.
    Nothing else changes: no release, no model. Stopped or out of time, the same command goes on.
    """
    from components import step as steps
    from components.cli import days as ranges
    from components.run import signals
    from components.tuning import tune as tuning

    steps.log_to_stderr(level=logging.WARNING)
    number = int(days) if days.isdecimal() else None
    if number == 0:
        raise BadConfigurationError("--days: expected 1 or more, or DAY..DAY, got 0.")
    request = tuning.Request(
        config=config_path(config),
        role=role,
        minutes=minutes,
        num_days=number,
        days=None if number is not None else ranges.parse_range(days),
        tried=try_values or (),
    )
    try:
        with signals.stoppable():
            outcome, path = tuning.tune(request, tell=complain)
    except StoppedError as stop:
        complain(str(stop))
        return int(ExitCode.TRY_AGAIN)
    value = {"settings": outcome.rows(), "result": outcome.sentence, "written": path and str(path)}
    show(as_json, value, lambda view: view.tuned(value))
    return int(ExitCode.DONE)
