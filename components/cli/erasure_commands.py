"""The command about forgotten users: `phoenix erasure report`."""

import typer

from components.cli.options import ConfigOption, JsonOption, open_deployment
from components.cli.output import show
from components.contract import ExitCode

commands = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


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
