"""Redis serves whole publications by user."""

import json
from collections.abc import Callable

import pytest
import redis

from components.errors import BadConfigurationError, TryAgainError
from components.serving.sinks.redis_sink import RedisFeeds
from components.serving.sinks.sink_feeds import SinkFeeds
from components.settings.feeds import RedisSink
from tests.components.sink_servers import (
    RedisServer,
    default_posts,
    feed_rows,
    free_port,
    nobody_else,
)

DAYS = ("2026-01-02", "2026-01-03")
NONE: frozenset[int] = frozenset()
PREFIX = "phoenix:feed:"


@pytest.fixture
def publications(three_days) -> list[SinkFeeds]:
    return [SinkFeeds(three_days.artifact("publish_feeds", day), NONE) for day in DAYS]


@pytest.fixture
def sink(redis_server: RedisServer) -> RedisFeeds:
    return RedisFeeds(RedisSink(kind="redis", timeout_seconds=2))


@pytest.fixture
def client(redis_server: RedisServer):
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        yield client


def served(client, user: object) -> list[dict]:
    load = client.get(f"{PREFIX}current")
    found = client.get(f"{PREFIX}{load}:{user}") or client.get(f"{PREFIX}default:{load}")
    return json.loads(found)


def test_the_newest_publication_is_served_and_the_one_before_expires(
    sink: RedisFeeds, publications, client
) -> None:
    for feeds in (*publications, publications[1]):
        sink.write(feeds, nobody_else)
        rows = feed_rows(feeds.artifact)
        users = {row["user_id"] for row in rows}
        assert [place["post_id"] for place in served(client, 0)] == default_posts(feeds.artifact)
        assert {place["kind"] for place in served(client, 0)} == {"popular"}
        for user in users:
            expected = [str(row["post_id"]) for row in rows if row["user_id"] == user]
            assert [place["post_id"] for place in served(client, user)] == expected
        load = client.get(f"{PREFIX}current")
        assert client.hkeys(f"{PREFIX}loads") == [load]
        old = [key for key in client.keys(f"{PREFIX}*-*") if load not in key]
        assert all(0 < client.ttl(key) <= 60 for key in old)
        assert client.dbsize() - len(old) == len(users) + 3


def test_ids_that_are_text_and_titles_are_served(sink: RedisFeeds, titled_feeds, client) -> None:
    sink.write(SinkFeeds(titled_feeds, NONE), nobody_else)
    rows = feed_rows(titled_feeds)
    expected = [(row["post"], row["title"]) for row in rows if row["user"] == rows[0]["user"]]
    places = served(client, rows[0]["user"])
    assert [(place["post_id"], place["title"]) for place in places] == expected


def test_keys_outlive_the_name_of_their_load_and_that_the_next_publication(
    sink: RedisFeeds, publications, client
) -> None:
    sink.write(publications[0], nobody_else)
    ttl = client.ttl(f"{PREFIX}current")
    assert ttl > 29 * 86_400
    load = client.get(f"{PREFIX}current")
    assert all(client.ttl(key) > ttl for key in client.keys(f"{PREFIX}*{load}*"))
    assert sink.serves(publications[0])
    client.expire(f"{PREFIX}current", 14 * 86_400)
    assert not sink.serves(publications[0]), "less than half is left: written anew"


def test_what_was_lost_is_noticed(sink: RedisFeeds, publications, client) -> None:
    feeds, other = publications
    assert not sink.serves(feeds)
    sink.write(feeds, nobody_else)
    assert sink.serves(feeds)
    assert not sink.serves(other)
    for name in ("{load}:*", "default:{load}", "current", "loads"):
        load = client.get(f"{PREFIX}current")
        client.delete(client.keys(PREFIX + name.format(load=load))[0])
        assert not sink.serves(feeds), name
        sink.write(feeds, nobody_else)
        assert sink.serves(feeds)


