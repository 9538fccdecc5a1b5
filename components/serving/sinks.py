"""The sinks of feeds beside the Parquet artifact: PostgreSQL and Redis.

Both are written in two phases, new rows first and the switch last, so a reader sees the feeds of
one publication and never half of two. Writing the same feeds again changes nothing. The default
feed, of everybody without one of their own, is switched with the others.
"""

import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from components.erasure import forgotten
from components.errors import BadConfigurationError, TryAgainError
from components.serving import feed_files
from components.serving.feed_files import DEFAULT_FILE, FEEDS_FILE
from components.settings.config import Config
from components.settings.feeds import PostgresSink, RedisSink
from components.store.artifacts import Artifact
from schemas.feeds import TEXT_COLUMNS

if TYPE_CHECKING:
    import psycopg  # of the extra `sinks`
    import redis  # of the extra `sinks`

logger = logging.getLogger(__name__)

_COLUMNS = ("user_id", "rank", "post_id", "author_id", "score", "source", "kind", "made_on")
_TITLE = "title"  # a column more, where posts have titles
_BATCH = 10_000  # rows or keys at a time: one trip to the server for many, and little memory


def write_all(config: Config, feeds: Artifact) -> None:
    """Makes every configured sink serve `feeds`, but for users who are to be forgotten.

    A rollback serves feeds that may be older than the list of these users.

    Raises:
      BadConfigurationError: If the address of a sink is not set or its driver is not installed.
      TryAgainError: If a sink cannot be reached.
    """
    erased_ids = frozenset(forgotten.erased_ids(config).tolist())
    for sink in config.publish_feeds.sinks:
        logger.info("Writing the feeds of %s to %s.", feeds.ref.partition, sink.kind)
        if isinstance(sink, PostgresSink):
            _write_postgres(sink, feeds, erased_ids)
        else:
            _write_redis(sink, feeds, erased_ids)


def _write_postgres(sink: PostgresSink, feeds: Artifact, erased_ids: Collection[int]) -> None:
    """Points the views of feeds and of the default feed at tables of this publication."""
    try:
        import psycopg
    except ImportError as error:
        raise _not_installed("psycopg") from error
    types = _postgres_types(feeds)
    default_types: dict[str, LiteralString] = {
        name: kind for name, kind in types.items() if name != "user_id"
    }
    # PostgreSQL cuts names at 63 bytes.
    relations = (
        _Relation(sink.table, sink.table[:46], types, ("user_id", "rank")),
        _Relation(
            f"{sink.table[:55]}_default", f"{sink.table[:38]}_default", default_types, ("rank",)
        ),
    )
    sources = (_read_rows(feeds, types, erased_ids), _read_default(feeds, default_types))
    try:
        with psycopg.connect(_address(sink.dsn_variable)) as connection:
            # One transaction: both views change at its commit, together with the clean-up.
            for relation, rows in zip(relations, sources, strict=True):
                _replace_view(connection, relation, rows, version=feeds.ref.digest[:16])
    except psycopg.OperationalError as error:
        raise TryAgainError(f"PostgreSQL cannot be reached: {error}") from error


class _Relation(NamedTuple):
    """A view that shows the table of the newest publication."""

    view: str
    stem: str  # of the names of the tables
    types: "Mapping[str, LiteralString]"  # by column
    key: tuple[str, ...]


def _replace_view(
    connection: "psycopg.Connection",
    relation: _Relation,
    rows: Iterable[tuple[Any, ...]],
    *,
    version: str,
) -> None:
    """Fills a table of this publication's own, points the view at it, and drops older tables."""
    from psycopg import sql

    name, types = f"{relation.stem}_{version}", relation.types
    target, view = sql.Identifier(name), sql.Identifier(relation.view)
    fields = [sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(types[n])) for n in types]
    key = sql.SQL(", ").join(map(sql.Identifier, relation.key))
    connection.execute(
        sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(
            target, sql.SQL(", ").join(fields), key
        )
    )
    connection.execute(sql.SQL("TRUNCATE {}").format(target))
    copy = sql.SQL("COPY {} FROM STDIN")
    with connection.cursor() as cursor, cursor.copy(copy.format(target)) as stream:
        for row in rows:
            stream.write_row(row)
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position",
        [relation.view],
    ).fetchall()
    if columns != list(types.items())[: len(columns)]:
        # A view keeps its columns when it is replaced, and gets others behind them alone: ids have
        # become text, say, or posts have lost their titles.
        connection.execute(sql.SQL("DROP VIEW {}").format(view))
    connection.execute(
        sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}").format(view, target)
    )
    old = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() "
        "AND tablename ~ %s AND tablename <> %s",
        [f"^{relation.stem}_[0-9a-f]{{16}}$", name],  # nobody else's tables
    ).fetchall()
    for (table,) in old:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))


def _postgres_types(feeds: Artifact) -> "dict[str, LiteralString]":
    """Returns the columns of a table of feeds with their types, in order."""
    texts = _text_columns(feeds)
    ids: dict[str, LiteralString] = {
        name: "text" if name in texts else "bigint" for name in TEXT_COLUMNS
    }
    others: dict[str, LiteralString] = {"rank": "integer", "score": "real", "made_on": "date"}
    types = ids | others
    return {name: types.get(name, "text") for name in _columns(feeds)}


