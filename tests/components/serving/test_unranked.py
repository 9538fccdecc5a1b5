"""Users who are not ranked anew keep what they may still be shown, or get popular posts."""

import dataclasses
import datetime
import itertools
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import contract
from components.features.requests import RequestLog
from components.run.context import Context
from components.serving import audience, feed_files, unranked
from components.serving.audience import EarlierFeeds
from components.serving.feed_files import FEEDS_FILE, FRESH, KEPT, NOBODY, POPULAR
from components.serving.server import Server
from components.serving.shards import Shard
from components.serving.unranked import UnrankedFeeds
from components.serving.withheld import Withheld
from components.tables.bucket_files import BucketFiles
from phoenix.recommend import baselines
from phoenix.recommend.baselines import Collection

BEFORE, DAY = "2026-01-02", datetime.date(2026, 1, 3)


@pytest.fixture
def others(three_days) -> UnrankedFeeds:
    """The last day, on which every other user is ranked anew."""
    config, store = three_days.config, three_days.store
    release = three_days.artifact("publish_release", str(DAY))
    features = three_days.artifact("build_features", str(DAY))
    log = features.paths("impressions.parquet")
    refs = audience.event_partitions(Context(contract.MATERIALIZE_FEEDS, config, DAY, store), 2)
    moment = datetime.datetime(2026, 1, 4, tzinfo=datetime.UTC)
    before = three_days.artifact("publish_feeds", BEFORE)
    server = Server.open(release.folder, config)
    return UnrankedFeeds(
        day=DAY,
        part=Shard(0, 1),
        server=server,
        log=BucketFiles(log),
        earlier=EarlierFeeds(files=BucketFiles(before.paths(FEEDS_FILE)), day=BEFORE),
        withheld=Withheld.of(server.corpus, [store.read(ref) for ref in refs], config),
        ranked=BucketFiles(log).users()[::2],
        blank=RequestLog(log, config, at=moment).windows(np.array([NOBODY])),
        no_feeds=feed_files.schema(config.action_names, release.ref.digest).empty_table(),
        texts={},
    )


def _rows(others: UnrankedFeeds) -> list[dict[str, Any]]:
    return pa.concat_tables(others.tables()).to_pylist()


def _with(others: UnrankedFeeds, **settings: object) -> UnrankedFeeds:
    config = others.server.config
    section = config.materialize_feeds.model_copy(update=settings)
    config = config.model_copy(update={"materialize_feeds": section})
    return dataclasses.replace(others, server=dataclasses.replace(others.server, config=config))


def _seen(three_days) -> set[tuple[int, int]]:
    tables = (
        pq.read_table(three_days.artifact("validate_events", day).path("accepted.parquet"))
        for day in (BEFORE, str(DAY))
    )
    return {(row["user_id"], row["post_id"]) for rows in tables for row in rows.to_pylist()}


def test_everybody_with_a_history_who_is_not_ranked_has_one_feed(others: UnrankedFeeds) -> None:
    rows = _rows(others)
    assert {row["user_id"] for row in rows} == {*others.log.users()} - {*others.ranked.tolist()}
    for above, below in itertools.pairwise(sorted(rows, key=lambda r: (r["user_id"], r["rank"]))):
        is_same = above["user_id"] == below["user_id"]
        assert below["rank"] == (above["rank"] + 1 if is_same else 1)
        assert not is_same or below["kind"] == above["kind"]


def test_a_kept_feed_is_the_earlier_one_less_what_may_not_be_shown(
    others: UnrankedFeeds, three_days
) -> None:
    corpus, seen = others.server.corpus, _seen(three_days)
    eligible = set(corpus.post_ids[corpus.is_eligible].tolist())
    expected: dict[int, list[int]] = {}
    before = feed_files.read(three_days.artifact("publish_feeds", BEFORE).paths(FEEDS_FILE))
    for row in before.to_pylist():
        user, post = row["user_id"], row["post_id"]
        if user not in others.ranked and post in eligible and (user, post) not in seen:
            expected.setdefault(user, []).append(post)
    expected = {user: posts for user, posts in expected.items() if len(posts) >= 3}  # half of 5
    kept: dict[int, list[int]] = {}
    for row in _rows(others):
        if row["kind"] == KEPT:
            kept.setdefault(row["user_id"], []).append(row["post_id"])
            assert str(row["made_on"]) == BEFORE
            assert row["release"] == three_days.artifact("publish_release", BEFORE).ref.digest
    assert kept == expected
    assert kept


