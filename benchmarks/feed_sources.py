"""The places that sources give to posts of the day, and what they cost in recall.

A deployment with several days of feeds is read, and nothing is written. Feeds of a day are made
again, with the configured sources and with retrieval alone. What users liked on the next day, of
the posts that there were, says whether their candidates got worse (those of retrieval stay, so that
they cannot); the feeds say whose places are.
"""

import dataclasses
import datetime
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.measurement import Result
from components import contract
from components.features import day_counts
from components.features.log_actions import LogActions
from components.features.requests import RequestLog
from components.release import eligible_posts
from components.run.context import Context
from components.serving import audience
from components.serving.seen import SeenPairs
from components.serving.server import Server
from components.settings.config import Config
from components.settings.loading import load
from components.store.artifacts import Store
from components.tables import bucket_files
from components.tables.data_files import ACCEPTED_FILE, IMPRESSIONS_FILE
from phoenix.data.days import midnight_ms
from phoenix.data.windows import Windows

_VARIABLE = "PHOENIX_BENCHMARK_CONFIG"  # names the deployment
_MIN_SHARE, _MIN_RECALL = 0.05, 0.98


def results() -> Iterator[Result]:
    """Yields, day by day, the share of posts of the day in feeds and the recall of candidates."""
    path = Path(os.environ.get(_VARIABLE, "var/synthetic/phoenix.yaml"))
    if not path.is_file():
        print(
            f"{path}: there is none; `make demo` makes it, {_VARIABLE} names another.",
            file=sys.stderr,
        )
        return
    config = load(path)
    store = Store(config.store)
    days = [datetime.date.fromisoformat(each) for each in store.partitions("publish_feeds")]
    for day in days[:-1]:
        yield from _of_day(Context(contract.MATERIALIZE_FEEDS, config, day, store))


def _of_day(context: Context) -> Iterator[Result]:
    users, windows, seen = _requests(context)
    mixed, alone = (_server(context, sources) for sources in (True, False))
    liked = _liked(context, users)
    recalls, shares = [], []
    for server in (mixed, alone):
        corpus = server.corpus
        known = [liked[0], corpus.rows_of(liked[1])]
        known = [each[known[1] >= 0] for each in known]
        candidates = server.collect(windows, seen)
        recalls.append(_recall(corpus.rows_of(candidates.post_ids), known))
        feeds = server.cut(windows, candidates, server.rank(windows, candidates))
        rows = corpus.rows_of(feeds.post_ids[feeds.post_ids != 0])
        shares.append(float((corpus.created_at[rows] >= midnight_ms(context.day)).mean()))
    is_new = corpus.created_at >= midnight_ms(context.day)
    note = (
        f"{context.day}, {len(users)} users, {int(is_new.sum())} of {len(is_new)} posts are of "
        f"the day; retrieval is {mixed.retriever.name}"
    )
    next_day = context.day + datetime.timedelta(days=1)
    yield Result(
        name="feed_sources_new_posts",
        ours=shares[0],
        peer=_MIN_SHARE,
        unit="share of places",
        note=f"peer: the goal; {shares[1]:.4f} with retrieval alone; {note}",
    )
    yield Result(
        name="feed_sources_recall",
        ours=recalls[0],
        peer=recalls[1],
        unit=f"recall@{context.config.materialize_feeds.num_retrieved}",
        note=f"peer: retrieval alone; the goal is {_MIN_RECALL} times; likes of {next_day}; {note}",
    )


def _server(context: Context, with_sources: bool) -> Server:
    config = context.config
    if not with_sources:
        section = config.materialize_feeds.model_copy(update={"sources": ()})
        config = config.model_copy(update={"materialize_feeds": section})
    server = Server.open(context.read("publish_release", context.day).folder, config)
    features = context.read(contract.BUILD_FEATURES.name, context.day)
    rates = day_counts.rates_after(features.folder, features.manifest, config)
    return dataclasses.replace(server, rates=rates)


def _requests(context: Context) -> tuple[np.ndarray, Windows, SeenPairs]:
    features = context.read(contract.BUILD_FEATURES.name, context.day)
    accepted = context.read(contract.VALIDATE_EVENTS.name, context.day)
    log = RequestLog(
        features.paths(IMPRESSIONS_FILE),
        context.config,
        at=eligible_posts.feed_moment(context.day),
        actions=LogActions.of_features(features.manifest, context.config),
    )
    users = bucket_files.BucketFiles(accepted.paths(ACCEPTED_FILE)).users()
    refs = audience.event_partitions(context, context.config.materialize_feeds.seen_days)
    seen = audience.SeenFiles([context.store.read(ref) for ref in refs])
    return users, log.windows(users), seen.of_slots(range(64)).of_users(users)


def _liked(context: Context, users: np.ndarray) -> list[np.ndarray]:
    """Returns places of users and posts that they liked on the next day."""
    day = context.day + datetime.timedelta(days=1)
    rows = pq.read_table(context.read(contract.VALIDATE_EVENTS.name, day).paths(ACCEPTED_FILE))
    config: Config = context.config
    bits = sum(1 << bit for bit, action in enumerate(config.actions) if action.is_positive)
    is_liked = (rows["actions"].to_numpy() & np.uint64(bits)) != 0
    user, post = (rows[name].to_numpy()[is_liked] for name in ("user_id", "post_id"))
    place = np.minimum(np.searchsorted(users, user), len(users) - 1)
    is_known = users[place] == user
    return [place[is_known], post[is_known]]


def _recall(candidates: np.ndarray, liked: list[np.ndarray]) -> float:
    return float((candidates[liked[0]] == liked[1][:, None]).any(axis=1).mean())
