"""Servers of PostgreSQL and Redis that tests start, kill and start again."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from components.settings.feeds import PostgresSink, RedisSink
from components.store.artifacts import Artifact


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sink_config(world, *sinks: PostgresSink | RedisSink):
    """The configuration of a world with these sinks."""
    section = world.config.publish_feeds.model_copy(update={"sinks": sinks})
    return world.config.model_copy(update={"publish_feeds": section})


def feed_rows(artifact: Artifact) -> list[dict[str, Any]]:
    """The rows of published feeds, by user and rank."""
    rows = pq.read_table(artifact.path("feeds.parquet"))
    return rows.sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()


def default_posts(artifact: Artifact) -> list[str]:
    """The posts of the default feed."""
    rows = pq.read_table(artifact.path("default.parquet"))
    return [str(post) for post in rows["post_id"].to_pylist()]


def nobody_else() -> None:
    """Lets a writer switch."""


@dataclass
class RedisServer:
    """A server of Redis that keeps nothing on disk unless it is told to."""

    program: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts the server and waits for it."""
        self.process = subprocess.Popen(
            [
                *(self.program, "--port", str(self.port), "--dir", str(self.folder)),
                *("--save", "", "--appendonly", "yes"),
            ],
            stdout=subprocess.DEVNULL,
        )
        import redis

        def ping() -> None:
            with redis.Redis.from_url(self.url) as client:
                client.ping()

        _wait_for(ping)

    def kill(self) -> None:
        """Kills the server."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class PostgresServer:
    """A cluster of PostgreSQL."""

    programs: Path
    as_user: list[str]
    port: int
    data: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """Its address, for the superuser."""
        return f"host=127.0.0.1 port={self.port} user=phoenix dbname=postgres"

    def initialise(self) -> None:
        """Makes the cluster."""
        subprocess.run(
            [
                *(*self.as_user, self.programs / "initdb", "-D", self.data),
                *("-U", "phoenix", "-A", "trust", "-N"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )

    def start(self) -> None:
        """Starts the server and waits for it."""
        import psycopg

        self.process = subprocess.Popen(
            [
                *(*self.as_user, self.programs / "postgres", "-D", self.data),
                *("-p", str(self.port), "-k", "", "-F"),
            ],
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        _wait_for(lambda: psycopg.connect(self.dsn).close())

    def kill(self) -> None:
        """Ends the server at once, in the middle of whatever it does, as a crash does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
            self.process = None

    def execute(self, *statements: str) -> None:
        """Executes statements, each on its own."""
        import psycopg

        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def empty(self) -> None:
        """Drops all that tests made."""
        import psycopg

        self.execute(
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
            "GRANT USAGE ON SCHEMA public TO PUBLIC",
        )
        with psycopg.connect(self.dsn) as connection:
            roles = connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'phoenix'"
            ).fetchall()
        self.execute(*(f"DROP ROLE {role}" for (role,) in roles))


def _wait_for(attempt: Callable[[], None]) -> None:
    for _ in range(400):
        with contextlib.suppress(Exception):
            attempt()
            return
        time.sleep(0.05)
    raise TimeoutError("The server does not answer.")
