import threading
import time

import pytest

from components.tables.background import Background


def test_a_task_runs_while_the_next_one_is_made() -> None:
    begun, done = threading.Event(), []

    def wait_for_the_next() -> None:
        done.append(begun.wait(10))

    with Background() as background:
        background.run(wait_for_the_next)
        begun.set()
    assert done == [True]


def test_what_a_task_raises_comes_out_at_the_next_one_or_at_the_end() -> None:
    def fail() -> None:
        raise ValueError("a full disk")

    with pytest.raises(ValueError, match="a full disk"), Background() as background:
        background.run(fail)
    background, tasks = Background(), []
    background.run(fail)
    with pytest.raises(ValueError, match="a full disk"):
        background.run(tasks.append, 1)
    assert not tasks


def test_a_task_that_was_begun_is_finished_also_after_an_error() -> None:
    background, tasks = Background(), []
    background.run(lambda: (time.sleep(0.01), tasks.append(1)))
    background.__exit__(KeyError, KeyError(), None)
    assert tasks == [1]
