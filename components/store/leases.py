"""Leases: one writer per partition, with a fencing token for the writer who comes back too late.

A lease is a pointer `leases/<kind>/<partition>`: taking it appends an entry, and the entry's number
is the fencing token. While a holder lives it renews a heartbeat beside the entry. A lease can be
taken over when its holder released it, when its process is dead (same machine), or when no
heartbeat came for the lease's lifetime (another machine).
"""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from components.errors import TryAgainError
from components.store import processes
from components.store.pointers import Entry, Pointer
from components.store.storage import Storage

logger = logging.getLogger(__name__)

LIFETIME_SECONDS = 120.0  # eight heartbeats: a slow object store loses a few
HEARTBEAT_SECONDS = 15.0


class Lease:
    """The right to write one partition, as long as nobody with a higher token has taken over."""

    def __init__(self, pointer: Pointer, entry: Entry) -> None:
        self.token = entry.number
        self._pointer = pointer

    def check(self) -> None:
        """Raises TryAgainError if the lease was taken over in the meantime."""
        newest = self._pointer.read()
        if newest is None or newest.number != self.token:
            raise TryAgainError(f"The lease {self._pointer.name} was taken over by another writer.")


class Holding(NamedTuple):
    """A lease that is marked as held."""

    name: str  # <kind>/<partition>
    entry: Entry
    is_alive: bool  # whether its holder still lives, as far as can be told from here


@contextmanager
def hold(storage: Storage, name: str) -> Iterator[Lease]:
    """Holds the lease `name` for the duration of the block.

    Raises:
      TryAgainError: If another writer holds it.
    """
    pointer = Pointer(storage, f"leases/{name}")
    newest = pointer.read()
    if newest is not None and _is_alive(storage, pointer.name, newest):
        holder = newest.value
        raise TryAgainError(
            f"{name} is being written by process {holder['pid']} on {holder['machine']} "
            f"since {newest.moved_at}."
        )
    pid = os.getpid()
    value = {
        "held": True,
        "pid": pid,
        "started": processes.start_time(pid),
        "machine": processes.machine(),
    }
    beat = _beat_path(pointer.name, newest.number + 1 if newest else 1)
    storage.replace(beat, b"")  # before the entry: no one may see the entry without a heartbeat
    try:
        entry = pointer.move(value, newest=newest, reason="take the lease")
    except TryAgainError as error:
        raise TryAgainError(
            f"{name} is being written by another process, which began at this moment."
        ) from error
    lease = Lease(pointer, entry)
    stop = threading.Event()
    # A daemon, so that its heart does not outlive a process that fails.
    thread = threading.Thread(target=_keep_beating, args=(storage, beat, stop), daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        stop.set()
        # Only after the join: a late beat would bring the file back.
        thread.join()
        storage.remove(beat)
        _release(pointer, entry)


def holders(storage: Storage) -> list[Holding]:
    """Returns every lease that is marked as held, in the order of their names."""
    found = [
        holder(storage, f"{kind}/{partition}")
        for kind in storage.names("pointers/leases")
        for partition in storage.names(f"pointers/leases/{kind}")
    ]
    return [holding for holding in found if holding is not None]


def holder(storage: Storage, name: str) -> Holding | None:
    """Returns the lease `name` if it is marked as held."""
    pointer = Pointer(storage, f"leases/{name}")
    entry = pointer.read()
    if entry is None or not entry.value["held"]:
        return None
    return Holding(name, entry, _is_alive(storage, pointer.name, entry))


def _release(pointer: Pointer, entry: Entry) -> None:
    try:
        last = pointer.move({"held": False}, newest=entry, reason="release the lease")
        pointer.forget_before(last.number)
    except TryAgainError:
        pass  # taken over: the new holder's entry stands


def _is_alive(storage: Storage, name: str, entry: Entry) -> bool:
    if not entry.value["held"]:
        return False
    if entry.value["machine"] == processes.machine():
        # Here the process itself can be asked, so a crash frees the lease at once.
        return processes.start_time(entry.value["pid"]) == entry.value["started"]
    try:
        last_beat = storage.modified_at(_beat_path(name, entry.number))
    except FileNotFoundError:
        return False
    return time.time() - last_beat < LIFETIME_SECONDS


def _keep_beating(storage: Storage, beat: str, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        try:
            storage.replace(beat, json.dumps(time.time()).encode())
        except OSError as error:  # the next beat may work; the fencing token guards the rest
            logger.warning("The heartbeat %s could not be written: %s", beat, error)


def _beat_path(name: str, token: int) -> str:
    return f"pointers/{name}/{token:08d}.beat"
