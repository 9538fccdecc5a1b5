"""Options and arguments that several commands share, and what their values stand for."""

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components import contract
from components.cli import output
from components.errors import BadConfigurationError
from components.local.deployment import deployments

if TYPE_CHECKING:
    from components.settings.config import Config
    from components.store.artifacts import Store

CONFIG_VARIABLE = "PHOENIX_CONFIG"

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
RequiredDayOption = Annotated[str, typer.Option("--day", metavar="YYYY-MM-DD", help="UTC day.")]
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


def config_path(option: Path | None) -> Path:
    """Returns the configuration to use: the option's, the environment's, or the only one there is.

    Raises:
      BadConfigurationError: If none or several could be meant.
    """
    if option is not None:
        return option
    from_environment = os.environ.get(CONFIG_VARIABLE)
    if from_environment:
        return Path(from_environment)
    paths = [deployment.config for deployment in deployments(Path("var"))]
    if len(paths) == 1:
        # On standard error: whoever pipes --json gets the value alone, and still sees the choice.
        output.complain(f"Using {paths[0]}, the only deployment under var/.")
        return paths[0]
    there = f"there are {', '.join(map(str, paths))}" if paths else "there is none"
    raise BadConfigurationError(
        f"Say which deployment: --config FILE, or {CONFIG_VARIABLE}. Under var/ {there}."
    )


def open_deployment(option: Path | None) -> "tuple[Config, Store]":
    """Reads the configuration of `config_path` and opens the store that it names."""
    # pydantic and fsspec take longer to import than `phoenix --help` takes as a whole.
    from components.settings.loading import load
    from components.store.artifacts import Store

    config = load(config_path(option))
    return config, Store(config.store)


def parse_optional_day(day: str | None) -> datetime.date | None:
    """Returns the day of `DayOption`; None if it was left out."""
    return None if day is None else parse_day(day)


def parse_day(day: str) -> datetime.date:
    """Returns the day of `RequiredDayOption`.

    Raises:
      BadConfigurationError: If it is not a day written YYYY-MM-DD.
    """
    try:
        return contract.parse_day(day)
    except ValueError as error:
        raise BadConfigurationError(f"--day: {error}") from error
