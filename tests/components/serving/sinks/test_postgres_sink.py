"""PostgreSQL shows whole publications, and neither readers nor publication wait."""

import datetime
import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from components.errors import BadConfigurationError, TryAgainError
from components.serving.sinks.postgres_sink import PostgresFeeds
from components.serving.sinks.sink_feeds import SinkFeeds
from components.settings.feeds import PostgresSink
from tests.components.sink_servers import (
    PostgresServer,
    default_posts,
    feed_rows,
    free_port,
    nobody_else,
)

DAYS = ("2026-01-02", "2026-01-03")
NONE: frozenset[int] = frozenset()


@pytest.fixture
def publications(three_days) -> list[SinkFeeds]:
    return [SinkFeeds(three_days.artifact("publish_feeds", day), NONE) for day in DAYS]


@pytest.fixture
def sink(postgres_server: PostgresServer) -> PostgresFeeds:
    return PostgresFeeds(PostgresSink(kind="postgres", lock_seconds=1, connect_seconds=5))


def posts(dsn: str) -> list[tuple[int, int, int]]:
    with psycopg.connect(dsn) as connection:
        query = "SELECT user_id, rank, post_id FROM phoenix_feeds ORDER BY user_id, rank"
        return connection.execute(query).fetchall()


def expected_posts(feeds: SinkFeeds) -> list[tuple[int, int, int]]:
    rows = feed_rows(feeds.artifact)
    return [(row["user_id"], row["rank"], row["post_id"]) for row in rows]


def test_the_newest_publication_is_shown_through_one_view(
    postgres_server: PostgresServer, sink: PostgresFeeds, publications
) -> None:
    postgres_server.execute("CREATE TABLE phoenix_feeds_notes (note text)")
    for feeds in (*publications, publications[1]):
        sink.write(feeds, nobody_else)
        assert posts(postgres_server.dsn) == expected_posts(feeds)
        with psycopg.connect(postgres_server.dsn) as connection:
            count = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'ph%'"
            found = connection.execute(count).fetchone()
            default = connection.execute(
                "SELECT post_id, kind, made_on FROM phoenix_feeds_default ORDER BY rank"
            ).fetchall()
        assert found == (4,), "feeds, default feed, the current load, and somebody else's"
        made_on = datetime.date.fromisoformat(feeds.artifact.ref.partition)
        expected = [(int(post), "popular", made_on) for post in default_posts(feeds.artifact)]
        assert default == expected


def test_columns_of_text_and_titles_are_there_where_feeds_have_them(
    postgres_server: PostgresServer, sink: PostgresFeeds, publications, titled_feeds
) -> None:
    plain, titled = publications[0], SinkFeeds(titled_feeds, NONE)
    # There and back: the view gets other columns, and loses them again.
    for feeds, is_titled in ((plain, False), (titled, True), (plain, False), (titled, True)):
        sink.write(feeds, nobody_else)
        with psycopg.connect(postgres_server.dsn) as connection:
            cursor = connection.execute("SELECT * FROM phoenix_feeds ORDER BY user_id, rank")
            names = [column.name for column in cursor.description or ()]
            (first, *_) = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE tablename ~ '^ph'")
            assert len(tables.fetchall()) == 3, "tables of other columns are gone"
        assert ("title" in names) == is_titled
        assert isinstance(first["user_id"], str if is_titled else int)
    with psycopg.connect(postgres_server.dsn) as connection:
        came = connection.execute(
            "SELECT user_id, rank, post_id, author_id, title FROM phoenix_feeds"
        ).fetchall()
    names = ("user", "rank", "post", "author", "title")
    expected = [tuple(row[name] for name in names) for row in feed_rows(titled_feeds)]
    assert sorted(came) == sorted(expected)


