"""The process of `phoenix serve`: its socket, its token, and its end."""

import ipaddress
import logging
import os
import signal
import socket
import sys

import uvicorn

from components.api.app import application
from components.api.follower import Follower
from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.serve import ServeConfig
from components.store.artifacts import Store

_GRACE_SECONDS = 10  # for requests that are in flight when the server is told to stop


def serve(store: Store, config: Config) -> None:
    """Answers requests until SIGTERM or Ctrl-C, then finishes those that were begun.

    Raises:
      BadConfigurationError: If it cannot listen there, may not without a token, or a list of rules
        cannot be read.
    """
    token = token_of(config.serve)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with _listening(config.serve) as listener, Follower(store, config) as follower:
        server = uvicorn.Server(
            uvicorn.Config(
                application(config, follower, token),
                access_log=False,
                log_config=None,
                log_level="warning",
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        host, port = listener.getsockname()[:2]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # The one line on standard output: whoever asked for any free port reads it there.
        print(f"http://{where}", flush=True)  # noqa: T201
        # uvicorn raises the signal that ended it again, and the end is as it should be.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        server.run([listener])


def token_of(config: ServeConfig) -> str | None:
    """Returns the token that requests must carry, or None if none is needed.

    Raises:
      BadConfigurationError: If its file cannot be read or is empty, or there is none and other
        machines could ask.
    """
    if config.token_file is not None:
        try:
            token = config.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadConfigurationError(f"serve.token_file: it cannot be read: {error}") from error
        if not token:
            raise BadConfigurationError(f"serve.token_file: {config.token_file} is empty.")
    else:
        token = os.environ.get(config.token_variable, "").strip()
    if not token and not _is_loopback(config.host):
        raise BadConfigurationError(
            f"serve.host: {config.host} can be reached from other machines, for which a token is "
            f"needed: set {config.token_variable}, or name its file in serve.token_file."
        )
    return token or None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(config: ServeConfig) -> socket.socket:
    """Returns a socket that listens where it should."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=2048)
    except OSError as error:
        raise BadConfigurationError(
            f"serve: cannot listen on {config.host}, port {config.port}: {error}"
        ) from error
