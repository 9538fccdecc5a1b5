"""Check the feeds' quality, write the sinks, make release and feeds live together."""

import json
import logging
import sys
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components import contract, step
from components.erasure import forgotten
from components.errors import BadDataError
from components.quality import skew
from components.release import releases
from components.release.corpus import Corpus
from components.run.context import Context, Outcome
from components.serving import audience, feed_files, sinks
from components.serving import quality as feed_quality
from components.serving.shards import shard_suffix
from components.store.artifacts import Artifact, Ref, Unchanged

logger = logging.getLogger(__name__)

QUALITY_FILE = "quality.json"


def run(context: Context, *, num_shards: int = 1) -> Outcome:
    """Joins the shards, measures them, and moves the pointer `live` last.

    A run that died between the artifact and the pointer is completed by the next one, although
    there is nothing left to write.

    Args:
      context: The run.
      num_shards: Into how many shards the day was cut.

    Raises:
      BadDataError: If a shard is missing or of another release, or the quality is too low; what
        was live stays live.
      Unchanged: If there is nothing new.
    """
    release = context.read("publish_release", context.day)
    shards = _shards(context, num_shards, release.ref)
    seen_refs = audience.event_partitions(context, context.config.materialize_feeds.seen_days)
    settings = {
        "publish_feeds": context.config.publish_feeds.model_dump(mode="json", exclude={"sinks"}),
        "feed_length": context.config.materialize_feeds.feed_length,
    }
    settings["baseline"] = context.config.baseline.model_dump(mode="json")
    watch = skew.watch(context, release, shards)
    inputs = [release.ref, *(shard.ref for shard in shards), *seen_refs, *watch.refs]
    try:
        with context.write(inputs=inputs, config=settings) as draft:
            # Every user is in one shard, so sorting the whole merges the sorted shards.
            table = pa.concat_tables(
                [pq.read_table(shard.path(feed_files.FEEDS_FILE)) for shard in shards]
            ).sort_by([("user_id", "ascending"), ("rank", "ascending")])
            _refuse_forgotten(context, table)
            quality = feed_quality.measure(
                table,
                num_users=sum(shard.facts["users"] for shard in shards),
                corpus=Corpus.read(release.path("corpus")),
                seen=audience.seen_posts([context.store.read(ref) for ref in seen_refs]),
                config=context.config,
            )
            found = watch.compare()
            breaches = [*quality.breaches, *found.breaches()]
            if breaches:
                raise BadDataError(
                    f"The feeds of {context.day} are not published: "
                    f"{'; '.join(breaches)}. What was live stays live."
                )
            feed_files.write(draft.folder / feed_files.FEEDS_FILE, table.combine_chunks())
            text = json.dumps(quality.report, indent=1, sort_keys=True)
            (draft.folder / QUALITY_FILE).write_text(text + "\n", encoding="utf-8")
            found.save(draft.folder)
            draft.facts.update(
                quality.report,
                skew=found.facts(),
                release=release.ref.digest,
                num_shards=num_shards,
            )
    except Unchanged as unchanged:
        _go_live(context, release.ref, unchanged.artifact)
        raise
    written = context.written_artifact()
    _go_live(context, release.ref, written)
    return Outcome(written)


def _shards(context: Context, num_shards: int, release: Ref) -> list[Artifact]:
    suffixes = [shard_suffix(shard, num_shards) for shard in range(num_shards)]
    day = context.day.isoformat()
    head = context.store.head
    missing = [suffix for suffix in suffixes if head("materialize_feeds", day + suffix) is None]
    if missing:
        raise BadDataError(
            f"The feeds of {day} are not complete: expected {num_shards} shards, missing "
            f"{', '.join(suffix.strip('-') for suffix in missing)}. Run materialize_feeds for them."
        )
    shards = [context.read("materialize_feeds", context.day, suffix=each) for each in suffixes]
    for shard in shards:
        if shard.facts["release"] != release.digest:
            raise BadDataError(
                f"{shard.ref} was made from the release {shard.facts['release'][:12]}, the release "
                f"of {day} is {release.digest[:12]}: run materialize_feeds again."
            )
    return shards


def _refuse_forgotten(context: Context, table: pa.Table) -> None:
    num_rows = int(np.isin(table["user_id"].to_numpy(), forgotten.erased_ids(context.config)).sum())
    if num_rows:
        raise BadDataError(
            f"The feeds of {context.day} hold {num_rows} rows of users who are to be forgotten: "
            "run materialize_feeds again."
        )


def _go_live(context: Context, release: Ref, feeds: Artifact) -> None:
    obstacle = releases.obstacle(context.store, release=release, feeds=feeds.ref)
    if obstacle is not None:
        logger.info("The pointer stays: %s.", obstacle)
        return
    sinks.write_all(context.config, feeds)
    releases.go_live(context.store, release=release, feeds=feeds.ref)
    logger.info("%s is live, with the feeds made from it.", release)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.PUBLISH_FEEDS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
