"""A retrace agrees with the feed that was published, and says how far every other post came."""

import pyarrow.parquet as pq

from components.release import releases
from components.serving.retrace import Retrace, retrace

LAST = "2026-01-03"


def _feed(world) -> tuple[int, list[dict]]:
    path = world.artifact("publish_feeds", LAST).path("feeds.parquet")
    rows = (
        pq.read_table(path).sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()
    )
    user = rows[0]["user_id"]
    return user, [row for row in rows if row["user_id"] == user]


def _retrace(world, user: int, post: int) -> Retrace:
    digest = releases.find(world.store, LAST).digest
    return retrace(world.store, world.config, release_digest=digest, user_id=user, post_id=post)


def test_a_post_of_the_feed_is_traced_to_its_place_and_score(three_days) -> None:
    user, rows = _feed(three_days)
    for row in rows:
        found = _retrace(three_days, user, row["post_id"])
        # A fresh post may have a place of its own, below which its score is.
        assert found.score_place == row["rank"] or row["source"] == "fresh"
        assert found.score_place >= row["rank"]
        assert found.score == row["score"]


def test_the_next_best_post_comes_right_after_the_feed(three_days) -> None:
    user, rows = _feed(three_days)
    shown = {row["post_id"] for row in rows}
    posts = pq.read_table(three_days.artifact("validate_events", LAST).path("posts.parquet"))
    places = {}
    for post in posts["post_id"].to_pylist():
        found = _retrace(three_days, user, post)
        if post not in shown and found.score_place is not None:
            places[found.score_place] = found
    assert places
    num_fresh = sum(row["source"] == "fresh" for row in rows)
    assert min(places) > len(rows) - num_fresh
    best = places[min(places)]
    assert best.score <= rows[-1 - num_fresh]["score"]
    assert f"place {best.score_place}" in best.reasons()[-1]
    for each in places.values():
        is_above = each.score_place <= len(rows)
        assert ("some for other sources" in each.reasons()[-1]) == is_above


def test_a_list_of_actions_that_has_changed_since_changes_no_answer(world) -> None:
    user, rows = _feed(world)
    shown = {row["post_id"] for row in rows}
    posts = pq.read_table(world.artifact("validate_events", LAST).path("posts.parquet"))
    others = [post for post in posts["post_id"].to_pylist() if post not in shown][:3]
    before = [_retrace(world, user, post) for post in others]
    world.edit("  - {name: click}\n", "")
    world.edit("actions:\n", "actions:\n  - {name: reply, column: favorite, weight: 9}\n")
    world.edit("{name: share,", "{name: share, at_least: 4,")
    assert [_retrace(world, user, post) for post in others] == before


def test_a_post_that_was_seen_says_so(three_days) -> None:
    user, _ = _feed(three_days)
    events = three_days.artifact("validate_events", LAST).path("accepted.parquet")
    post = pq.read_table(events, filters=[("user_id", "=", user)])["post_id"][0].as_py()
    found = _retrace(three_days, user, post)
    assert found.is_seen
    assert found.retrieval_place is None
    assert found.reasons() == ["The user was shown it before."]