def test_a_view_of_an_earlier_version_is_taken_over_with_its_grants(
    postgres_server: PostgresServer, sink: PostgresFeeds, publications
) -> None:
    table = "phoenix_feeds_0123456789abcdef"
    columns = (
        "user_id bigint, rank integer, post_id bigint, author_id bigint, score real, source text, "
        "kind text, made_on date"
    )
    postgres_server.execute(
        f"CREATE TABLE {table} ({columns})",
        f"CREATE VIEW phoenix_feeds AS SELECT * FROM {table}",
        "CREATE ROLE app",
        "GRANT SELECT ON phoenix_feeds TO app",
    )
    sink.write(publications[0], nobody_else)
    assert posts(postgres_server.dsn) == expected_posts(publications[0])
    with psycopg.connect(postgres_server.dsn) as connection:
        connection.execute("SET ROLE app")
        assert connection.execute("SELECT count(*) FROM phoenix_feeds").fetchone() != (0,)
        connection.execute("RESET ROLE")
        assert connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,)


def test_an_idle_transaction_holds_nothing_up(
    postgres_server: PostgresServer, sink: PostgresFeeds, publications
) -> None:
    sink.write(publications[0], nobody_else)
    with psycopg.connect(postgres_server.dsn) as idle:
        idle.execute("SELECT count(*) FROM phoenix_feeds, phoenix_feeds_default")
        waits, is_over = [], threading.Event()

        def read() -> None:
            while not is_over.is_set():
                began = time.monotonic()
                posts(postgres_server.dsn)
                waits.append(time.monotonic() - began)

        reader = threading.Thread(target=read)
        reader.start()
        began = time.monotonic()
        sink.write(publications[1], nobody_else)
        seconds = time.monotonic() - began
        is_over.set()
        reader.join()
        assert seconds < 5
        assert sorted(waits)[len(waits) // 2] < 0.1
        assert max(waits) < 1, "generous: a busy machine; what waits for a lock waits longer"
        found = idle.execute("SELECT count(*) FROM phoenix_feeds").fetchone()
        assert found == (len(expected_posts(publications[1])),)
    assert posts(postgres_server.dsn) == expected_posts(publications[1])


def test_what_was_lost_is_noticed(
    postgres_server: PostgresServer, sink: PostgresFeeds, publications
) -> None:
    feeds, other = publications
    assert not sink.serves(feeds)
    sink.write(feeds, nobody_else)
    assert sink.serves(feeds)
    assert not sink.serves(other)
    (table,) = _tables(
        postgres_server,
        "SELECT table_name FROM information_schema.columns "
        "WHERE column_name = 'user_id' AND table_name ~ '[0-9a-f]{16}$'",
    )
    postgres_server.execute(f"DELETE FROM {table} WHERE rank = 1 AND user_id % 5 = 0")
    assert not sink.serves(feeds)
    sink.write(feeds, nobody_else)
    postgres_server.execute("DROP VIEW phoenix_feeds_default")
    assert not sink.serves(feeds)
    sink.write(feeds, nobody_else)
    assert sink.serves(feeds)
    postgres_server.execute(f"DROP TABLE {table} CASCADE")
    sink.write(feeds, nobody_else)
    assert posts(postgres_server.dsn) == expected_posts(feeds)


def _tables(server: PostgresServer, query: str) -> list[str]:
    with psycopg.connect(server.dsn) as connection:
        return [name for (name,) in connection.execute(query.encode()).fetchall()]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE phoenix_feeds (note text)",
        "CREATE VIEW phoenix_feeds_default AS SELECT 1 AS one",
        "CREATE TABLE phoenix_feeds_current (note text)",
    ],
)
def test_what_is_somebody_elses_is_refused_by_name(
    postgres_server: PostgresServer, sink: PostgresFeeds, publications, statement: str
) -> None:
    postgres_server.execute(statement)
    name = statement.split()[2]
    assert not sink.serves(publications[0])
    with pytest.raises(BadConfigurationError, match=f"relation '{name}'.* not of the sink"):
        sink.write(publications[0], nobody_else)


