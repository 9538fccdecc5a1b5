"""Every place in a feed has reasons, and so has every place that a post did not get."""

import pyarrow.parquet as pq
import pytest

from components.release import releases
from components.serving import published, why
from tests.components.serving.sources.conftest import with_settings

LAST = "2026-01-03"


def _users(world) -> list[int]:
    live = releases.live(world.store)
    assert live is not None
    return published.example_users(world.store, live.feeds, 5)


def test_every_place_has_reasons(three_days) -> None:
    user = _users(three_days)[2]
    for item in published.feed(three_days.store, three_days.config, str(user)).items:
        found = why.why(three_days.store, three_days.config, str(user), item.post)
        assert found.item == item
        assert found.reasons


def test_a_user_whom_nobody_knows_is_told_of_the_default_feed(three_days) -> None:
    feed = published.feed(three_days.store, three_days.config, "5")
    there = why.why(three_days.store, three_days.config, "5", feed.items[0].post)
    assert there.kind == "default"
    assert there.reasons[0].startswith("The feed is the default feed")
    posts = pq.read_table(three_days.artifact("validate_events", LAST).path("posts.parquet"))
    served = {item.post_id for item in feed.items}
    absent = min(
        row["post_id"]
        for row in posts.to_pylist()
        if row["eligible"] and row["post_id"] not in served
    )
    found = why.why(three_days.store, three_days.config, "5", str(absent))
    assert found.reasons[-1].startswith("Other posts are more popular")


def test_a_post_that_nobody_knows_is_named_as_such(three_days) -> None:
    found = why.why(three_days.store, three_days.config, str(_users(three_days)[0]), "5")
    assert found.item is None
    assert "not among those known" in found.reasons[0]


def test_a_post_that_was_shown_is_explained_by_the_day(three_days) -> None:
    accepted = three_days.artifact("validate_events", LAST).path("accepted.parquet")
    row = pq.read_table(accepted, columns=["user_id", "post_id"]).slice(0, 1).to_pylist()[0]
    found = why.why(three_days.store, three_days.config, str(row["user_id"]), str(row["post_id"]))
    assert found.reasons == (f"The user was shown it on {LAST} already.",)


def test_a_post_that_was_not_good_enough_is_explained(three_days) -> None:
    user = _users(three_days)[0]
    validated = three_days.artifact("validate_events", LAST)
    posts = set(pq.read_table(validated.path("posts.parquet"))["post_id"].to_pylist())
    for day in ("2026-01-02", LAST):  # `seen_days` of the world
        path = three_days.artifact("validate_events", day).path("accepted.parquet")
        shown = pq.read_table(path, filters=[("user_id", "=", user)])
        posts -= set(shown["post_id"].to_pylist())
    feed = published.feed(three_days.store, three_days.config, str(user))
    post = min(posts - {item.post_id for item in feed.items})
    found = why.why(three_days.store, three_days.config, str(user), str(post))
    assert found.item is None
    assert "place" in found.reasons[-1]


def test_a_post_that_is_held_back_is_explained_by_its_mark(three_days, monkeypatch) -> None:
    user = _users(three_days)[0]
    feed = published.feed(three_days.store, three_days.config, str(user))
    path = three_days.artifact("validate_events", LAST).path("posts.parquet")
    held_back = [{**row, "eligible": False} for row in pq.read_table(path).to_pylist()[:1]]
    monkeypatch.setattr(why, "_read_rows", lambda *_, **__: held_back)
    post = held_back[0]["post_id"]
    assert post not in {item.post_id for item in feed.items}
    found = why.why(three_days.store, three_days.config, str(user), str(post))
    assert found.reasons == ("The post is marked as not eligible.",)


@pytest.mark.parametrize("rule", ["withdrawn", "blocked", "own"])
def test_a_rule_that_withholds_a_post_is_named(rule: str, three_days, tmp_path) -> None:
    posts = pq.read_table(three_days.artifact("validate_events", LAST).path("posts.parquet"))
    served = published.feed(three_days.store, three_days.config, "5").items
    shown = {item.post_id for item in served}
    post = next(row for row in posts.to_pylist() if row["post_id"] not in shown)
    user = str(post["author_id"]) if rule == "own" else "5"
    (tmp_path / "posts.txt").write_text(f"{post['post_id']}\n")
    (tmp_path / "pairs.csv").write_text(f"user_id,author_id\n5,{post['author_id']}\n")
    changes = {
        "withdrawn": {"withdrawn_posts": tmp_path / "posts.txt"},
        "blocked": {"blocked_authors": tmp_path / "pairs.csv"},
        "own": {"authors_are_users": True},
    }
    config = with_settings(three_days.config, **changes[rule])
    found = why.why(three_days.store, config, user, str(post["post_id"]))
    assert rule.replace("_", " ") in found.reasons[-1]


def test_a_place_of_another_source_than_retrieval_says_so(three_days) -> None:
    path = three_days.artifact("publish_feeds", LAST).path("feeds.parquet")
    rows = pq.read_table(path, filters=[("source", "=", "fresh")]).slice(0, 1).to_pylist()
    found = why.why(
        three_days.store, three_days.config, str(rows[0]["user_id"]), str(rows[0]["post_id"])
    )
    assert any(each.startswith("It is fresh") for each in found.reasons)
