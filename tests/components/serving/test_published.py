import datetime
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.errors import BadDataError
from components.release import releases
from components.serving import published
from components.store.artifacts import Recipe
from phoenix.recommend.scoring import weighted_scores

LAST = "2026-01-03"


def _users(world) -> list[int]:
    live = releases.live(world.store)
    assert live is not None
    return published.example_users(world.store, live.feeds, 5)


def test_a_feed_is_what_was_published_in_order(three_days) -> None:
    user = _users(three_days)[0]
    found = published.feed(three_days.store, three_days.config, str(user))
    path = three_days.artifact("publish_feeds", LAST).path("feeds.parquet")
    rows = pq.read_table(path, filters=[("user_id", "=", user)]).sort_by("rank").to_pylist()
    assert [item.post_id for item in found.items] == [row["post_id"] for row in rows]
    assert (found.day, found.is_live) == (LAST, True)
    assert found.release == three_days.artifact("publish_release", LAST).ref.digest


def test_contributions_add_up_to_the_score(three_days) -> None:
    for user in _users(three_days):
        for item in published.feed(three_days.store, three_days.config, str(user)).items:
            probabilities = np.array([each.probability for each in item.contributions])
            weights = [each.weight for each in item.contributions]
            expected = weighted_scores(probabilities, weights).scores
            assert item.base_score == pytest.approx(float(expected), abs=1e-5)
            assert item.base_score * item.diversity_multiplier == pytest.approx(
                item.score, abs=1e-5
            )


def test_a_feed_of_an_earlier_day_is_not_live(three_days) -> None:
    day = datetime.date(2026, 1, 2)
    live = three_days.store.head("publish_feeds", day.isoformat())
    user = published.example_users(three_days.store, live, 1)[0]
    found = published.feed(three_days.store, three_days.config, str(user), day)
    assert (found.day, found.is_live) == ("2026-01-02", False)


def test_an_unknown_user_has_the_default_feed(three_days) -> None:
    found = published.feed(three_days.store, three_days.config, "5")
    assert (found.user, found.kind, found.made_on, found.age_days) == ("5", "default", LAST, 0)
    path = three_days.artifact("publish_feeds", LAST).path("default.parquet")
    assert [item.post_id for item in found.items] == pq.read_table(path)["post_id"].to_pylist()
    assert len(found.items) == 5


def test_without_a_default_feed_an_unknown_user_is_refused_by_number(world) -> None:
    feeds = world.artifact("publish_feeds", LAST)
    manifest = json.loads((feeds.folder / "manifest.json").read_text())
    recipe = Recipe(
        kind="publish_feeds", partition=LAST, inputs=[], config={}, code="", libraries={}
    )
    with world.store.write(recipe) as draft:  # as a version without one wrote them
        for name in set(manifest["files"]) - {"default.parquet"}:
            shutil.copy(feeds.path(name), draft.folder / name)
    day = datetime.date.fromisoformat(LAST)
    with pytest.raises(BadDataError, match=f"no feed for user 5 in the feeds of {LAST}"):
        published.feed(world.store, world.config, "5", day)
    user = published.example_users(world.store, world.store.head("publish_feeds", LAST), 1)[0]
    assert published.feed(world.store, world.config, str(user), day).kind == "fresh"


def test_a_day_without_feeds_is_refused_with_the_days_that_have_some(three_days) -> None:
    with pytest.raises(BadDataError, match=f"for 2026-02-01; there are feeds of .* to {LAST}"):
        published.feed(three_days.store, three_days.config, "1", datetime.date(2026, 2, 1))


def test_the_weights_are_those_of_the_release_and_not_of_today(world) -> None:
    user = _users(world)[0]
    before = published.feed(world.store, world.config, str(user))
    world.edit("{name: click}", "{name: click, weight: 999}")
    assert published.feed(world.store, world.config, str(user)) == before


def test_example_users_are_spread_and_none_are_asked_for_none(three_days) -> None:
    live = releases.live(three_days.store)
    assert live is not None
    users = _users(three_days)
    assert users == sorted(set(users))
    assert len(users) == 5
    assert published.example_users(three_days.store, live.feeds, 0) == []