def _write_redis(sink: RedisSink, feeds: Artifact, erased_ids: Collection[int]) -> None:
    """Writes `<prefix><version>:<user>` keys, then `<prefix>current`, then drops the older keys.

    A reader takes the version from `<prefix>current` and then the user's key, or, where there is
    none, `<prefix>default:<version>`.
    """
    try:
        import redis
    except ImportError as error:
        raise _not_installed("redis") from error
    version, current = feeds.ref.digest[:16], f"{sink.prefix}current"
    try:
        with redis.Redis.from_url(_address(sink.url_variable)) as client:
            before = client.get(current)
            pipeline = client.pipeline(transaction=False)
            columns = _columns(feeds)
            default = [_place(columns[1:], row) for row in _read_default(feeds, columns[1:])]
            pipeline.set(f"{sink.prefix}default:{version}", json.dumps(default))
            rows = _read_rows(feeds, columns, erased_ids)
            for number, (user, items) in enumerate(_by_user(rows, columns)):
                pipeline.set(f"{sink.prefix}{version}:{user}", json.dumps(items))
                if number % _BATCH == _BATCH - 1:
                    pipeline.execute()
            pipeline.execute()
            client.set(current, version)
            if isinstance(before, bytes) and before.decode() != version:
                _drop(client, f"{sink.prefix}{before.decode()}:*")
                client.unlink(f"{sink.prefix}default:{before.decode()}")
    except redis.ConnectionError as error:
        raise TryAgainError(f"Redis cannot be reached: {error}") from error


def _drop(client: "redis.Redis", pattern: str) -> None:
    """Removes the keys of a pattern, in batches: SCAN and UNLINK never hold up the readers."""
    keys = []
    for key in client.scan_iter(pattern, count=_BATCH):
        keys.append(key)
        if len(keys) == _BATCH:
            client.unlink(*keys)
            keys = []
    if keys:
        client.unlink(*keys)


def _read_rows(
    feeds: Artifact, columns: Iterable[str], erased_ids: Collection[int]
) -> Iterator[tuple[Any, ...]]:
    """Yields columns of the feeds row by row, but for users who are to be forgotten."""
    return _rows_of(feeds, feeds.paths(FEEDS_FILE), columns, erased_ids)


def _read_default(feeds: Artifact, columns: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """Yields columns of the default feed row by row; nothing of feeds before there was one."""
    is_there = DEFAULT_FILE in feeds.manifest["files"]
    return _rows_of(feeds, [feeds.path(DEFAULT_FILE)] if is_there else [], columns, ())


def _rows_of(
    feeds: Artifact, paths: Sequence[Path], columns: Iterable[str], erased_ids: Collection[int]
) -> Iterator[tuple[Any, ...]]:
    """Yields columns of files of feeds row by row; ids that are text as the source writes them."""
    texts = _text_columns(feeds)
    names = [texts.get(name, name) for name in columns]
    for path in paths:
        file = pq.ParquetFile(path)
        all_names = file.schema_arrow.names
        known = [name for name in dict.fromkeys(("user_id", *names)) if name in all_names]
        for batch in file.iter_batches(batch_size=_BATCH, columns=known):
            table = feed_files.with_origin(pa.Table.from_batches([batch]), feeds.ref.partition)
            users = table["user_id"].to_pylist()
            rows = zip(*(_values(table[name]) for name in names), strict=True)
            for user, row in zip(users, rows, strict=True):
                if user not in erased_ids:
                    yield row


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Returns values that PostgreSQL and JSON know; days as text."""
    return (column.cast(pa.string()) if pa.types.is_date(column.type) else column).to_pylist()


def _columns(feeds: Artifact) -> tuple[str, ...]:
    """Returns the columns that a sink gets."""
    has_titles = _TITLE in pq.read_schema(feeds.paths(FEEDS_FILE)[0]).names
    return (*_COLUMNS, _TITLE) if has_titles else _COLUMNS


def _text_columns(feeds: Artifact) -> dict[str, str]:
    """Returns the columns with texts by the id that they are texts of; {} where ids are numbers."""
    names = pq.read_schema(feeds.paths(FEEDS_FILE)[0]).names
    return {name: text for name, text in TEXT_COLUMNS.items() if text in names}


def _by_user(
    rows: Iterator[tuple[Any, ...]], columns: Sequence[str]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields each user with the places of the feed; rows of a user stand together.

    Ids are text, numbers too: JavaScript would round those of 64 bits.
    """
    user, items = None, []
    for row in rows:
        if str(row[0]) != user:
            if user is not None:
                yield user, items
            user, items = str(row[0]), []
        items.append(_place(columns[1:], row[1:]))
    if user is not None:
        yield user, items


def _place(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    place = dict(zip(columns, row, strict=True))
    return place | {name: str(place[name]) for name in ("post_id", "author_id")}


def _address(variable: str) -> str:
    address = os.environ.get(variable)
    if not address:
        raise BadConfigurationError(f"The environment variable {variable} of a sink is not set.")
    return address


def _not_installed(package: str) -> BadConfigurationError:
    return BadConfigurationError(
        f"A sink needs the package {package}: install this project with the extra `sinks`."
    )
