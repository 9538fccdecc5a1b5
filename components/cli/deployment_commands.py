"""Commands that examine and describe a deployment: its health, its pages, its settings."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import click
import typer

from components import contract
from components.cli.options import (
    ConfigOption,
    DayOption,
    JsonOption,
    config_path,
    open_deployment,
    parse_optional_day,
)
from components.cli.output import show
from components.contract import ExitCode
from components.errors import BadConfigurationError

commands = typer.Typer(rich_markup_mode="markdown")


@commands.command(
    epilog="Examples: `phoenix init logs/` · `phoenix init events.csv --say user=member_id --say "
    "zone=Europe/Paris`"
)
def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file or folder of the log.")],
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="The configuration to write.")
    ] = Path("phoenix.yaml"),
    store: Annotated[
        str, typer.Option("--store", help="Where artifacts go; relative to the configuration.")
    ] = "var/store",
    say: Annotated[
        list[str] | None,
        typer.Option(
            "--say",
            metavar="KEY=VALUE",
            help="What the log does not say: the column of user, post, time or action, the zone of "
            "times, or an action that is positive.",
        ),
    ] = None,
    files: Annotated[
        int,
        typer.Option(
            "--files",
            min=2,
            help="How many files of each form are looked at: the oldest, the newest, some between.",
        ),
    ] = 12,
) -> int:
    """Write the configuration that a log suggests, and show how it reads the first rows.

    Public logs are recognised: KuaiRand, MovieLens, GH Archive, RetailRocket, REES46, Taobao, MIND
    and Open Bandit. Of any other log, names and values of the columns say most; what they do not
    say is asked at a terminal, and named with its option elsewhere. Exit code 65: with the
    configuration that was written no row can be read.
    """
    from components.profiling.hints import parse_hints
    from components.profiling.initialisation import initialise

    hints = parse_hints(say or ())
    ask = _ask if sys.stdin.isatty() else None
    result = initialise(path, to=to, store=store, hints=hints, num_files=files, ask=ask)
    show(False, None, lambda view: view.initialised(result))
    return int(ExitCode.DONE if result.preview.rows else ExitCode.BAD_DATA)


def _ask(question: str, choices: Sequence[str]) -> str:
    return typer.prompt(question, type=click.Choice(choices))


@commands.command(epilog="Example: `phoenix doctor --deep`")
def doctor(
    config: ConfigOption = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Verify every byte of the current artifacts.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Say whether machine, configuration and store are fit to run, and what is stuck.

    Exit code 0: fit, maybe with warnings. 65: data or artifacts cannot be trusted. 78: the machine
    or the configuration must be mended first.
    """
    from components.cli.doctor import examination
    from components.cli.doctor.findings import exit_code
    from components.settings.loading import load

    try:
        path = config_path(config)
        findings = examination.examine(load(path), folder=path.parent, deep=deep)
    except BadConfigurationError as error:
        findings = examination.examine_machine(error)
    rows = [vars(finding) for finding in findings]
    show(as_json, rows, lambda view: view.findings(findings))
    return int(exit_code(findings))


@commands.command(epilog="Example: `phoenix report --day 2026-01-03`")
def report(config: ConfigOption = None, day: DayOption = None) -> None:
    """Draw the page of a day again, or of every day, and say where the pages are."""
    from components.pages import report as pages
    from components.store import records

    settings, store = open_deployment(config)
    one_day = parse_optional_day(day)
    for each in [one_day] if one_day else map(contract.parse_day, records.days(store)):
        pages.refresh(store, settings, each)
    typer.echo(store.storage.uri("pages/index.html"))


@commands.command(name="config", epilog="Example: `phoenix config > settings.md`")
def show_settings() -> None:
    """Print every setting of a configuration with its range, default and meaning, as Markdown."""
    from components.settings import table

    typer.echo(table.markdown(), nl=False)
