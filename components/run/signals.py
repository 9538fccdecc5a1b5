"""SIGTERM and Ctrl-C: they stop a step at once, or it is asked and stops where it can go on."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from components.errors import StoppedError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)  # of a scheduler, and of a person at the terminal


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Turns the first SIGTERM or Ctrl-C into StoppedError; yields a function that ignores them.

    It is called once the work is done: a signal must not take back a result that is about to be
    said. At the end the process has the handlers that it had before.
    """

    def ignore() -> None:
        """Makes the process deaf to further signals."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        """Raises StoppedError, which names the signal."""
        del frame
        ignore()  # a second signal must not interrupt the cleaning up after the first
        name = signal.Signals(number).name
        raise StoppedError(f"Stopped by {name}; the next run goes on from what was saved.")

    former_handlers = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield ignore
    finally:
        for number, handler in former_handlers.items():
            signal.signal(number, handler)


@contextmanager
def deferred_stop() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether somebody asked to stop, for work that must not tear.

    Meanwhile SIGTERM and Ctrl-C interrupt nothing; the work asks, saves, and raises StoppedError.
    Work that ended without asking is interrupted then.
    """
    pending: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        """Keeps a signal for later."""
        del frame
        pending.append(number)

    former_handlers = {number: signal.signal(number, remember) for number in _SIGNALS}
    try:
        yield lambda: bool(pending)
    finally:
        for number, handler in former_handlers.items():
            signal.signal(number, handler)
    if pending:
        signal.raise_signal(pending[0])
