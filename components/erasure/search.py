"""A search for forgotten users in what is kept: the proof that they are gone."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components import contract
from components.erasure.forgotten import ForgottenUsers, forgotten_users, forgotten_users_in
from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.source import UserIdForm
from components.store import artifacts
from components.store.artifacts import Store
from components.store.storage import MANIFEST

_USER_COLUMNS = ("user_id", "user_ids")


class Version(NamedTuple):
    """A folder of an artifact: what is current, what was, or what is set aside as damaged."""

    kind: str
    partition: str
    key: str
    folder: str  # below the root of the store
    is_current: bool  # whether it is the one that steps read


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Rows of forgotten users in one file of one artifact."""

    kind: str
    partition: str
    key: str
    folder: str  # below the root of the store
    is_current: bool  # whether the artifact is the one that steps read
    file: str
    rows: int  # rows that name a forgotten user; 0 in a file that cannot be read
    users: int  # different users in them
    user_ids: frozenset[int] = field(default=frozenset(), repr=False)  # they, who are in no answer
    is_readable: bool = True  # one that is not may hold anybody


def traces(store: Store, config: Config) -> list[Trace]:
    """Searches every artifact of the store for forgotten users, old and damaged versions included.

    Tables are searched by their column of user ids, rejected rows by what they hold. Models and
    embeddings have no ids: users are hashed into shared rows of a table.

    Raises:
      BadConfigurationError: If no list is configured.
    """
    users = forgotten_users(config)
    if not users.ids:
        raise BadConfigurationError(
            "`ingest_events.erased_users` names no user: there is nobody to search for."
        )
    form = config.ingest_events.source.user_ids
    return [trace for version in _versions(store) for trace in _traces(store, version, users, form)]


def lines_without_rows(traces: Sequence[Trace], config: Config) -> list[int]:
    """Returns the lines of the list of which no row of the store names the user.

    They are forgotten already, or no user ever had this id.

    Args:
      traces: Of the store.
      config: Names the list.
    """
    named = frozenset[int]().union(*(trace.user_ids for trace in traces))
    return [line for line, ids in forgotten_users(config).entries if not ids & named]


def _traces(
    store: Store, version: Version, users: ForgottenUsers, form: UserIdForm
) -> Iterator[Trace]:
    for name, path in _tables(store, version):
        user_ids, is_readable = list[int](), True
        try:
            user_ids = _users_in_file(path, users, form)
        except (pa.ArrowInvalid, OSError):
            # Of what is current `doctor` tells; elsewhere nobody would ever look again.
            is_readable = version.is_current
            if version.is_current:
                raise
        if user_ids or not is_readable:
            yield Trace(
                **version._asdict(),
                file=name,
                rows=len(user_ids),
                users=len(set(user_ids)),
                user_ids=frozenset(user_ids),
                is_readable=is_readable,
            )


def _versions(store: Store) -> Iterator[Version]:
    for kind in contract.STEPS:
        for partition in store.storage.names(kind):
            head = store.head(kind, partition)
            for key in store.storage.names(f"{kind}/{partition}"):
                is_current = head is not None and head.key == key
                yield Version(kind, partition, key, f"{kind}/{partition}/{key}", is_current)
    for name in store.storage.names(artifacts.DAMAGED):
        kind, partition, key = artifacts.parse_damaged(name)
        yield Version(kind, partition, key, f"{artifacts.DAMAGED}/{name}", is_current=False)


def _tables(store: Store, version: Version) -> Iterator[tuple[str, Path]]:
    """Yields the names and local paths of the tables in a folder."""
    try:
        names = list(json.loads(store.storage.read(f"{version.folder}/{MANIFEST}"))["files"])
    except (FileNotFoundError, ValueError):  # being written or removed, or damaged
        names = store.storage.files(version.folder)
    for name in names:
        if name.endswith(".parquet") and store.storage.exists(f"{version.folder}/{name}"):
            yield name, store.storage.fetch(f"{version.folder}/{name}")


def _users_in_file(path: Path, users: ForgottenUsers, form: UserIdForm) -> list[int]:
    """Returns the forgotten user of every row that has one."""
    names = pq.read_schema(path).names
    user_ids: list[int] = []
    for name in _USER_COLUMNS:
        if name in names:
            column = pq.read_table(path, columns=[name])[name].drop_null().to_numpy()
            user_ids += column[np.isin(column, list(users.ids))].tolist()
    if "raw" in names:
        rows = pq.read_table(path, columns=["raw"])["raw"].to_pylist()
        # A row counts once, however often its content names somebody.
        user_ids += [user for raw in rows for user in forgotten_users_in(raw, users, form)[:1]]
    return user_ids
