"""SIGTERM and Ctrl-C: they stop a step at once, or it is asked and stops where it can go on."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from components.errors import StoppedError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)  # of a scheduler, and of a person at the terminal


class Signals:
    """The signals of a process while a step works."""

    def __init__(self) -> None:
        """Begins without a signal."""
        self._stop: StoppedError | None = None

    def ignore(self) -> None:
        """Makes the process deaf to further signals."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def stop(self, number: int, frame: FrameType | None) -> NoReturn:
        """Raises StoppedError, which names the signal."""
        del frame
        self.ignore()  # a second signal must not interrupt the cleaning up after the first
        name = signal.Signals(number).name
        self._stop = StoppedError(f"Stopped by {name}; the next run goes on from what was saved.")
        raise self._stop

    def cause_of(self, error: BaseException) -> BaseException:
        """Returns why work ended with an error: because it was stopped, if it was."""
        # A library that is interrupted in its C code may raise an error of its own instead.
        return error if self._stop is None else self._stop


@contextmanager
def stoppable() -> Iterator[Signals]:
    """Turns the first SIGTERM or Ctrl-C into StoppedError; yields what can ignore them.

    Signals are ignored once the work is done: they must not take back a result that is about to be
    said. At the end the process has the handlers that it had before.
    """
    signals = Signals()
    former_handlers = {number: signal.signal(number, signals.stop) for number in _SIGNALS}
    try:
        yield signals
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
