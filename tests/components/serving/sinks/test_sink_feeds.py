"""Feeds as sinks get them."""

import pytest

from components.errors import BadConfigurationError
from components.serving.sinks.sink_feeds import SinkFeeds, address
from tests.components.sink_servers import default_posts, feed_rows

LAST = "2026-01-03"


def test_users_who_are_to_be_forgotten_are_in_no_row_and_change_the_version(three_days) -> None:
    feeds = three_days.artifact("publish_feeds", LAST)
    rows = feed_rows(feeds)
    first = rows[0]["user_id"]
    all_users, fewer = SinkFeeds(feeds, frozenset()), SinkFeeds(feeds, frozenset({first}))
    place = all_users.columns.index("post_id")
    posts = sorted((row[0], row[1], row[place]) for row in all_users.rows())
    assert posts == [(row["user_id"], row["rank"], row["post_id"]) for row in rows]
    assert {row[0] for row in fewer.rows()} == {row["user_id"] for row in rows} - {first}
    assert all_users.version == feeds.ref.digest[:16] != fewer.version


def test_the_default_feed_has_no_user(three_days) -> None:
    feeds = SinkFeeds(three_days.artifact("publish_feeds", LAST), frozenset())
    place = feeds.columns.index("post_id") - 1
    assert [str(row[place]) for row in feeds.default_rows()] == default_posts(feeds.artifact)


def test_an_address_that_is_not_set_is_refused_by_its_variable(monkeypatch) -> None:
    monkeypatch.delenv("PHOENIX_REDIS_URL", raising=False)
    with pytest.raises(BadConfigurationError, match="PHOENIX_REDIS_URL of a sink is not set"):
        address("PHOENIX_REDIS_URL")
