import numpy as np
import pytest

from components.api.live_feeds import LiveFeeds, Unwanted
from components.release import releases
from components.serving import published


@pytest.fixture(scope="module")
def live_feeds(three_days) -> LiveFeeds:
    live = releases.live(three_days.store)
    assert live is not None
    return LiveFeeds(three_days.store, live)


@pytest.fixture(scope="module")
def users(three_days, live_feeds) -> list[int]:
    return published.example_users(three_days.store, live_feeds.live.feeds, live_feeds.num_users)


def test_every_user_has_the_feed_that_was_published(three_days, live_feeds, users) -> None:
    feeds = published.feeds_of(three_days.store, three_days.config, live_feeds.live.feeds, users)
    assert len(feeds) == len(users) == live_feeds.num_users
    for each in feeds:
        got = live_feeds.feed(each.user_id, Unwanted(), None)
        assert [item["post_id"] for item in got["items"]] == [item.post for item in each.items]
        assert (got["kind"], got["made_on"]) == (each.kind, each.made_on)
        np.testing.assert_array_equal(
            [item["score"] for item in got["items"]], [item.score for item in each.items]
        )


def test_unwanted_posts_and_authors_are_in_no_feed(live_feeds, users) -> None:
    user = users[0]
    first, second, *_ = live_feeds.feed(user, Unwanted(), None)["items"]
    unwanted = Unwanted([{int(first["post_id"])}], {int(second["author_id"])})
    items = live_feeds.feed(user, unwanted, None)["items"]
    assert first["post_id"] not in {item["post_id"] for item in items}
    assert second["author_id"] not in {item["author_id"] for item in items}
    assert items


def test_a_feed_of_which_nothing_is_left_is_the_default_one(live_feeds, users) -> None:
    user = users[0]
    own = {int(item["post_id"]) for item in live_feeds.feed(user, Unwanted(), None)["items"]}
    got = live_feeds.feed(user, Unwanted([own]), None)
    assert got["kind"] == "default"
    assert not own & {int(item["post_id"]) for item in got["items"]}
