"""Pointers: small values that change, by compare-and-swap only, and never forget.

A pointer is its own log: a folder of numbered entries, of which the highest is the value. Moving it
means creating the next number, which exactly one writer can do. The one operation that this needs,
"create if absent", exists on every file system and object store, and the history of who moved what
and why cannot be lost, because it is the pointer.
"""

import datetime
import getpass
import json
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.errors import BadDataError, TryAgainError
from components.store import formats
from components.store.storage import Storage

# With eight digits, the order of the names is that of the numbers.
_ENTRY_NAME = re.compile(r"[0-9]{8,}\.json")


@dataclass(frozen=True)
class Entry:
    """One move of a pointer."""

    number: int  # 1, 2, 3, ...
    value: Mapping[str, Any]
    moved_at: str  # UTC, ISO 8601
    actor: str
    reason: str


class Pointer:
    """The pointer at `pointers/<name>` of a store."""

    def __init__(self, storage: Storage, name: str) -> None:
        self.name = name
        self._storage = storage
        self._folder = f"pointers/{name}"

    def read(self) -> Entry | None:
        """Returns the newest entry, or None if the pointer was never moved.

        Raises:
          BadDataError: If the entry is damaged, or of a format unknown here.
        """
        while numbers := self._numbers():
            try:
                return self._entry(numbers[-1])
            except FileNotFoundError:  # forgotten since it was listed: there is a newer one
                continue
        return None

    def log(self) -> list[Entry]:
        """Returns all entries, oldest first."""
        return [self._entry(number) for number in self._numbers()]

    def move(
        self,
        value: Mapping[str, Any],
        *,
        newest: Entry | None,
        reason: str,
        actor: str | None = None,
    ) -> Entry:
        """Appends an entry with `value` if `newest` still is the newest entry.

        Args:
          value: The new value; JSON-able.
          newest: What `read` returned when the decision to move was taken.
          reason: Why, for the log.
          actor: Who; by default the user and host of this process.

        Raises:
          TryAgainError: If somebody moved the pointer since `newest` was read.
        """
        entry = Entry(
            number=(newest.number if newest else 0) + 1,
            value=dict(value),
            moved_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            actor=actor or default_actor(),
            reason=reason,
        )
        data = json.dumps(vars(entry), indent=2, sort_keys=True).encode()
        # Whoever creates the number first has moved the pointer; for all others it exists.
        if not self._storage.create(f"{self._folder}/{entry.number:08d}.json", data):
            raise TryAgainError(
                f"The pointer {self.name} was moved by somebody else (entry {entry.number} exists)."
            )
        return entry

    def forget_before(self, number: int) -> None:
        """Removes entries older than `number`; for leases, whose history has no readers."""
        for old in self._numbers():
            if old < number:
                self._storage.remove(f"{self._folder}/{old:08d}.json")

    def _numbers(self) -> list[int]:
        names = self._storage.names(self._folder)
        return [int(name[:-5]) for name in names if _ENTRY_NAME.fullmatch(name)]

    def _entry(self, number: int) -> Entry:
        path = f"{self._folder}/{number:08d}.json"
        data = self._storage.read(path)
        try:
            content = dict(json.loads(data))
            version = content.pop("format", formats.FIRST)
            formats.check(
                f"The entry {self._storage.uri(path)}", version, newest=formats.POINTER_ENTRY
            )
            entry = Entry(**content)
        except (ValueError, TypeError) as error:
            raise BadDataError(
                f"The entry {self._storage.uri(path)} of the pointer {self.name} is damaged: "
                f"{error}. Restore it, or remove it: then the entry before it counts."
            ) from error
        return entry


def default_actor() -> str:
    """Returns `user@host`, or `user@host (Airflow run)` inside a task."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        user = str(os.getuid())
    run = os.environ.get("AIRFLOW_CTX_DAG_RUN_ID")
    return f"{user}@{socket.gethostname()}" + (f" ({run})" if run else "")
