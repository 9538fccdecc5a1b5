"""Retrieve, filter, rank and explain a feed for every user of one shard.

Users of the day are ranked anew. Every other known user keeps a feed or gets popular posts, and
there is one default feed for all who are not known.
"""

import dataclasses
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components import contract, step
from components.erasure import forgotten
from components.features import day_counts, statistics
from components.features.log_actions import LogActions
from components.features.requests import RequestLog
from components.release import eligible_posts
from components.run import compilation
from components.run.context import Context, Outcome
from components.serving import audience, feed_files, rule_lists
from components.serving.feed_files import NOBODY, UNRANKED_FILE, Origin
from components.serving.server import Server
from components.serving.shards import Shard
from components.serving.sources import blend
from components.serving.unranked import UnrankedFeeds
from components.serving.withheld import Withheld, without_withdrawn
from components.settings.config import Config
from components.store.artifacts import Artifact
from components.tables import action_lists, bucket_files, id_texts
from components.tables.bucket_files import BucketFiles
from components.tables.data_files import ACCEPTED_FILE, IMPRESSIONS_FILE, POSTS_FILE
from components.tables.id_texts import IdTexts
from phoenix.data.histograms import Histogram
from phoenix.memory import keep_freed_memory


def run(context: Context, *, shard: int = 0, num_shards: int = 1) -> Outcome:
    """Writes the feeds of the users of one shard, made at the end of the day.

    Args:
      context: The run.
      shard: Which shard, from 0.
      num_shards: Into how many the day is cut.

    Raises:
      BadDataError: If an input is missing or damaged, or the release is of another configuration.
      Unchanged: If there is nothing new.
    """
    part = Shard(shard, num_shards)
    release = context.read(contract.PUBLISH_RELEASE.name, context.day)
    features = context.read(contract.BUILD_FEATURES.name, context.day)
    accepted = context.read(contract.VALIDATE_EVENTS.name, context.day)
    seen_refs = audience.event_partitions(context, context.config.materialize_feeds.seen_days)
    earlier_ref = audience.earlier_feeds(context)
    inputs = [release.ref, features.ref, accepted.ref, *seen_refs]
    inputs += [] if earlier_ref is None else [earlier_ref]
    settings = _settings(context.config, part)
    with context.write(inputs=inputs, config=settings, suffix=part.suffix) as draft:
        compilation.use_cache(context.store)
        server = Server.open(release.folder, context.config)
        users = _users(context.config, part, accepted=accepted, features=features)
        log = RequestLog(
            features.paths(IMPRESSIONS_FILE),
            context.config,
            at=eligible_posts.feed_moment(context.day),
            actions=LogActions.of_features(features.manifest, context.config),
        )
        if server.reads_evidence:
            rates = day_counts.rates_after(features.folder, features.manifest, context.config)
            server = dataclasses.replace(server, rates=rates)
        corpus = without_withdrawn(server.corpus, context.config)
        server = dataclasses.replace(server, corpus=corpus)
        shown = [context.store.read(ref) for ref in seen_refs]
        withheld = Withheld.of(corpus, shown, context.config)
        texts = _texts(features, accepted)
        no_feeds = feed_files.schema(context.config.action_names, release.ref.digest).empty_table()
        schema = feed_files.with_texts(no_feeds, texts).schema
        requests = _Requests(server, log, withheld, no_feeds, Origin(context.day))
        histograms, counts = [], Counter(unscored_users=0)
        num_buckets = context.config.user_buckets
        with feed_files.writer(draft.folder, schema, num_buckets=num_buckets) as writer:
            # Part by part of the users, so that memory does not grow with the day.
            for user_ids in audience.parts_of(users):
                feeds, of_part, counts_of_part = requests.serve(user_ids)
                writer.write_rows(feed_files.with_texts(feeds, texts))
                histograms.append(of_part)
                counts.update(counts_of_part)
        path = draft.folder / statistics.FEATURES_FILE
        statistics.write(path, statistics.merge(histograms))
        others = UnrankedFeeds(
            day=context.day,
            part=part,
            server=server,
            log=BucketFiles(features.paths(IMPRESSIONS_FILE)),
            earlier=audience.open_earlier(context.store, earlier_ref),
            withheld=withheld,
            ranked=users,
            blank=log.windows(np.array([NOBODY])),
            no_feeds=no_feeds,
            texts=texts,
        )
        _write_unranked(draft.folder, others, schema, num_buckets=num_buckets)
        draft.facts.update(
            counts,
            **others.counts,
            withheld_pairs=dict(others.pairs),
            removed_places=dict(others.removed),
            release=release.ref.digest,
            shard=part.index,
            num_shards=part.count,
            users=len(users),
        )
    return Outcome(context.written_artifact(part.suffix))