def test_tables_of_another_sink_with_the_same_beginning_are_refused(
    postgres_server: PostgresServer, publications, monkeypatch
) -> None:
    monkeypatch.setenv("ANOTHER_DSN", postgres_server.dsn)
    stem = "f" * 46
    PostgresFeeds(PostgresSink(kind="postgres", table=stem + "_a")).write(
        publications[0], nobody_else
    )
    other = PostgresSink(kind="postgres", table=stem + "_b", dsn_variable="ANOTHER_DSN")
    with pytest.raises(BadConfigurationError, match=r"is not of the sink f+_b"):
        PostgresFeeds(other).write(publications[0], nobody_else)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda dsn: dsn.replace("dbname=postgres", "dbname=nowhere"), BadConfigurationError, "no"),
        (lambda dsn: dsn.replace("user=phoenix", "user=nobody"), BadConfigurationError, "nobody"),
        (lambda dsn: dsn.replace("user=phoenix", "user=guest"), BadConfigurationError, "right"),
        (lambda dsn: dsn + " options='-c search_path=none'", BadConfigurationError, "search path"),
        (lambda dsn: "not a dsn s3cret", BadConfigurationError, "none of PostgreSQL"),
        (lambda dsn: f"host=127.0.0.1 port={free_port()}", TryAgainError, "cannot be reached"),
        (lambda dsn: "host=no.such.host.invalid", TryAgainError, "cannot be reached"),
    ],
    ids=["database", "user", "rights", "schema", "dsn", "port", "host"],
)
def test_addresses_and_rights_have_their_class(
    postgres_server: PostgresServer,
    sink: PostgresFeeds,
    publications,
    monkeypatch,
    change: Callable[[str], str],
    error: type[Exception],
    text: str,
) -> None:
    postgres_server.execute("CREATE ROLE guest LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    monkeypatch.setenv("PHOENIX_POSTGRES_DSN", change(postgres_server.dsn))
    with pytest.raises(error, match=text) as caught:
        sink.write(publications[0], nobody_else)
    assert "s3cret" not in str(caught.value)


def test_a_wrong_password_is_a_wrong_configuration(
    postgres_server: PostgresServer, sink: PostgresFeeds, publications, monkeypatch
) -> None:
    postgres_server.execute("CREATE ROLE ann LOGIN SUPERUSER PASSWORD 'right'")
    (postgres_server.data / "pg_hba.conf").write_text(
        "host all ann 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
    )
    postgres_server.execute("SELECT pg_reload_conf()")
    time.sleep(0.2)
    dsn = postgres_server.dsn.replace("user=phoenix", "user=ann")
    for address in (f"{dsn} password=wrong", dsn):
        monkeypatch.setenv("PHOENIX_POSTGRES_DSN", address)
        with pytest.raises(BadConfigurationError, match="refuses the address"):
            sink.write(publications[0], nobody_else)
    monkeypatch.setenv("PHOENIX_POSTGRES_DSN", f"{dsn} password=right")
    sink.write(publications[0], nobody_else)


def test_of_two_writers_the_second_to_switch_loses(
    postgres_server: PostgresServer, sink: PostgresFeeds, publications
) -> None:
    sink.write(publications[0], nobody_else)
    with pytest.raises(TryAgainError, match="Somebody else wrote"):
        # Another writer comes and goes while this one is about to switch.
        sink.write(publications[0], lambda: sink.write(publications[1], nobody_else))
    assert posts(postgres_server.dsn) == expected_posts(publications[1])


def test_a_view_with_other_columns_waits_for_its_readers_and_gives_up_in_time(
    postgres_server: PostgresServer, sink: PostgresFeeds, publications, titled_feeds
) -> None:
    sink.write(publications[0], nobody_else)
    titled = SinkFeeds(titled_feeds, NONE)
    with psycopg.connect(postgres_server.dsn) as idle:
        idle.execute("SELECT count(*) FROM phoenix_feeds")
        with pytest.raises(TryAgainError, match="lock"):
            sink.write(titled, nobody_else)
        assert posts(postgres_server.dsn) == expected_posts(publications[0])
    sink.write(titled, nobody_else)
    assert sink.serves(titled)
