"""All sinks of a configuration serve the same feeds, or one says which it could not reach."""

from pathlib import Path
from typing import cast

import psycopg
import pytest
import redis

from components.errors import BadConfigurationError, TryAgainError
from components.serving.sinks import all_sinks
from components.serving.sinks.all_sinks import PartialWriter
from components.settings.feeds import PostgresSink, PublishFeedsConfig, RedisSink
from components.store.leases import Lease
from tests.components.sink_servers import (
    PostgresServer,
    RedisServer,
    feed_rows,
    nobody_else,
    sink_config,
)

LAST = "2026-01-03"
POSTGRES, REDIS = PostgresSink(kind="postgres"), RedisSink(kind="redis")
NAMES = ["the sink phoenix_feeds in PostgreSQL", "the sink phoenix:feed: in Redis"]


class _Held:
    """A lease that nobody takes over."""

    def check(self) -> None:
        """Finds nobody else."""


HELD = cast("Lease", _Held())


def test_what_is_served_is_left_alone_and_what_was_lost_or_added_is_written(
    three_days, postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    feeds = three_days.artifact("publish_feeds", LAST)
    one, two = sink_config(three_days, POSTGRES), sink_config(three_days, POSTGRES, REDIS)
    assert all_sinks.write_all(one, feeds, nobody_else) == NAMES[:1]
    assert dict(all_sinks.compared(two, feeds)) == {NAMES[0]: True, NAMES[1]: False}
    assert all_sinks.write_all(two, feeds, nobody_else) == NAMES[1:]
    assert all_sinks.write_all(two, feeds, nobody_else) == []
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    assert all_sinks.write_all(two, feeds, nobody_else) == NAMES[1:]


def test_a_sink_that_is_away_does_not_keep_the_others_back(
    three_days, postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    feeds = three_days.artifact("publish_feeds", LAST)
    config = sink_config(three_days, POSTGRES, REDIS)
    redis_server.kill()
    writer = PartialWriter(config)
    assert writer(feeds, HELD) == NAMES
    with pytest.raises(TryAgainError, match=r"not in every sink: Redis cannot be reached.*again"):
        writer.refuse_failures()
    states = dict(all_sinks.compared(config, feeds))
    assert states[NAMES[0]] is True
    assert isinstance(states[NAMES[1]], TryAgainError)
    redis_server.start()
    writer = PartialWriter(config)
    assert writer(feeds, HELD) == NAMES[1:]
    writer.refuse_failures()


def test_where_all_sinks_are_away_nothing_goes_on(three_days, redis_server: RedisServer) -> None:
    redis_server.kill()
    feeds = three_days.artifact("publish_feeds", LAST)
    with pytest.raises(TryAgainError, match="Redis cannot be reached"):
        PartialWriter(sink_config(three_days, REDIS))(feeds, HELD)


def test_feeds_from_before_the_list_are_served_without_forgotten_users(
    three_days, postgres_server: PostgresServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    feeds = three_days.artifact("publish_feeds", LAST)
    config = sink_config(three_days, POSTGRES, REDIS)
    all_sinks.write_all(config, feeds, nobody_else)
    first, *others = sorted({row["user_id"] for row in feed_rows(feeds)})
    (tmp_path / "forget.txt").write_text(str(first))
    listed = {"erased_users": tmp_path / "forget.txt"}
    ingest = config.ingest_events.model_copy(update=listed)
    config = config.model_copy(update={"ingest_events": ingest})
    assert all_sinks.write_all(config, feeds, nobody_else) == NAMES
    with psycopg.connect(postgres_server.dsn) as connection:
        found = connection.execute("SELECT DISTINCT user_id FROM phoenix_feeds ORDER BY user_id")
        assert [user for (user,) in found.fetchall()] == others
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        load = client.get("phoenix:feed:current")
        assert len(client.keys(f"phoenix:feed:{load}:*")) == len(others)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PostgresSink(kind="postgres", table="f" * 46 + "a"), "f" * 46 + "b"),
        (PostgresSink(kind="postgres", table="feeds"), "feeds_default"),
        (PostgresSink(kind="postgres", table="feeds_current"), "feeds"),
    ],
)
def test_tables_that_would_share_a_name_are_refused(one: PostgresSink, other: str) -> None:
    sinks = (one, PostgresSink(kind="postgres", table=other))
    with pytest.raises(ValueError, match=f"{one.table}.*{other}.*first 46 characters"):
        PublishFeedsConfig(sinks=sinks)
    PublishFeedsConfig(sinks=(one, one.model_copy(update={"dsn_variable": "OTHER"})))


def test_a_sink_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="redis is there twice"):
        PublishFeedsConfig(sinks=(REDIS, REDIS))


def test_a_sink_without_address_is_refused_by_its_variable(three_days, monkeypatch) -> None:
    monkeypatch.delenv("PHOENIX_REDIS_URL", raising=False)
    feeds = three_days.artifact("publish_feeds", LAST)
    with pytest.raises(BadConfigurationError, match="PHOENIX_REDIS_URL of a sink is not set"):
        all_sinks.write_all(sink_config(three_days, REDIS), feeds, nobody_else)
