"""PostgreSQL: a view of feeds and one of the default feed, switched by one row.

Layout: `<table>` and `<table>_default` are views. They show the rows of one load, which the only
row of `<table>_current` names; the rows of all loads lie in tables whose names end with a digest of
their columns. To publish is to copy rows and to change that row, in one transaction: no lock of it
touches what readers hold, so neither waits for the other, however long somebody's transaction
stays open. Only other columns need a view anew, and with it a moment without readers.
"""

import hashlib
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from components.errors import BadConfigurationError, BadDataError, StepError, TryAgainError
from components.serving.sinks.sink_feeds import SinkFeeds, address, not_installed
from components.settings.feeds import PostgresSink
from schemas.feeds import TEXT_COLUMNS

if TYPE_CHECKING:
    import psycopg  # of the extra `sinks`

logger = logging.getLogger(__name__)

# A lock that excludes readers is waited for so long, and readers that come meanwhile behind it.
_EXCLUSIVE_SECONDS, _PAUSE_SECONDS = 0.05, 0.2
# What the server says before a session begins has no code, only a text.
_REFUSED = re.compile(
    r"authentication failed|does not exist|no pg_hba\.conf entry|no password supplied"
    r"|permission denied|not permitted to log in"
)
# Classes of SQLSTATE that no later try mends: rights, names, columns, passwords, dependent views.
_FINAL_STATES = ("0A", "28", "2B", "3D", "3F", "42")
_UNDEFINED_TABLE = "42P01"  # but what somebody drops meanwhile the next run makes again


class _Relation(NamedTuple):
    """A view, and the table that holds the rows of all loads with these columns."""

    view: str
    stem: str  # of the names of the tables
    types: "Mapping[str, LiteralString]"  # by column
    key: tuple[str, ...]

    @property
    def table(self) -> str:
        digest = hashlib.sha256(json.dumps(list(self.types.items())).encode()).hexdigest()
        return f"{self.stem}_{digest[:16]}"