def test_of_two_writers_the_second_to_switch_loses_and_current_names_what_is_there(
    sink: RedisFeeds, publications, client
) -> None:
    with pytest.raises(TryAgainError, match="Somebody else wrote"):
        sink.write(publications[0], lambda: sink.write(publications[1], nobody_else))
    assert sink.serves(publications[1])
    sink.write(publications[0], nobody_else)
    assert sink.serves(publications[0])
    assert len(client.hkeys(f"{PREFIX}loads")) == 1, "what the loser began is cleaned up, too"


def test_a_load_that_is_gone_is_never_made_current(sink: RedisFeeds, publications, client) -> None:
    sink.write(publications[0], nobody_else)

    def lose() -> None:
        before = client.get(f"{PREFIX}current")
        (mine,) = {*client.hkeys(f"{PREFIX}loads")} - {before}
        client.delete(f"{PREFIX}default:{mine}")

    with pytest.raises(TryAgainError, match="Somebody else wrote"):
        sink.write(publications[1], lose)
    assert sink.serves(publications[0])


def test_a_prefix_is_no_pattern(redis_server: RedisServer, publications, client) -> None:
    client.set("axb:0:1", "somebody else's")
    sink = RedisFeeds(RedisSink(kind="redis", prefix="a[x]*b:"))
    for feeds in publications:
        sink.write(feeds, nobody_else)
        assert sink.serves(feeds)
    assert client.ttl("axb:0:1") == -1


def test_keys_of_somebody_else_are_refused(sink: RedisFeeds, publications, client) -> None:
    client.lpush(f"{PREFIX}current", "1")
    with pytest.raises(BadConfigurationError, match="WRONGTYPE"):
        sink.write(publications[0], nobody_else)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda url: "http://s3cret@nowhere", BadConfigurationError, "no URL of Redis"),
        (lambda url: "redis://:s3cret@host:port", BadConfigurationError, "no URL of Redis"),
        (lambda url: url.replace("//", "//ann:s3cret@"), BadConfigurationError, "refuses the user"),
        (lambda url: f"{url}/99", BadConfigurationError, "out of range"),
        (lambda url: f"redis://127.0.0.1:{free_port()}", TryAgainError, "cannot be reached"),
        (lambda url: "redis://no.such.host.invalid", TryAgainError, "cannot be reached"),
    ],
    ids=["scheme", "number", "password", "database", "port", "host"],
)
def test_addresses_have_their_class(
    redis_server: RedisServer,
    sink: RedisFeeds,
    publications,
    monkeypatch,
    change: Callable[[str], str],
    error: type[Exception],
    text: str,
) -> None:
    monkeypatch.setenv("PHOENIX_REDIS_URL", change(redis_server.url))
    with pytest.raises(error, match=text) as caught:
        sink.write(publications[0], nobody_else)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("break_", "mend", "text"),
    [
        (("CONFIG SET maxmemory 1",), ("CONFIG SET maxmemory 0",), "cannot be written now"),
        (("REPLICAOF 127.0.0.1 1",), ("REPLICAOF NO ONE",), "cannot be written now.*read only"),
        (("CLIENT PAUSE 30000 ALL",), ("CLIENT UNPAUSE",), "cannot be reached.*imeout"),
    ],
    ids=["memory", "read-only", "time-out"],
)
def test_what_passes_is_worth_another_try(
    sink: RedisFeeds, publications, client, redis_server: RedisServer, break_, mend, text: str
) -> None:
    sink.write(publications[0], nobody_else)
    client.execute_command(*break_)
    with pytest.raises(TryAgainError, match=f"(?i){text}"):
        sink.write(publications[1], nobody_else)
    if "PAUSE" in break_[0]:
        redis_server.kill()
        redis_server.start()
    else:
        client.execute_command(*mend)
    assert sink.serves(publications[0])
    sink.write(publications[1], nobody_else)
    assert sink.serves(publications[1])
