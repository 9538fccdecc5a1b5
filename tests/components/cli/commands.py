"""Ways to run commands of `phoenix`: in this process, or in one of their own."""

import os
import subprocess
import sys

import pytest

from components.cli import app
from components.release import releases
from components.serving import published

LAST = "2026-01-03"  # of the world of three days


def run_command(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    """Runs a command; returns its exit code, standard output and standard error."""
    code = app.app([str(arg) for arg in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def phoenix(*argv: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process of its own, with pipes."""
    code = "import sys; from components.cli.app import app; sys.exit(app())"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, argv)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


def user_of(world) -> str:
    """Returns a user who has a live feed."""
    live = releases.live(world.store)
    assert live is not None
    return str(published.example_users(world.store, live.feeds, 3)[1])
