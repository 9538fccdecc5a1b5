"""A real process of `phoenix serve`, on a port of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx


@dataclass(frozen=True)
class Serving:
    """A server and a client of it."""

    process: subprocess.Popen[str]
    client: httpx.Client

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self.client.base_url)

    def stop(self) -> int:
        """Asks it to stop; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def serving(config: Path, *options: str, **environment: str) -> Iterator[Serving]:
    """Starts `phoenix serve` on a free port, and kills it at the end if it is still there."""
    code = "import sys; from components.cli.app import app; sys.exit(app())"
    command = [sys.executable, "-c", code, "serve", "-c", str(config), "--port", "0", *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | environment,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), url
        with process.stdout, httpx.Client(base_url=url, timeout=10) as client:
            yield Serving(process, client)
    finally:
        process.kill()
        process.wait()
