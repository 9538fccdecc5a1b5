"""Work that goes on in a thread of its own, while what comes next is made."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self


class Background:
    """Runs tasks one after another, in the order in which they come; a context manager.

    One task runs while the next one is made, so that two are in memory and never more.

    >>> done = []
    >>> with Background() as background:
    ...     for number in range(3):
    ...         background.run(done.append, number)
    >>> done
    [0, 1, 2]
    """

    def __init__(self) -> None:
        """Starts no thread before there is a task."""
        self._threads = ThreadPoolExecutor(1)
        self._task: Future[object] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What a task has begun is finished also after an error: others may close its files then.
        self._threads.shutdown()
        if kind is None:
            self.wait()

    def run(self, task: Callable[..., object], *args: object) -> None:
        """Runs a task after the one before, for which it waits, and raises what that one raised."""
        self.wait()
        self._task = self._threads.submit(task, *args)

    def wait(self) -> None:
        """Waits for the last task, and raises what it raised."""
        if self._task is not None:
            task, self._task = self._task, None
            task.result()