def test_without_an_earlier_feed_there_are_popular_posts_that_the_user_has_not_seen(
    others: UnrankedFeeds, three_days
) -> None:
    seen, server = _seen(three_days), others.server
    collection = Collection(
        server.corpus.post_ids, server.corpus.author_ids, server.corpus.is_eligible
    )
    best = baselines.serve(server.fallback, collection, others.blank, 10_000)[0].tolist()
    retrieved = server.config.materialize_feeds.num_retrieved
    for user, places in itertools.groupby(
        _rows(dataclasses.replace(others, earlier=None)), key=lambda row: row["user_id"]
    ):
        rows = list(places)
        unseen = [post for post in best if post and (user, post) not in seen]
        assert {row["post_id"] for row in rows} <= {*unseen[:retrieved]}
        assert {row["kind"] for row in rows} == {POPULAR}
        assert len(rows) == 5


@pytest.mark.parametrize("settings", [{"keep_feed_share": 1.0, "feed_length": 6}, {"keep": 0}])
def test_a_feed_that_is_too_short_or_too_old_is_kept_no_more(
    settings: dict, others: UnrankedFeeds
) -> None:
    others = _with(others, **{"keep_feed_days": settings.pop("keep", 14), **settings})
    assert {row["kind"] for row in _rows(others)} == {POPULAR}


def test_a_feed_is_kept_on_until_it_is_too_old(others: UnrankedFeeds) -> None:
    first = [row for row in _rows(others) if row["kind"] == KEPT]
    later = dataclasses.replace(others, day=DAY + datetime.timedelta(days=13))
    assert [row for row in _rows(later) if row["kind"] == KEPT] == first
    too_late = dataclasses.replace(others, day=DAY + datetime.timedelta(days=14))
    assert not any(row["kind"] == KEPT for row in _rows(too_late))


def test_shards_share_the_users_out(others: UnrankedFeeds) -> None:
    parts = [dataclasses.replace(others, part=Shard(index, 2)) for index in (0, 1)]
    both = [row for part in parts for row in _rows(part)]
    key = ("user_id", "rank")
    assert sorted(both, key=lambda row: [row[name] for name in key]) == sorted(
        _rows(others), key=lambda row: [row[name] for name in key]
    )


def test_the_default_feed_is_of_nobody_and_of_popular_posts(others: UnrankedFeeds) -> None:
    rows = others.default().to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert {(row["user_id"], row["kind"], row["source"]) for row in rows} == {
        (NOBODY, POPULAR, POPULAR)
    }


def test_a_kept_feed_has_the_probabilities_of_the_actions_of_today() -> None:
    def schema(*names: str) -> pa.Schema:
        return feed_files.schema(names, "r")

    kind = schema("click", "share").field("probabilities").type
    rows = pa.table({"probabilities": pa.array([[0.25, 0.5]], kind)})
    rows = rows.replace_schema_metadata(schema("click", "share").metadata)
    today = schema("share", "save", "click")
    assert unranked._probabilities(rows, today).to_pylist() == [[0.5, 0.0, 0.25]]


def test_feeds_of_earlier_formats_are_all_fresh(three_days) -> None:
    feeds = feed_files.read(three_days.artifact("publish_feeds", BEFORE).paths(FEEDS_FILE))
    before = feeds.drop_columns(["kind", "made_on", "release"])
    rows = feed_files.with_origin(before, BEFORE).to_pylist()
    assert {row["kind"] for row in rows} == {FRESH}
    assert {str(row["made_on"]) for row in rows} == {BEFORE}
    digest = three_days.artifact("publish_release", BEFORE).ref.digest
    assert {row["release"] for row in rows} == {digest}


def test_what_is_taken_out_of_kept_feeds_is_counted_by_the_first_rule(
    others: UnrankedFeeds,
) -> None:
    list(others.tables())
    plain = dict(others.removed)
    kept = [row for row in _rows(others) if row["kind"] == KEPT]
    user, author = kept[0]["user_id"], kept[0]["author_id"]
    lost = sum((row["user_id"], row["author_id"]) == (user, author) for row in kept)
    pairs = np.array([user]), np.array([author])
    withheld = dataclasses.replace(others.withheld, blocked=pairs)
    blocking = dataclasses.replace(others, withheld=withheld, removed=Counter(), pairs=Counter())
    left = [row for row in _rows(blocking) if row["user_id"] == user]
    assert author not in {row["author_id"] for row in left}
    assert dict(blocking.removed) == plain | {"blocked": lost}
    assert blocking.pairs["blocked"] >= lost


def test_a_kept_feed_holds_no_more_posts_of_an_author_than_it_may(others: UnrankedFeeds) -> None:
    others = _with(others, author_places=1, keep_feed_share=0.0)
    rows = [(row["user_id"], row["author_id"]) for row in _rows(others) if row["author_id"]]
    assert len(set(rows)) == len(rows)
    assert others.removed["author_places"] > 0
