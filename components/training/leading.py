"""Two words from the process that leads a training to those that train with it.

All processes of a training call in the same order, and every word waits until all have come for it
(`hosts.agree`). The first is the key of the artifact, under which states are kept on the way, or
that nothing is trained. The second says that the artifact is written and may be read.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from components.run import hosts
from components.store.artifacts import Unchanged

_NOTHING, _WRITTEN = "nothing", "written"  # no key is such a word: keys are hexadecimal


class Leader:
    """The process that writes; it speaks to the others also if there are none."""

    def __init__(self) -> None:
        """Says nothing yet."""
        self._is_training = False

    def begin(self, key: str) -> None:
        """Lets all processes train; `key` is that of the artifact, at most 64 bytes."""
        self._is_training = True
        hosts.agree(key)

    def finish(self) -> None:
        """Lets the others read what is written; there is nothing to train any more."""
        if not self._is_training:
            hosts.agree(_NOTHING)
        hosts.agree(_WRITTEN)


@contextmanager
def leading() -> Iterator[Leader]:
    """Leads the training in the block: finishes after it, also if all was written long ago.

    After any other error the others are not told: they end with the connection to the leader.
    """
    leader = Leader()
    try:
        yield leader
    except Unchanged:
        leader.finish()
        raise
    leader.finish()


@contextmanager
def following() -> Iterator[str | None]:
    """Follows the leader: gives the key, None if nothing is trained, and waits for the artifact."""
    word = hosts.agree("")
    yield None if word == _NOTHING else word
    hosts.agree("")
