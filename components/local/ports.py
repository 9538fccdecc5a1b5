"""Ports of this machine that two starting servers never share."""

import contextlib
import socket
from collections.abc import Iterator

from components.errors import TryAgainError

_PORT_TRIES = 10  # a number that is free for a claim may be taken for a server


@contextlib.contextmanager
def reserved_port(preferred: int) -> Iterator[int]:
    """Yields the preferred port of the loopback, or another one if it is taken.

    A server listens only seconds after its port was chosen. Until the end of the block, whoever
    chooses a port in this way gets another one: the claim is the UDP port of the same number, on
    which nothing else of ours listens. The system gives it to one process, and takes it back
    however that process ends.

    Raises:
      TryAgainError: If no port is free.
    """
    with contextlib.ExitStack() as claims:
        yield _claim_port(preferred, claims)


def _claim_port(preferred: int, claims: contextlib.ExitStack) -> int:
    for port in (preferred, *[0] * _PORT_TRIES):  # 0: whichever the system has free
        claim = claims.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will
            try:
                claim.bind(("127.0.0.1", port))
                probe.bind(claim.getsockname())
            except OSError:
                continue
            return probe.getsockname()[1]
    raise TryAgainError("No port is free on this machine.")
