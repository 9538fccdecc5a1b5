"""No post that a rule withholds is in any feed, under any combination of rules and sources."""

import dataclasses
import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components import contract
from components.features.requests import RequestLog
from components.run.context import Context
from components.serving import audience, feed_files
from components.serving.audience import EarlierFeeds
from components.serving.feed_files import FEEDS_FILE, NOBODY, Origin
from components.serving.server import Server
from components.serving.shards import Shard
from components.serving.unranked import UnrankedFeeds
from components.serving.withheld import Withheld, without_withdrawn
from components.settings.feeds import FeedSource
from components.tables.bucket_files import BucketFiles
from tests.components.serving.sources.conftest import with_settings

BEFORE, DAY = "2026-01-02", datetime.date(2026, 1, 3)
ALL_SLOTS = range(64)
SOURCES = ("popular", "fresh", "authors", "similar")


@pytest.fixture(scope="session")
def parts(three_days) -> dict[str, Any]:
    """The last day, opened once."""
    config, store = three_days.config, three_days.store
    log = three_days.artifact("build_features", str(DAY)).paths("impressions.parquet")
    refs = audience.event_partitions(Context(contract.MATERIALIZE_FEEDS, config, DAY, store), 2)
    before = three_days.artifact("publish_feeds", BEFORE).paths(FEEDS_FILE)
    release = three_days.artifact("publish_release", str(DAY))
    return {
        "server": Server.open(release.folder, config),
        "shown": [store.read(ref) for ref in refs],
        "requests": RequestLog(log, config, at=datetime.datetime(2026, 1, 4, tzinfo=datetime.UTC)),
        "log": BucketFiles(log),
        "earlier": EarlierFeeds(files=BucketFiles(before), day=BEFORE),
        "no_feeds": feed_files.schema(config.action_names, release.ref.digest).empty_table(),
    }


def _feeds(parts: dict[str, Any], server: Server, withheld: Withheld) -> list[dict[str, Any]]:
    """All feeds of the day, those of every other user ranked anew."""
    ranked, log, no_feeds = parts["log"].users()[::2], parts["requests"], parts["no_feeds"]
    pairs = withheld.of_slots(ALL_SLOTS).of_users(ranked)
    names = server.source_names
    tables = [
        feed_files.to_table(feeds, Origin(DAY), schema=no_feeds.schema, source_names=names)
        for feeds in server.serve(log.windows(ranked), pairs)
    ]
    others = UnrankedFeeds(
        day=DAY,
        part=Shard(0, 1),
        server=server,
        log=parts["log"],
        earlier=parts["earlier"],
        withheld=withheld,
        ranked=ranked,
        blank=log.windows(np.array([NOBODY])),
        no_feeds=no_feeds,
        texts={},
    )
    return pa.concat_tables([*tables, *others.tables()]).to_pylist()


@settings(max_examples=12)
@given(data=st.data())
def test_no_feed_holds_a_post_that_a_rule_withholds(
    data: st.DataObject, parts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server, folder = parts["server"], tmp_path_factory.mktemp("lists")
    authors = np.unique(server.corpus.author_ids).tolist()
    posts = server.corpus.post_ids.tolist()
    users = [*parts["log"].users().tolist(), 99]  # one of whom nothing is known
    some = {"min_size": 1, "max_size": 30}
    pairs = data.draw(st.sets(st.tuples(*map(st.sampled_from, (users, authors))), **some))
    withdrawn = data.draw(st.sets(st.sampled_from(posts), **some))
    names = data.draw(st.lists(st.sampled_from(SOURCES), unique=True, max_size=4))
    most = data.draw(st.sampled_from([None, 1, 2]))
    shortest = data.draw(st.sampled_from([0.0, 0.5]))
    text = "".join(f"{user},{author}\n" for user, author in sorted(pairs))
    (folder / "pairs.csv").write_text("user_id,author_id\n" + text)
    (folder / "posts.txt").write_text("".join(f"{post}\n" for post in sorted(withdrawn)))
    config = with_settings(
        server.config,
        blocked_authors=folder / "pairs.csv",
        withdrawn_posts=folder / "posts.txt",
        author_places=most,
        keep_feed_share=shortest,
        sources=tuple(FeedSource(source=name, candidates=0.3, places=0.2) for name in names),
    )
    corpus = without_withdrawn(server.corpus, config)
    server = dataclasses.replace(server, config=config, corpus=corpus)
    rows = _feeds(parts, server, Withheld.of(corpus, parts["shown"], config))
    seen = Withheld.of(corpus, parts["shown"], config).seen_files.of_slots(ALL_SLOTS)
    seen_pairs = set(zip(seen.user_ids.tolist(), seen.post_ids.tolist(), strict=True))
    of_author: dict[tuple[int, int], int] = {}
    for row in rows:
        user, post, author = row["user_id"], row["post_id"], row["author_id"]
        assert (user, author) not in pairs
        assert post not in withdrawn
        assert (user, post) not in seen_pairs
        of_author[user, author] = of_author.get((user, author), 0) + 1
    assert most is None or max(of_author.values()) <= most


def test_a_user_of_whom_a_block_alone_is_known_has_a_feed_without_the_author(parts) -> None:
    server = parts["server"]
    plain = Withheld.of(server.corpus, parts["shown"], server.config)
    author = _feeds(parts, server, plain)[0]["author_id"]
    blocked = np.array([99]), np.array([author])
    rows = _feeds(parts, server, dataclasses.replace(plain, blocked=blocked))
    own = [row for row in rows if row["user_id"] == 99]
    assert {row["kind"] for row in own} == {"popular"}
    assert author not in {row["author_id"] for row in own}


def test_authors_who_are_users_are_not_shown_their_own_posts(parts) -> None:
    server = parts["server"]
    # As if every post were of the user who was shown it first: ids of authors are those of users.
    users = parts["log"].users()
    authors = users[np.arange(len(server.corpus.post_ids)) % len(users)]
    corpus = dataclasses.replace(server.corpus, author_ids=authors)
    config = with_settings(server.config, authors_are_users=True)
    server = dataclasses.replace(server, config=config, corpus=corpus)
    rows = _feeds(parts, server, Withheld.of(corpus, parts["shown"], config))
    own = dict(zip(corpus.post_ids.tolist(), authors.tolist(), strict=True))
    assert rows
    assert all(own[row["post_id"]] != row["user_id"] for row in rows)


def test_a_rule_speaks_of_users_in_the_slots_alone_and_of_eligible_posts(parts) -> None:
    server = parts["server"]
    author = int(server.corpus.author_ids[0])
    blocked = np.array([3, 4, 3]), np.array([author, author, author])
    withheld = dataclasses.replace(Withheld.of(server.corpus, [], server.config), blocked=blocked)
    expected = server.corpus.post_ids[
        (server.corpus.author_ids == author) & server.corpus.is_eligible
    ]
    (slot,) = set(range(64)) & {int(feed_files.bucket_files.slots_of(np.array([3]))[0])}
    of_one = withheld.by_rule(range(slot, slot + 1))["blocked"]
    assert of_one.user_ids.tolist() == [3] * len(expected)
    assert of_one.post_ids.tolist() == sorted(expected.tolist())
    assert {*withheld.of_slots(ALL_SLOTS).user_ids.tolist()} == {3, 4}