def _write_unranked(
    folder: Path, others: UnrankedFeeds, schema: pa.Schema, *, num_buckets: int
) -> None:
    """Writes the feeds of users who are not ranked anew, and the default feed."""
    with feed_files.writer(folder, schema, num_buckets=num_buckets, table=UNRANKED_FILE) as writer:
        for table in others.tables():
            writer.write_rows(table)
    feed_files.write_default(folder, others.default())


def _settings(config: Config, part: Shard) -> dict[str, Any]:
    """The part of the configuration that shapes the feeds of a shard."""
    section = config.materialize_feeds
    return {
        # The deployment's number of shards only tells the DAG how often to call this step.
        "materialize_feeds": section.model_dump(
            mode="json", exclude={"num_shards", *rule_lists.SETTINGS}
        ),
        **rule_lists.recipe(config),
        "build_features": config.build_features.model_dump(mode="json"),
        "feature_users": config.baseline.feature_users,
        "shard": [part.index, part.count],
        **blend.recipe(config),
        **action_lists.recipe(config),
        **forgotten.recipe(config),
    }


def _users(config: Config, part: Shard, *, accepted: Artifact, features: Artifact) -> np.ndarray:
    """`[N]` int64 sorted users of a shard who are ranked anew: those of the day, or all.

    On an empty day these are all with a history, or nobody would have a fresh feed after it.
    """
    if config.materialize_feeds.users == "active" and accepted.facts["accepted"]:
        files = accepted.paths(ACCEPTED_FILE)
    else:
        files = features.paths(IMPRESSIONS_FILE)
    # Once more, although the data steps leave them out: the list may be newer than the features.
    users = forgotten.remaining(BucketFiles(files).users(), config)
    return users[part.holds(users)]


class _Served(NamedTuple):
    """The feeds of some users."""

    feeds: pa.Table
    histograms: dict[str, Histogram]  # of the features from which they were made
    counts: dict[str, int]


@dataclass(frozen=True)
class _Requests:
    """The sources of the requests of users, and who answers them."""

    server: Server
    log: RequestLog
    withheld: Withheld
    no_feeds: pa.Table
    origin: Origin

    def serve(self, user_ids: np.ndarray) -> _Served:
        """Makes the feeds of some users, `[N]` int64 sorted."""
        windows = self.log.windows(user_ids)
        histograms = statistics.of_windows(windows, self.server.config)
        seen_posts = self.withheld.of_slots(bucket_files.span(user_ids))
        seen_pairs = seen_posts.of_users(user_ids)
        tables, num_unscored = [self.no_feeds], 0
        names, schema = self.server.source_names, self.no_feeds.schema
        mixtures = self.server.mixtures
        for feeds in self.server.serve(windows, seen_pairs):
            table = feed_files.to_table(
                feeds, self.origin, schema=schema, source_names=names, mixtures=mixtures
            )
            tables.append(table)
            num_unscored += int(feeds.is_unscored.sum())
        counts = {"unscored_users": num_unscored}
        return _Served(pa.concat_tables(tables).combine_chunks(), histograms, counts)


def _texts(features: Artifact, accepted: Artifact) -> dict[str, IdTexts]:
    """Returns the texts of ids that are text, and the titles of posts where they have some."""
    # Of the users in the state, who are all that may have a feed, and of all posts of the day.
    texts = id_texts.read_all(features.folder, ("user_id",))
    texts |= id_texts.read_all(accepted.folder, ("post_id", "author_id"))
    posts = accepted.path(POSTS_FILE)
    if "title" in pq.read_schema(posts).names:
        table = pq.read_table(posts, columns=["post_id", "title"]).drop_null()
        titles = table["title"].combine_chunks()
        texts["title"] = IdTexts.of("post_id", table["post_id"].to_numpy(), titles)
    return texts


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.MATERIALIZE_FEEDS, run, argv)


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
