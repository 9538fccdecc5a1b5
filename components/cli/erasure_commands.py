"""Commands about forgotten users: `phoenix erasure report`, and `phoenix gc --erased`."""

from typing import Annotated

import typer

from components.cli.options import ConfigOption, JsonOption, open_deployment
from components.cli.output import show
from components.contract import ExitCode
from components.errors import BadConfigurationError

commands = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
removal_commands = typer.Typer(rich_markup_mode="markdown")


@commands.command("report", epilog="Example: `phoenix erasure report --json`")
def report_erasure(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Search every artifact, old versions included, for the users of the list.

    Exit code 0: what is current holds none of them. 65: these days must be run again.
    """
    from components.cli import erasure

    settings, store = open_deployment(config)
    summary = erasure.report(store, settings)
    show(as_json, summary, lambda view: view.erasure(summary))
    return int(ExitCode.BAD_DATA if summary["rows_in_current_artifacts"] else ExitCode.DONE)


@removal_commands.command(
    "gc", epilog="Examples: `phoenix gc --erased` · `phoenix gc --erased --remove`"
)
def collect_garbage(
    config: ConfigOption = None,
    erased: Annotated[
        bool, typer.Option("--erased", help="Old versions that hold forgotten users.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what is listed; without it nothing is.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """List old versions of artifacts that hold users of the list, and remove them with `--remove`.

    What is current, live or in use stays, with what to run first. Exit code 0: nothing stays, or
    nothing would. 65: something stays until days are run again. 75: something is in use.
    """
    from components.cli import erasure

    if not erased:
        raise BadConfigurationError(
            "Say which versions: `phoenix gc --erased` lists those that hold forgotten users. "
            "Others are kept: days can be rolled back to them."
        )
    settings, store = open_deployment(config)
    summary = erasure.collect(store, settings, is_dry=not remove)
    show(as_json, summary, lambda view: view.removal(summary))
    return int(erasure.exit_code(summary))
