"""The two ways to print: JSON or tables on standard output, complaints on standard error."""

import importlib
import json
from collections.abc import Callable
from types import ModuleType

import typer


def show(as_json: bool, value: object, draw: Callable[[ModuleType], None]) -> None:
    """Prints a value for a program or for a person.

    Args:
      as_json: Whether to print the value as JSON and nothing else.
      value: Numbers, texts, lists and mappings.
      draw: Shows the value with the functions of `components.cli.terminal`, which it is given.
    """
    if as_json:
        typer.echo(json.dumps(value, indent=1, sort_keys=True))
    else:
        # Late: rich draws tables, and takes a while to import that --json need not wait for.
        draw(importlib.import_module("components.cli.terminal"))


def complain(message: str) -> None:
    """Prints a line on standard error."""
    typer.echo(message, err=True)
