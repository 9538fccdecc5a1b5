"""SIGTERM and Ctrl-C: they stop a step at once, or it is asked and stops where it can go on."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from components.errors import StoppedError


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Turns the first SIGTERM or Ctrl-C into StoppedError; yields a function that ignores them.

    It is called once the work is done: a signal must not take back a result that is about to be
    said. At the end the process has the handlers that it had before.
    """
    signals = (signal.SIGTERM, signal.SIGINT)

    def ignore() -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        del frame
        ignore()
        name = signal.Signals(number).name
        raise StoppedError(f"Stopped by {name}; the next run goes on from what was saved.")

    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield ignore
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred_stop() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether somebody asked to stop, for work that must not tear.

    Meanwhile SIGTERM and Ctrl-C interrupt nothing; the work asks, saves, and raises StoppedError.
    Work that ended without asking is interrupted then.
    """
    asked: list[int] = []
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {
        number: signal.signal(number, lambda number, frame: asked.append(number))  # noqa: ARG005
        for number in signals
    }
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        signal.raise_signal(asked[0])
