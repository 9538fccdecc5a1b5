"""A search for forgotten users in what is kept: the proof that they are gone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from components import contract
from components.erasure.forgotten import ForgottenUsers, forgotten_users, forgotten_users_in
from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.source import UserIdForm
from components.store.artifacts import Store
from components.store.storage import MANIFEST

_USER_COLUMNS = ("user_id", "user_ids")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Rows of forgotten users in one file of one artifact."""

    kind: str
    partition: str
    key: str
    is_current: bool  # whether the artifact is the one that steps read
    file: str
    rows: int  # rows that name a forgotten user
    users: int  # different users in them


def traces(store: Store, config: Config) -> list[Trace]:
    """Searches every artifact of the store, old versions included, for forgotten users.

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
    return [
        Trace(
            kind=kind,
            partition=partition,
            key=key,
            is_current=is_current,
            file=name,
            rows=len(user_ids),
            users=len(set(user_ids)),
        )
        for kind, partition, key, is_current in _artifacts(store)
        for name, path in _tables(store, f"{kind}/{partition}/{key}")
        if (user_ids := _users_in_file(path, users, config.ingest_events.source.user_ids))
    ]


def _artifacts(store: Store) -> Iterator[tuple[str, str, str, bool]]:
    for kind in contract.STEPS:
        for partition in store.storage.names(kind):
            head = store.head(kind, partition)
            for key in store.storage.names(f"{kind}/{partition}"):
                yield kind, partition, key, head is not None and head.key == key


def _tables(store: Store, artifact: str) -> Iterator[tuple[str, Path]]:
    manifest = json.loads(store.storage.read(f"{artifact}/{MANIFEST}"))
    for name in manifest["files"]:
        if name.endswith(".parquet"):
            yield name, store.storage.fetch(f"{artifact}/{name}")


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