class PostgresFeeds:
    """The feeds of one sink in PostgreSQL."""

    def __init__(self, sink: PostgresSink) -> None:
        self.name = f"the sink {sink.table} in PostgreSQL"
        self._sink = sink
        self._current = f"{sink.stem}_current"
        self._mark = f"Phoenix feeds: {sink.table}"  # the comment of all that is ours
        # Tables of ours; those of versions before comments had the second stem, too.
        self._tables = rf"({sink.stem}|{sink.table[:38]}_default)_[0-9a-f]{{16}}"

    def serves(self, feeds: SinkFeeds) -> bool:
        """Returns whether both views show these feeds, every row: see `Sink`."""
        from psycopg import errors, sql

        relations = self._relations(feeds)
        counts = [
            sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier(relation.view))
            for relation in relations
        ]
        query = sql.SQL("SELECT version, num_rows, num_default_rows, {} FROM {}").format(
            sql.SQL(", ").join(counts), sql.Identifier(self._current)
        )
        with self._connect() as connection:
            try:
                with self._transaction(connection):
                    row = connection.execute(query).fetchone()
            except (errors.UndefinedTable, errors.UndefinedColumn):
                return False  # nothing was published here, or by an earlier version
        return row is not None and row[0] == feeds.version and row[1:3] == row[3:5]

    def write(self, feeds: SinkFeeds, may_switch: Callable[[], None]) -> None:
        """Copies the rows of a new load and lets the views show it: see `Sink`."""
        relations = self._relations(feeds)
        with self._connect() as connection:
            with self._transaction(connection):
                self._refuse_strangers(connection, relations)
                self._make_tables(connection, relations)
            with self._transaction(connection):
                self._publish(connection, relations, feeds, may_switch)
            self._clean_up(connection, relations)

    def _relations(self, feeds: SinkFeeds) -> tuple[_Relation, _Relation]:
        types = _types(feeds)
        default_types: dict[str, LiteralString] = {
            name: kind for name, kind in types.items() if name != "user_id"
        }
        sink = self._sink
        return (
            _Relation(sink.table, sink.stem, types, ("user_id", "rank")),
            _Relation(sink.default_view, sink.stem, default_types, ("rank",)),
        )

    @contextmanager
    def _connect(self) -> Iterator["psycopg.Connection"]:
        """Opens a session, and tells of its failures as errors that a person can act on."""
        try:
            import psycopg
        except ImportError as error:
            raise not_installed("psycopg") from error
        variable = self._sink.dsn_variable
        dsn = address(variable)
        try:
            connection = psycopg.connect(
                dsn,
                autocommit=True,
                connect_timeout=self._sink.connect_seconds,
                # A server that is gone without a word is noticed within half a minute.
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=30_000,
                application_name="phoenix",
            )
        except psycopg.OperationalError as error:
            is_refused = (error.pgconn and error.pgconn.needs_password) or _REFUSED.search(
                str(error)
            )
            if is_refused:
                raise BadConfigurationError(
                    f"PostgreSQL refuses the address in {variable}: {error}"
                ) from error
            raise TryAgainError(f"PostgreSQL cannot be reached: {error}") from error
        except psycopg.Error as error:  # its text may hold a part of the password
            raise BadConfigurationError(
                f"The address in {variable} is none of PostgreSQL: expected "
                "postgresql://user:password@host:port/database or host=... dbname=... user=..."
            ) from error
        try:
            with connection:
                yield connection
        except psycopg.Error as error:
            raise self._told(error) from error

    def _told(self, error: "psycopg.Error") -> StepError:
        state = error.sqlstate or ""
        text = f"{self.name} failed: {error}"
        if state.startswith("22"):
            return BadDataError(text)
        if state == "42501":
            return BadConfigurationError(
                f"{text}. Grant the right to the user in {self._sink.dsn_variable}."
            )
        if state.startswith(_FINAL_STATES) and state != _UNDEFINED_TABLE:
            return BadConfigurationError(text)
        return TryAgainError(text)

    @contextmanager
    def _transaction(self, connection: "psycopg.Connection") -> Iterator[None]:
        """Opens a transaction that waits for no lock and no answer for ever."""
        with connection.transaction():
            connection.execute(
                "SELECT set_config('lock_timeout', %s, true), "
                "set_config('statement_timeout', %s, true)",
                [f"{self._sink.lock_seconds}s", f"{self._sink.statement_seconds}s"],
            )
            yield

    def _refuse_strangers(
        self, connection: "psycopg.Connection", relations: Iterable[_Relation]
    ) -> None:
        """Refuses names under which somebody else keeps something.

        Raises:
          BadConfigurationError: If there is one, or no schema to make tables in.
        """
        (schema,) = connection.execute("SELECT current_schema()").fetchone() or (None,)
        if schema is None:
            raise BadConfigurationError(
                f"{self.name}: no schema of the search path exists that the user in "
                f"{self._sink.dsn_variable} may use."
            )
        relations = list(relations)
        names = [name for relation in relations for name in (relation.view, relation.table)]
        found = connection.execute(
            "SELECT relname, obj_description(oid, 'pg_class'), "
            "CASE WHEN relkind = 'v' THEN pg_get_viewdef(oid) ELSE '' END FROM pg_class "
            "WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%s)",
            [[*names, self._current]],
        ).fetchall()
        # Views of versions before comments show a table of these names.
        ours = re.compile(rf"FROM (\w+\.)?{self._tables}\b")
        for name, mark, definition in found:
            if mark != self._mark and not (mark is None and ours.search(definition)):
                raise BadConfigurationError(
                    f"PostgreSQL has a relation {name!r} in the schema {schema!r} that is not of "
                    f"{self.name}: choose another `table`, or drop it."
                )

    def _make_tables(
        self, connection: "psycopg.Connection", relations: Iterable[_Relation]
    ) -> None:
        from psycopg import sql

        definitions: dict[str, sql.Composable] = {
            self._current: sql.SQL(
                "is_current boolean PRIMARY KEY DEFAULT true CHECK (is_current), load bigint, "
                "version text, num_rows bigint, num_default_rows bigint"
            )
        }
        for relation in relations:
            columns = [
                sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
                for name, kind in relation.types.items()
            ]
            key = sql.SQL(", ").join(map(sql.Identifier, relation.key))
            definitions[relation.table] = sql.SQL("load bigint, {}, PRIMARY KEY (load, {})").format(
                sql.SQL(", ").join(columns), key
            )
        for name, definition in definitions.items():
            is_there = connection.execute("SELECT to_regclass(quote_ident(%s))", [name]).fetchone()
            if is_there == (None,):
                table, mark = sql.Identifier(name), sql.Literal(self._mark)
                connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, definition))
                connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, mark))

    def _publish(
        self,
        connection: "psycopg.Connection",
        relations: tuple[_Relation, _Relation],
        feeds: SinkFeeds,
        may_switch: Callable[[], None],
    ) -> None:
        from psycopg import sql

        current = sql.Identifier(self._current)
        before = connection.execute(sql.SQL("SELECT load FROM {}").format(current)).fetchone()
        load = secrets.randbits(62)
        num_rows = [
            _copy(connection, relation.table, load, rows)
            for relation, rows in zip(relations, (feeds.rows(), feeds.default_rows()), strict=True)
        ]
        for relation in relations:
            self._point_view(connection, relation)
        may_switch()
        switched = connection.execute(
            sql.SQL(
                "INSERT INTO {0} AS c (load, version, num_rows, num_default_rows) "
                "VALUES (%s, %s, %s, %s) ON CONFLICT (is_current) DO UPDATE SET "
                "load = excluded.load, version = excluded.version, num_rows = excluded.num_rows, "
                "num_default_rows = excluded.num_default_rows WHERE c.load = %s"
            ).format(current),
            [load, feeds.version, *num_rows, before[0] if before else None],
        )
        if not switched.rowcount:
            raise TryAgainError(f"Somebody else wrote {self.name} meanwhile: run this again.")

    def _point_view(self, connection: "psycopg.Connection", relation: _Relation) -> None:
        """Lets the view show the table of these columns, where it does not yet."""
        from psycopg import errors, sql

        view, table = sql.Identifier(relation.view), sql.Identifier(relation.table)
        definition = connection.execute(
            "SELECT pg_get_viewdef(to_regclass(quote_ident(%s)))", [relation.view]
        ).fetchone()
        if definition and relation.table in (definition[0] or ""):
            return
        columns = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position",
            [relation.view],
        ).fetchall()
        names = sql.SQL(", ").join(map(sql.Identifier, relation.types))
        statements = [
            sql.SQL(
                "CREATE OR REPLACE VIEW {} AS SELECT {} FROM {} WHERE load = (SELECT load FROM {})"
            ).format(view, names, table, sql.Identifier(self._current)),
            sql.SQL("COMMENT ON VIEW {} IS {}").format(view, sql.Literal(self._mark)),
        ]
        if columns != list(relation.types.items())[: len(columns)]:
            # A view keeps its columns when it is replaced, and gets others behind them alone: ids
            # have become text, say, or posts have lost their titles.
            statements.insert(0, sql.SQL("DROP VIEW {}").format(view))
        end = time.monotonic() + self._sink.lock_seconds
        while True:
            try:
                with connection.transaction():
                    _set_lock_timeout(connection, _EXCLUSIVE_SECONDS)
                    for statement in statements:
                        connection.execute(statement)
                _set_lock_timeout(connection, self._sink.lock_seconds)
                return
            except errors.LockNotAvailable:
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _clean_up(self, connection: "psycopg.Connection", relations: Iterable[_Relation]) -> None:
        """Removes rows and tables of earlier loads; what is in use is left to the next time."""
        from psycopg import sql

        for relation in relations:
            with self._leniently(connection):
                connection.execute(
                    sql.SQL("DELETE FROM {} WHERE load <> (SELECT load FROM {})").format(
                        sql.Identifier(relation.table), sql.Identifier(self._current)
                    )
                )
        old: list[tuple[str]] = []
        with self._leniently(connection):
            old += connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() "
                "AND tablename ~ %s AND tablename <> ALL(%s)",
                [f"^{self._tables}$", [relation.table for relation in relations]],
            ).fetchall()
        for (table,) in old:
            with self._leniently(connection):
                _set_lock_timeout(connection, _EXCLUSIVE_SECONDS)
                connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))

    @contextmanager
    def _leniently(self, connection: "psycopg.Connection") -> Iterator[None]:
        """Opens a transaction whose failure is told of alone: the feeds are served already."""
        import psycopg

        try:
            with self._transaction(connection):
                yield
        except psycopg.Error as error:
            logger.warning(
                "%s is written; what was before is removed by the next time: %s", self.name, error
            )


def _set_lock_timeout(connection: "psycopg.Connection", seconds: float) -> None:
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"])


def _copy(
    connection: "psycopg.Connection", table: str, load: int, rows: Iterable[tuple[Any, ...]]
) -> int:
    """Copies rows into a table as those of a load; returns how many."""
    from psycopg import sql

    num_rows = 0
    copy = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
    with connection.cursor() as cursor, cursor.copy(copy) as stream:
        for row in rows:
            stream.write_row((load, *row))
            num_rows += 1
    return num_rows


def _types(feeds: SinkFeeds) -> "dict[str, LiteralString]":
    """Returns the columns of a table of feeds with their types, in order."""
    texts = feeds.text_columns
    ids: dict[str, LiteralString] = {
        name: "text" if name in texts else "bigint" for name in TEXT_COLUMNS
    }
    others: dict[str, LiteralString] = {"rank": "integer", "score": "real", "made_on": "date"}
    types = ids | others
    return {name: types.get(name, "text") for name in feeds.columns}
