"""The sinks hold one whole publication, seen through real servers."""

import datetime
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import BadConfigurationError, TryAgainError
from components.serving import feed_files, sinks
from components.settings.feeds import PostgresSink, RedisSink
from components.store.artifacts import Artifact
from components.tables.id_texts import IdTexts

DAYS = ("2026-01-02", "2026-01-03")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _config(world, sink):
    section = world.config.publish_feeds.model_copy(update={"sinks": (sink,)})
    return world.config.model_copy(update={"publish_feeds": section})


def _rows(artifact) -> list[dict]:
    rows = pq.read_table(artifact.path("feeds.parquet"))
    return rows.sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()


def _default_posts(artifact) -> list[str]:
    rows = pq.read_table(artifact.path("default.parquet"))
    return [str(post) for post in rows["post_id"].to_pylist()]


@pytest.fixture
def redis_url(require_program, tmp_path: Path) -> Iterator[str]:
    port = _free_port()
    server = subprocess.Popen(
        [
            require_program("redis-server"),
            "--port",
            str(port),
            "--save",
            "",
            "--dir",
            str(tmp_path),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def postgres_dsn(require_program, tmp_path: Path) -> Iterator[str]:
    programs, data, port = Path(require_program("initdb")).parent, tmp_path / "pg", _free_port()
    as_user: list[str] = []
    if Path("/proc/self").owner() == "root":  # PostgreSQL refuses to run as root
        as_user = [require_program("setpriv"), "--reuid=postgres", "--regid=postgres"]
        as_user += ["--clear-groups"]
        data = Path(f"/tmp/phoenix-test-postgres-{port}")
    server = None
    try:
        subprocess.run(
            [*as_user, programs / "initdb", "-D", data, "-U", "phoenix", "-A", "trust", "-N"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        server = subprocess.Popen(
            [*as_user, programs / "postgres", "-D", data, "-p", str(port), "-k", "", "-F"],
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        dsn = f"host=127.0.0.1 port={port} user=phoenix dbname=postgres"
        import psycopg

        for _ in range(200):
            try:
                psycopg.connect(dsn).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.05)
        yield dsn
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        shutil.rmtree(data, ignore_errors=True)


def test_redis_serves_the_newest_publication_and_drops_the_one_before(
    three_days, redis_url: str, monkeypatch
) -> None:
    import redis

    monkeypatch.setenv("PHOENIX_REDIS_URL", redis_url)
    config = _config(three_days, RedisSink(kind="redis"))
    for day in (*DAYS, DAYS[1]):
        feeds = three_days.artifact("publish_feeds", day)
        sinks.write_all(config, feeds)
        rows = _rows(feeds)
        with redis.Redis.from_url(redis_url) as client:
            version = client.get("phoenix:feed:current").decode()
            assert client.dbsize() == len({row["user_id"] for row in rows}) + 2
            default = json.loads(client.get(f"phoenix:feed:default:{version}"))
        assert [item["post_id"] for item in default] == _default_posts(feeds)
        assert {item["kind"] for item in default} == {"popular"}
        with redis.Redis.from_url(redis_url) as client:
            found = json.loads(client.get(f"phoenix:feed:{version}:{rows[0]['user_id']}"))
        expected = [str(row["post_id"]) for row in rows if row["user_id"] == rows[0]["user_id"]]
        assert [item["post_id"] for item in found] == expected


def test_postgres_shows_the_newest_publication_through_one_view(
    three_days, postgres_dsn: str, monkeypatch
) -> None:
    import psycopg

    monkeypatch.setenv("PHOENIX_POSTGRES_DSN", postgres_dsn)
    config = _config(three_days, PostgresSink(kind="postgres"))
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("CREATE TABLE phoenix_feeds_notes (note text)")
    for day in (*DAYS, DAYS[1]):
        feeds = three_days.artifact("publish_feeds", day)
        sinks.write_all(config, feeds)
        with psycopg.connect(postgres_dsn) as connection:
            found = connection.execute(
                "SELECT user_id, rank, post_id FROM phoenix_feeds ORDER BY user_id, rank"
            ).fetchall()
            tables = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'ph%'")
            assert tables.fetchone() == (3,), "feeds, default feed, and the table of somebody else"
            default = connection.execute(
                "SELECT post_id, kind, made_on FROM phoenix_feeds_default ORDER BY rank"
            ).fetchall()
        made_on = datetime.date.fromisoformat(day)
        expected = [(int(post), "popular", made_on) for post in _default_posts(feeds)]
        assert default == expected
        rows = _rows(feeds)
        assert found == [(row["user_id"], row["rank"], row["post_id"]) for row in rows]


@pytest.fixture
def titled_feeds(three_days, tmp_path: Path) -> Artifact:
    """Feeds whose ids are text, with titles of all posts but one."""
    feeds = three_days.artifact("publish_feeds", DAYS[1])
    table = feed_files.read([feeds.path("feeds.parquet")])
    texts = {
        name: IdTexts.of(name, ids, pa.array([f"{name[0]}-{n}" for n in ids]))
        for name in ("user_id", "post_id", "author_id")
        for ids in [np.unique(table[name].to_numpy())]
    }
    posts = texts["post_id"].ids[1:]
    texts["title"] = IdTexts.of("post_id", posts, pa.array([f'Post {n}, "red"' for n in posts]))
    folder = tmp_path / "titled"
    folder.mkdir()
    table = feed_files.with_texts(table, texts)
    with feed_files.writer(folder, table.schema, num_buckets=1) as writer:
        writer.write_rows(table)
    default = feed_files.with_texts(pq.read_table(feeds.path("default.parquet")), texts)
    feed_files.write_default(folder, default)
    return replace(feeds, folder=folder)


def test_postgres_has_columns_of_text_and_titles_where_feeds_do(
    three_days, titled_feeds: Artifact, postgres_dsn: str, monkeypatch
) -> None:
    import psycopg

    monkeypatch.setenv("PHOENIX_POSTGRES_DSN", postgres_dsn)
    config = _config(three_days, PostgresSink(kind="postgres"))
    plain = three_days.artifact("publish_feeds", DAYS[0])
    # There and back: the view gets other columns, and loses them again.
    for feeds, is_titled in ((plain, False), (titled_feeds, True), (plain, False)):
        sinks.write_all(config, feeds)
        with psycopg.connect(postgres_dsn) as connection:
            cursor = connection.execute("SELECT * FROM phoenix_feeds ORDER BY user_id, rank")
            names = [column.name for column in cursor.description or ()]
            (first, *_) = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        assert ("title" in names) == is_titled
        assert isinstance(first["user_id"], str if is_titled else int)
    sinks.write_all(config, titled_feeds)
    with psycopg.connect(postgres_dsn) as connection:
        came = connection.execute(
            "SELECT user_id, rank, post_id, author_id, title FROM phoenix_feeds"
        ).fetchall()
    names = ("user", "rank", "post", "author", "title")
    expected = [tuple(row[name] for name in names) for row in _rows(titled_feeds)]
    assert sorted(came) == sorted(expected)


def test_redis_gives_ids_that_are_text_and_titles(
    three_days, titled_feeds: Artifact, redis_url: str, monkeypatch
) -> None:
    import redis

    monkeypatch.setenv("PHOENIX_REDIS_URL", redis_url)
    sinks.write_all(_config(three_days, RedisSink(kind="redis")), titled_feeds)
    rows = _rows(titled_feeds)
    with redis.Redis.from_url(redis_url) as client:
        version = client.get("phoenix:feed:current").decode()
        places = json.loads(client.get(f"phoenix:feed:{version}:{rows[0]['user']}"))
    expected = [(row["post"], row["title"]) for row in rows if row["user"] == rows[0]["user"]]
    assert [(place["post_id"], place["title"]) for place in places] == expected


def test_feeds_from_before_the_list_are_served_without_forgotten_users(
    three_days, postgres_dsn: str, redis_url: str, tmp_path: Path, monkeypatch
) -> None:
    import psycopg
    import redis

    monkeypatch.setenv("PHOENIX_POSTGRES_DSN", postgres_dsn)
    monkeypatch.setenv("PHOENIX_REDIS_URL", redis_url)
    feeds = three_days.artifact("publish_feeds", DAYS[1])
    first, *others = sorted({row["user_id"] for row in _rows(feeds)})
    (tmp_path / "forget.txt").write_text(str(first))
    for sink in (PostgresSink(kind="postgres"), RedisSink(kind="redis")):
        config = _config(three_days, sink)
        listed = {"erased_users": tmp_path / "forget.txt"}
        ingest = config.ingest_events.model_copy(update=listed)
        sinks.write_all(config.model_copy(update={"ingest_events": ingest}), feeds)
    with psycopg.connect(postgres_dsn) as connection:
        found = connection.execute("SELECT DISTINCT user_id FROM phoenix_feeds ORDER BY user_id")
        assert [user for (user,) in found.fetchall()] == others
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == len(others) + 2


def test_a_sink_that_cannot_be_reached_is_worth_another_try(three_days, monkeypatch) -> None:
    feeds = three_days.artifact("publish_feeds", DAYS[1])
    monkeypatch.setenv("PHOENIX_REDIS_URL", f"redis://127.0.0.1:{_free_port()}")
    with pytest.raises(TryAgainError, match="Redis cannot be reached"):
        sinks.write_all(_config(three_days, RedisSink(kind="redis")), feeds)
    monkeypatch.setenv("PHOENIX_POSTGRES_DSN", f"host=127.0.0.1 port={_free_port()}")
    with pytest.raises(TryAgainError, match="PostgreSQL cannot be reached"):
        sinks.write_all(_config(three_days, PostgresSink(kind="postgres")), feeds)


def test_a_sink_without_address_is_refused_by_its_variable(three_days, monkeypatch) -> None:
    monkeypatch.delenv("PHOENIX_REDIS_URL", raising=False)
    with pytest.raises(BadConfigurationError, match="PHOENIX_REDIS_URL of a sink is not set"):
        sinks.write_all(
            _config(three_days, RedisSink(kind="redis")),
            three_days.artifact("publish_feeds", DAYS[1]),
        )
