import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from components.errors import StoppedError
from components.run.signals import deferred_stop, stoppable

NUMBERS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def received() -> Iterator[list[int]]:
    """The signals that reach the handlers of the process around the block."""
    numbers: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        numbers.append(number)

    former = {number: signal.signal(number, remember) for number in NUMBERS}
    yield numbers
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_stops_and_the_second_does_not_disturb(
    received: list[int], number: signal.Signals
) -> None:
    with stoppable(), pytest.raises(StoppedError, match=f"Stopped by {number.name}; the next run"):
        signal.raise_signal(number)
    with stoppable():
        try:
            signal.raise_signal(number)
        except StoppedError:
            signal.raise_signal(number)  # while the first one is answered
    assert received == []
    signal.raise_signal(number)
    assert received == [number], "the former handlers are back"


def test_a_signal_after_the_work_changes_nothing(received: list[int]) -> None:
    with stoppable() as signals:
        signals.ignore()
        for number in NUMBERS:
            signal.raise_signal(number)
    assert received == []


def test_an_error_after_a_stop_is_the_stop_whatever_a_library_made_of_it() -> None:
    with stoppable() as signals:
        trouble = RuntimeError("the callback failed")
        assert signals.cause_of(trouble) is trouble
        with pytest.raises(StoppedError):
            signal.raise_signal(signal.SIGTERM)
        assert "Stopped by SIGTERM" in str(signals.cause_of(trouble))


@pytest.mark.parametrize("number", NUMBERS)
def test_work_that_must_not_tear_learns_of_a_signal_when_it_asks(
    received: list[int], number: signal.Signals
) -> None:
    with deferred_stop() as is_stop_requested:
        assert not is_stop_requested()
        signal.raise_signal(number)
        assert is_stop_requested()
        assert received == []
    assert received == [number], "work that ended without asking is interrupted then"


def test_without_a_signal_nothing_is_interrupted(received: list[int]) -> None:
    with deferred_stop() as is_stop_requested:
        assert not is_stop_requested()
    assert received == []
