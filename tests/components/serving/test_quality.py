"""Every breach is found, whoever made the feeds."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from components.release.corpus import Corpus
from components.serving import feed_files
from components.serving import quality as feed_quality
from components.serving.feed_files import FRESH, KEPT, POPULAR, Feeds, Origin
from components.serving.seen import SeenPosts

CORPUS = Corpus(
    "a",
    np.arange(1, 11),
    np.arange(1, 11),
    np.arange(1, 11) != 10,
    np.zeros(10, np.int64),
    np.zeros((10, 0), np.float32),
    np.ones((10, 1), np.float32),
)
DAY = datetime.date(2026, 1, 20)
NOTHING_SEEN = SeenPosts.none()


def _table(
    posts: list[list[int]],
    scores: list[list[float]] | None = None,
    made_on: datetime.date = DAY,
    kind: str = FRESH,
) -> pa.Table:
    ids = np.array(posts)
    score = np.array(scores or [[1.0 - 0.1 * place for place in range(ids.shape[1])]] * len(ids))
    feeds = Feeds(
        user_ids=np.arange(len(ids)) + 1,
        post_ids=ids,
        author_ids=ids,
        scores=score.astype(np.float32),
        base_scores=score.astype(np.float32),
        multipliers=np.ones(ids.shape, np.float32),
        probabilities=np.full((*ids.shape, 2), 0.5, np.float32),
        retrieval_scores=np.full(ids.shape, np.nan, np.float32),
        is_unscored=np.arange(len(ids)) == 0,
        sources=np.repeat(np.arange(len(ids))[:, None] == 0, ids.shape[1], axis=1).astype(np.int64),
    )
    schema = feed_files.schema(["click", "share"], "r" * 64)
    return feed_files.to_table(feeds, Origin(made_on, kind), schema=schema)


def _measure(
    table: pa.Table,
    three_days,
    seen_posts: SeenPosts = NOTHING_SEEN,
    kind: str = FRESH,
    earlier: SeenPosts = NOTHING_SEEN,
    **limits: float,
):
    config = three_days.config.model_copy(
        update={"publish_feeds": three_days.config.publish_feeds.model_copy(update=limits)}
    )
    users = {each: 2 if each == kind else 0 for each in (FRESH, KEPT, POPULAR)}
    whole, parts = (feed_quality.QualityMeasures(CORPUS, config, DAY) for _ in range(2))
    whole.add(table, _withheld(seen_posts), earlier)
    for user in np.unique([*table["user_id"].to_numpy(), *seen_posts.user_ids]):
        rows = table.filter(pc.field("user_id") == user)
        parts.add(rows, _withheld(_of_user(seen_posts, user)), _of_user(earlier, user))
    assert parts.quality(users) == whole.quality(users), "feeds measured user by user"
    return whole.quality(users)


def _withheld(seen_posts: SeenPosts) -> dict[str, SeenPosts]:
    return {"seen": seen_posts, "blocked": NOTHING_SEEN, "own": NOTHING_SEEN}


def _of_user(pairs: SeenPosts, user: int) -> SeenPosts:
    is_own = pairs.user_ids == user
    return SeenPosts(pairs.user_ids[is_own], pairs.post_ids[is_own])


def test_good_feeds_have_no_breach(three_days) -> None:
    quality = _measure(_table([[1, 2, 3, 4, 5], [1, 2, 3, 4, 9]]), three_days)
    assert quality.breaches == []
    assert quality.report["coverage"] == 1.0
    assert quality.report["unique_posts"] == 6
    assert quality.report["fallback_share"] == 0.5
    assert quality.report["popular_share"] == 0.5
    assert quality.report["largest_post_share"] == 1.0


@pytest.mark.parametrize(
    ("posts", "scores", "message"),
    [
        ([[1, 2, 3, 4, 1], [1, 2, 3, 4, 5]], None, "1 posts stand twice in a feed"),
        ([[1, 2, 3, 4, 10], [1, 2, 3, 4, 11]], None, "2 posts are not eligible"),
        ([[1, 2, 0, 0, 0], [0, 0, 0, 0, 0]], None, "0.000 of 2 users have a full feed of 5"),
        ([[1, 2, 3, 4, 5]] * 2, [[1, 2, 1, 1, 1]] * 2, "2 places have a higher score"),
        ([[1, 2, 3, 4, 5]] * 2, [[2, 1, np.inf, 1, 1]] * 2, "2 scores are not finite"),
    ],
)
def test_each_breach_is_named_with_its_number(posts, scores, message: str, three_days) -> None:
    assert any(message in breach for breach in _measure(_table(posts, scores), three_days).breaches)


def test_a_post_that_was_seen_is_found(three_days) -> None:
    seen_posts = SeenPosts(np.array([1, 2, 2, 3]), np.array([7, 4, 5, 1]))
    quality = _measure(_table([[1, 2, 3, 4, 5], [1, 2, 3, 4, 9]]), three_days, seen_posts)
    assert quality.report["seen"] == 1
    assert quality.breaches == ["1 posts were shown to their user before, expected none"]


def test_no_users_at_all_is_not_a_breach(three_days) -> None:
    table = _table([[0, 0, 0, 0, 0]])
    measures = feed_quality.QualityMeasures(CORPUS, three_days.config, DAY)
    measures.add(table, {"seen": NOTHING_SEEN}, NOTHING_SEEN)
    assert measures.quality({FRESH: 0, KEPT: 0, POPULAR: 0}).breaches == []


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"max_largest_post_share": 0.9}, "1.000 of the users have the same post in their feed"),
        ({"max_gini": 0.3}, "0.356 is the Gini index of places over eligible posts"),
        ({"max_repeated_share": 0.1}, "0.200 of the places of feeds ranked anew stood in the feed"),
        ({"min_new_share": 0.1}, "0.000 of the places are posts of the day, expected at least"),
    ],
)
def test_a_limit_of_variety_bites(limit: dict[str, float], message: str, three_days) -> None:
    earlier = SeenPosts(np.array([1, 1, 2, 2, 9]), np.array([3, 2, 4, 6, 1]))
    table = _table([[1, 2, 3, 4, 5], [1, 2, 3, 7, 9]])
    assert _measure(table, three_days, earlier=earlier).breaches == []
    (breach,) = _measure(table, three_days, earlier=earlier, **limit).breaches
    assert breach.startswith(message)
    assert f"publish_feeds.{next(iter(limit))}" in breach


def test_kept_feeds_are_counted_by_age_and_may_be_short(three_days) -> None:
    table = _table([[1, 2, 0], [1, 2, 3]], made_on=DAY - datetime.timedelta(days=3), kind=KEPT)
    quality = _measure(table, three_days, kind=KEPT)
    assert quality.breaches == []
    assert quality.report["users_by_kind"] == {"fresh": 0, "kept": 2, "popular": 0}
    assert quality.report["kept_by_age"] == {"3": 2}


@pytest.mark.parametrize(("kind", "days"), [(KEPT, 15), (FRESH, 1), (POPULAR, 1)])
def test_a_feed_that_is_too_old_for_its_kind_is_found(kind: str, days: int, three_days) -> None:
    made_on = DAY - datetime.timedelta(days=days)
    table = _table([[1, 2, 3, 4, 5]] * 2, made_on=made_on, kind=kind)
    breaches = _measure(table, three_days, kind=kind).breaches
    assert breaches == ["10 places are of feeds too old to be kept, expected none"]
