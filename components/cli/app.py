"""The command line `phoenix`: every command is a thin shell over a module that does the work.

Nothing heavy is imported before a command needs it, so that reading a feed takes a moment. A user's
mistake ends in one line on standard error and the exit code of the contract, never in a traceback.
"""

import datetime
import importlib
import json
import os
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from components import contract
from components.contract import ExitCode
from components.errors import BadConfigurationError, StepError

if TYPE_CHECKING:
    from components.settings.config import Config
    from components.store.artifacts import Store

CONFIG_VARIABLE = "PHOENIX_CONFIG"
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
_releases = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
_commands.add_typer(
    _releases,
    name="releases",
    help="List, show, verify and roll back releases.",
    epilog="Example: `phoenix releases list`",
)

_quarantine = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
_commands.add_typer(
    _quarantine,
    name="quarantine",
    help="Look at rows that broke a rule, mend them, and put them through the rules again.",
    epilog="Example: `phoenix quarantine list --day 2026-01-03`",
)
_erasure = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
_commands.add_typer(_erasure, name="erasure", help="Prove that forgotten users are gone.")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help=f"Configuration of the deployment; by default ${CONFIG_VARIABLE}, else the only one "
        "under var/.",
        show_default=False,
    ),
]
DayOption = Annotated[
    str | None,
    typer.Option("--day", metavar="YYYY-MM-DD", help="UTC day; by default the one that is live."),
]
NamedDay = Annotated[str, typer.Option("--day", metavar="YYYY-MM-DD", help="UTC day.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
SourceOption = Annotated[
    Path | None,
    typer.Option(
        "--source",
        metavar="DIR",
        help="A folder in KuaiRand's layout; by default the synthetic world.",
        show_default=False,
    ),
]
ReleaseArgument = Annotated[
    str, typer.Argument(metavar="DAY_OR_DIGEST", help="Day, or the beginning of the digest.")
]


def app(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; the entry point of the script `phoenix`."""
    try:
        result = _commands(args=argv, prog_name="phoenix", standalone_mode=False)
    except typer.TyperException as error:  # wrong options or arguments, or none at all
        message = error.format_message().removesuffix(".")
        if message:
            _complain(f"{message}. See `phoenix --help`.")
        return int(ExitCode.BAD_CONFIGURATION)
    except StepError as error:
        _complain(str(error))
        return int(error.exit_code)
    except SystemExit:  # typer found that the reader of a pipe, as `head`, has seen enough
        return int(ExitCode.DONE)
    except OSError as error:  # a folder that may not be read, a full disk
        _complain(f"The system refused: {error}")
        return int(ExitCode.TRY_AGAIN)
    except (KeyboardInterrupt, typer.Abort):
        result = _INTERRUPTED
    except Exception:
        _complain(f"{traceback.format_exc()}This is a bug: please report it with these lines.")
        return int(ExitCode.BUG)
    if result == _INTERRUPTED:
        _complain("Stopped.")
        return int(ExitCode.TRY_AGAIN)
    return int(result or ExitCode.DONE)


@_commands.command(epilog="Examples: `phoenix demo` · `phoenix demo --source KuaiRand/data`")
def demo(
    source: SourceOption = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="How many days, from the first one on.")
    ] = None,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Leave Airflow and its UI running.")
    ] = False,
) -> None:
    """Turn days of a log into feeds, run by a real Airflow, and show what came out.

    It stops what it started, also on Ctrl-C. Run it again: there is nothing left to do, and it says
    so.
    """
    from components.cli import demo as demonstration

    demonstration.run_demo(source, num_days=days, keep_running=keep_running)


@_commands.command(epilog="Example: `phoenix up`, and `phoenix down` later")
def up(source: SourceOption = None) -> None:
    """Start Airflow with its UI on the newest deployment under var/, and leave it running."""
    from components.cli import demo as demonstration

    demonstration.up(source)


@_commands.command(epilog="Example: `phoenix down`")
def down() -> None:
    """Stop the Airflow of every deployment under var/."""
    from components.cli import demo as demonstration

    stopped = demonstration.down()
    for folder in stopped:
        typer.echo(f"Stopped the Airflow of {folder}.")
    if not stopped:
        typer.echo("Nothing was running.")


@_commands.command(
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
    asks_for_help = "--help" in argv or "-h" in argv
    if not asks_for_help and not any(arg.split("=")[0] == "--config" for arg in argv):
        argv = ["--config", str(chosen_config(None)), *argv]
    try:
        return importlib.import_module(contract.STEPS[name].module).main(argv)
    except SystemExit as stop:  # argparse has printed the help, or what is wrong
        return stop.code if isinstance(stop.code, int) else int(ExitCode.BAD_CONFIGURATION)


@_commands.command(epilog="Example: `phoenix feed 17 --day 2026-01-03`")
def feed(
    user: Annotated[int, typer.Argument(min=1, help="The user's id.")],
    config: ConfigOption = None,
    day: DayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a user's feed, with the reasons for every place in it."""
    from components.serving import published

    loaded, store = _opened(config)
    found = published.feed(store, loaded, user, _parsed(day))
    _show(as_json, found.to_json(), lambda view: view.feed(found))


@_commands.command(epilog="Example: `phoenix why 17 4031`")
def why(
    user: Annotated[int, typer.Argument(min=1, help="The user's id.")],
    post: Annotated[int, typer.Argument(min=1, help="The post's id.")],
    config: ConfigOption = None,
    day: DayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain why a post has its place in a user's feed, or why it is not there."""
    from components.serving import why as reasons

    loaded, store = _opened(config)
    found = reasons.why(store, loaded, user, post, _parsed(day))
    _show(as_json, found.to_json(), lambda view: view.why(found))


@_releases.command("list", epilog="Example: `phoenix releases list --json`")
def list_releases(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the releases: day, models, which one is live, which were withdrawn."""
    from components.release import releases

    _, store = _opened(config)
    rows = releases.list_releases(store)
    _show(as_json, rows, lambda view: view.releases(rows))


@_releases.command(epilog="Example: `phoenix releases show 2026-01-03`")
def show(
    release: ReleaseArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show all that is known of one release: models, decision, when it was live and why."""
    from components.release import releases

    _, store = _opened(config)
    found = releases.show(store, release)
    _show(as_json, found, lambda view: view.facts(found))


@_releases.command(epilog="Example: `phoenix releases verify 2026-01-03`")
def verify(
    release: ReleaseArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Read every byte of a release and of its feeds against the recorded digests."""
    from components.release import releases

    _, store = _opened(config)
    found = releases.verify(store, releases.find(store, release))
    _show(as_json, found, lambda view: view.facts(found))


@_releases.command(
    epilog='Example: `phoenix releases rollback 2026-01-02 --reason "clicks fell by a third"`'
)
def rollback(
    release: ReleaseArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the log for ever.")],
    config: ConfigOption = None,
    actor: Annotated[
        str | None, typer.Option("--actor", help="Who decided; by default this user and host.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make an earlier release and its feeds live again, and withdraw everything newer."""
    from components.release import releases
    from components.serving import sinks

    settings, store = _opened(config)
    entry = releases.rollback(
        store, release, reason, actor, serve=lambda feeds: sinks.write_all(settings, feeds)
    )
    result = {
        "live": entry.value["day"],
        "release": entry.value["release"]["digest"],
        "withdrawn": entry.value["withdrawn"],
        "reason": entry.reason,
        "actor": entry.actor,
        "moved_at": entry.moved_at,
    }
    _show(as_json, result, lambda view: view.facts(result))


@_quarantine.command("list", epilog="Example: `phoenix quarantine list --day 2026-01-03`")
def list_quarantine(
    day: NamedDay, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the rules that rows of a day break, by the configuration as it is now."""
    from components.cli import data_commands

    settings, store = _opened(config)
    found = data_commands.settled(store, settings, _named(day))
    value = {"day": day, **found.account, "rules": data_commands.rules_of(found)}
    _show(as_json, value, lambda view: view.quarantine(value))


@_quarantine.command("show", epilog="Example: `phoenix quarantine show --day 2026-01-03`")
def show_quarantine(
    day: NamedDay,
    rule: Annotated[str | None, typer.Option("--rule", help="Rows of this rule alone.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many rows.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show rows of a day that break a rule, users masked unless `report.show_user_ids`."""
    from components.cli import data_commands

    settings, store = _opened(config)
    found = data_commands.settled(store, settings, _named(day))
    rows = data_commands.rows_of(found, settings, rule=rule, limit=limit)
    _show(as_json, rows, lambda view: view.quarantined_rows(rows))


@_quarantine.command(
    epilog="Example: `phoenix quarantine export --day 2026-01-03 --to repairs/2026-01-03.csv`"
)
def export(
    day: NamedDay,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The CSV file to write.")],
    config: ConfigOption = None,
) -> None:
    """Write the rows of a day that break a rule as CSV, with what is wrong, to be mended."""
    from components.cli import data_commands

    settings, store = _opened(config)
    found = data_commands.settled(store, settings, _named(day))
    count = data_commands.export(found, settings, to)
    typer.echo(
        f"{count} rows in {to}. Mend them, delete the others, put the file into "
        f"`validate_events.repairs` as {day}.csv, then: phoenix quarantine replay --day {day}"
    )


@_quarantine.command(epilog="Example: `phoenix quarantine replay --day 2026-01-03`")
def replay(day: NamedDay, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Put all rows of a day through the rules again, after a fix; the day gets a new version.

    A fix is a changed rule of the configuration, or a file of corrected rows in
    `validate_events.repairs`. Rows that still break a rule stay. A mended source is read by
    `phoenix step ingest_events` first.
    """
    from components.cli import data_commands

    path = chosen_config(config)
    _, store = _opened(path)
    found = data_commands.replay(path, store, _named(day))
    _show(as_json, found, lambda view: view.facts(found))


@_erasure.command("report", epilog="Example: `phoenix erasure report --json`")
def report_erasure(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Search every artifact, old versions included, for the users of the list.

    Exit code 0: what is current holds none of them. 65: these days must be run again.
    """
    from components.cli import data_commands

    settings, store = _opened(config)
    found = data_commands.erasure_report(store, settings)
    _show(as_json, found, lambda view: view.erasure(found))
    return int(ExitCode.BAD_DATA if found["rows_in_current_artifacts"] else ExitCode.DONE)


@_commands.command(epilog="Example: `phoenix doctor --deep`")
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
    from components.cli import doctor as examination
    from components.settings.loading import load

    try:
        path = chosen_config(config)
        findings = examination.examine(load(path), folder=path.parent, deep=deep)
    except BadConfigurationError as error:
        findings = [*examination.machine_findings(), examination.unusable_configuration(error)]
    rows = [vars(finding) for finding in findings]
    _show(as_json, rows, lambda view: view.findings(findings))
    return int(examination.exit_code(findings))


@_commands.command(epilog="Example: `phoenix report --day 2026-01-03`")
def report(config: ConfigOption = None, day: DayOption = None) -> None:
    """Draw the page of a day again, or of every day, and say where the pages are."""
    from components.pages import report as pages
    from components.store import records

    loaded, store = _opened(config)
    asked = _parsed(day)
    for each in [asked] if asked else map(contract.parse_day, records.days(store)):
        pages.refresh(store, loaded, each)
    typer.echo(store.storage.uri("pages/index.html"))


@_commands.command(name="config", epilog="Example: `phoenix config > settings.md`")
def show_settings() -> None:
    """Print every setting of a configuration with its range, default and meaning, as Markdown."""
    from components.settings import table

    typer.echo(table.markdown(), nl=False)


def chosen_config(given: Path | None) -> Path:
    """Returns the configuration to use: the given one, the environment's, or the only one there is.

    Raises:
      BadConfigurationError: If none or several could be meant.
    """
    if given is not None:
        return given
    from_environment = os.environ.get(CONFIG_VARIABLE)
    if from_environment:
        return Path(from_environment)
    found = sorted(Path("var").glob("*/phoenix.yaml"))
    if len(found) == 1:
        _complain(f"Using {found[0]}, the only deployment under var/.")
        return found[0]
    there = f"there are {', '.join(map(str, found))}" if found else "there is none"
    raise BadConfigurationError(
        f"Say which deployment: --config FILE, or {CONFIG_VARIABLE}. Under var/ {there}."
    )


def _opened(config: Path | None) -> "tuple[Config, Store]":
    from components.settings.loading import load
    from components.store.artifacts import Store

    loaded = load(chosen_config(config))
    return loaded, Store(loaded.store)


def _parsed(day: str | None) -> datetime.date | None:
    return None if day is None else _named(day)


def _named(day: str) -> datetime.date:
    try:
        return contract.parse_day(day)
    except ValueError as error:
        raise BadConfigurationError(f"--day: {error}") from error


def _show(as_json: bool, value: object, draw: Callable[[ModuleType], None]) -> None:
    """Prints a value as JSON, or lets `draw` show it to a person."""
    if as_json:
        typer.echo(json.dumps(value, indent=1, sort_keys=True))
    else:
        draw(importlib.import_module("components.cli.terminal"))


def _complain(message: str) -> None:
    typer.echo(message, err=True)
