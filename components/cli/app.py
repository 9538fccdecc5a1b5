"""The command line `phoenix`: every command is a thin shell over a module that does the work.

Nothing heavy is imported before a command needs it, so that reading a feed takes a moment. A user's
mistake ends in one line on standard error and the exit code of the contract, never in a traceback.
"""

import traceback
from collections.abc import Sequence

import typer

from components.cli import (
    deployment_commands,
    erasure_commands,
    feed_commands,
    quarantine_commands,
    release_commands,
    run_commands,
)
from components.cli.output import complain
from components.contract import ExitCode
from components.errors import StepError

_INTERRUPTED = 130  # what typer returns after Ctrl-C

_commands = typer.Typer(
    name="phoenix",
    help="From an engagement log to published, explained, reversible feeds.",
    epilog="Start here: `phoenix demo`. Trouble? `phoenix doctor`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
# In the order of the help. Those without a name are commands of `phoenix` itself.
_commands.add_typer(run_commands.commands)
_commands.add_typer(feed_commands.commands)
_commands.add_typer(deployment_commands.commands)
_commands.add_typer(
    release_commands.commands,
    name="releases",
    help="List, show, verify and roll back releases.",
    epilog="Example: `phoenix releases list`",
)
_commands.add_typer(
    feed_commands.all_feeds, name="feeds", help="Write the live feeds to the sinks again."
)
_commands.add_typer(
    quarantine_commands.commands,
    name="quarantine",
    help="Look at rows that broke a rule, mend them, and put them through the rules again.",
    epilog="Example: `phoenix quarantine list --day 2026-01-03`",
)
_commands.add_typer(
    erasure_commands.commands, name="erasure", help="Prove that forgotten users are gone."
)
_commands.add_typer(erasure_commands.removal_commands)


def app(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; the entry point of the script `phoenix`."""
    try:
        result = _commands(args=argv, prog_name="phoenix", standalone_mode=False)
    except typer.TyperException as error:  # wrong options or arguments, or none at all
        message = error.format_message().removesuffix(".")
        if message:
            complain(f"{message}. See `phoenix --help`.")
        return int(ExitCode.BAD_CONFIGURATION)
    except StepError as error:
        complain(str(error))
        return int(error.exit_code)
    except SystemExit:  # typer found that the reader of a pipe, as `head`, has seen enough
        return int(ExitCode.DONE)
    except OSError as error:  # a folder that may not be read, a full disk
        complain(f"The system refused: {error}")
        return int(ExitCode.TRY_AGAIN)
    except (KeyboardInterrupt, typer.Abort):
        result = _INTERRUPTED
    except Exception:
        complain(f"{traceback.format_exc()}This is a bug: please report it with these lines.")
        return int(ExitCode.BUG)
    if result == _INTERRUPTED:
        complain("Stopped.")
        return int(ExitCode.TRY_AGAIN)
    return int(result or ExitCode.DONE)
