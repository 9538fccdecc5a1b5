"""Retrieve, filter, rank and explain a feed for every user of one shard."""

import logging
import sys
from collections.abc import Sequence

import pyarrow as pa

from components import contract, step
from components.erasure import forgotten
from components.errors import BadConfigurationError
from components.features import requests, statistics
from components.release import eligible_posts
from components.run import compilation
from components.run.context import Context, Outcome
from components.serving import audience, feed_files, shards
from components.serving.server import Server
from components.tables.data_files import ACCEPTED_FILE, IMPRESSIONS_FILE
from phoenix.memory import keep_freed_memory

logger = logging.getLogger(__name__)


def run(context: Context, *, shard: int = 0, num_shards: int = 1) -> Outcome:
    """Writes the feeds of the users of one shard, made at the end of the day.

    Args:
      context: The run.
      shard: Which shard, from 0.
      num_shards: Into how many the day is cut.

    Raises:
      BadConfigurationError: If there is no such shard.
      BadDataError: If an input is missing or damaged, or the release is of another configuration.
      Unchanged: If there is nothing new.
    """
    if not 0 <= shard < num_shards <= 999:
        raise BadConfigurationError(
            f"--shard must be from 0 to --num-shards less 1, got {shard} of {num_shards}."
        )
    config, section = context.config, context.config.materialize_feeds
    release = context.read("publish_release", context.day)
    features = context.read("build_features", context.day)
    accepted = context.read("validate_events", context.day)
    seen_refs = audience.event_partitions(context, section.seen_days)
    settings = {
        "materialize_feeds": section.model_dump(mode="json", exclude={"num_shards"}),
        "build_features": config.build_features.model_dump(mode="json"),
        "feature_users": config.baseline.feature_users,
        "shard": [shard, num_shards],
        **forgotten.recipe(config),
    }
    inputs = [release.ref, features.ref, accepted.ref, *seen_refs]
    suffix = shards.shard_suffix(shard, num_shards)
    with context.write(inputs=inputs, config=settings, suffix=suffix) as draft:
        compilation.use_cache(context.store)
        server = Server.open(release.folder, config)
        is_active = section.users == "active"
        users = audience.users_of(
            accepted.path(ACCEPTED_FILE) if is_active else features.path(IMPRESSIONS_FILE)
        )
        users = forgotten.remaining(users, config)
        users = users[shards.in_shard(users, shard, num_shards)]
        windows = requests.request_windows(
            features.path(IMPRESSIONS_FILE),
            config,
            user_ids=users,
            at=eligible_posts.feed_moment(context.day),
        )
        measured = statistics.of_windows(windows, config)
        statistics.write(draft.folder / statistics.FEATURES_FILE, measured)
        seen = audience.seen_posts([context.store.read(ref) for ref in seen_refs]).of_users(users)
        schema = feed_files.schema(config.action_names, release.ref.digest)
        parts, unscored = [], 0
        for feeds in server.serve(windows, seen):
            parts.append(feed_files.to_table(feeds, is_popular=server.is_popular, schema=schema))
            unscored += int(feeds.is_unscored.sum())
        table = pa.concat_tables(parts) if parts else schema.empty_table()
        feed_files.write(draft.folder / feed_files.FEEDS_FILE, table.combine_chunks())
        draft.facts.update(
            release=release.ref.digest,
            shard=shard,
            num_shards=num_shards,
            users=len(users),
            unscored_users=unscored,
            seen_pairs=len(seen[0]),
        )
    return Outcome(context.written_artifact(suffix))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.MATERIALIZE_FEEDS, run, argv)


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
