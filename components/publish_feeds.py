"""Check the feeds' quality, write the sinks, make release and feeds live together."""

import json
import logging
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components import contract, step
from components.erasure import forgotten
from components.errors import BadDataError
from components.quality import skew
from components.release import release_files, releases
from components.release.corpus import Corpus
from components.run.context import Context, Outcome
from components.serving import audience, feed_files, rule_lists
from components.serving import quality as feed_quality
from components.serving.feed_files import FRESH, KEPT, POPULAR
from components.serving.seen import SeenPosts
from components.serving.shards import Shard
from components.serving.sinks import all_sinks
from components.serving.withheld import Withheld, without_withdrawn
from components.store.artifacts import Artifact, Ref, Unchanged
from components.tables import bucket_files
from components.tables.bucket_files import BucketFiles
from schemas.buckets import NUM_SLOTS

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
    release = context.read(contract.PUBLISH_RELEASE.name, context.day)
    shards = _read_shards(context, num_shards, release.ref)
    seen_refs = audience.event_partitions(context, context.config.materialize_feeds.seen_days)
    settings = {
        # Sinks are where feeds go, and may change without anything to publish anew.
        "publish_feeds": context.config.publish_feeds.model_dump(mode="json", exclude={"sinks"}),
        "feed_length": context.config.materialize_feeds.feed_length,
        **rule_lists.recipe(context.config),
        "baseline": context.config.baseline.model_dump(mode="json"),
    }
    watch = skew.watch(context, release, shards)
    earlier_ref = audience.earlier_feeds(context)
    inputs = [release.ref, *(shard.ref for shard in shards), *seen_refs, *watch.refs]
    inputs += [] if earlier_ref is None else [earlier_ref]
    try:
        with context.write(inputs=inputs, config=settings) as draft:
            corpus = Corpus.read(release.path(release_files.CORPUS_FOLDER))
            corpus = without_withdrawn(corpus, context.config)
            shown = [context.store.read(ref) for ref in seen_refs]
            withheld = Withheld.of(corpus, shown, context.config)
            measures = feed_quality.QualityMeasures(corpus, context.config, context.day)
            erased_ids, num_erased = forgotten.erased_ids(context.config), 0
            files = [
                BucketFiles(shard.paths(table))
                for shard in shards
                for table in (feed_files.FEEDS_FILE, feed_files.UNRANKED_FILE)
            ]
            earlier = audience.open_earlier(context.store, earlier_ref)
            num_buckets, schema = context.config.user_buckets, files[0].schema
            with feed_files.writer(draft.folder, schema, num_buckets=num_buckets) as writer:
                # Some users at a time, so that memory does not grow with the day.
                for slots, table in _joined(files):
                    num_erased += int(np.isin(table["user_id"].to_numpy(), erased_ids).sum())
                    before = SeenPosts.none() if earlier is None else earlier.posts(slots)
                    measures.add(table, withheld.by_rule(slots), before)
                    writer.write_rows(table)
            _refuse_forgotten(context, num_erased)
            # Every shard makes the same default feed.
            shutil.copy(shards[0].path(feed_files.DEFAULT_FILE), draft.folder)
            quality = measures.quality(_users_by_kind(shards))
            comparison = watch.compare()
            _refuse_breaches(context, [*quality.breaches, *comparison.breaches()])
            text = json.dumps(quality.report, indent=1, sort_keys=True)
            (draft.folder / QUALITY_FILE).write_text(text + "\n", encoding="utf-8")
            comparison.save(draft.folder)
            draft.facts.update(
                quality.report,
                default_places=pq.read_metadata(draft.folder / feed_files.DEFAULT_FILE).num_rows,
                skew=comparison.facts(),
                withheld_pairs=_sums(shards, "withheld_pairs"),
                removed_places=_sums(shards, "removed_places"),
                release=release.ref.digest,
                num_shards=num_shards,
            )
    except Unchanged as unchanged:
        _go_live(context, release.ref, unchanged.artifact)
        raise
    feeds = context.written_artifact()
    _go_live(context, release.ref, feeds)
    return Outcome(feeds)


def _read_shards(context: Context, num_shards: int, release: Ref) -> list[Artifact]:
    """Opens all shards of the day.

    Raises:
      BadDataError: If one is missing, damaged or of another release.
    """
    kind, day = contract.MATERIALIZE_FEEDS.name, context.day.isoformat()
    suffixes = [shard.suffix for shard in Shard.all_of(num_shards)]
    missing = [suffix for suffix in suffixes if context.store.head(kind, day + suffix) is None]
    if missing:
        raise BadDataError(
            f"The feeds of {day} are not complete: expected {num_shards} shards, missing "
            f"{', '.join(suffix.strip('-') for suffix in missing)}. Run materialize_feeds for them."
        )
    shards = [context.read(kind, context.day, suffix=suffix) for suffix in suffixes]
    for shard in shards:
        if "removed_places" not in shard.facts:
            raise BadDataError(
                f"{shard.ref} was made by an earlier version: run materialize_feeds again."
            )
        if shard.facts["release"] != release.digest:
            raise BadDataError(
                f"{shard.ref} was made from the release {shard.facts['release'][:12]}, the release "
                f"of {day} is {release.digest[:12]}: run materialize_feeds again."
            )
    return shards


def _users_by_kind(shards: Sequence[Artifact]) -> dict[str, int]:
    """Returns the users for whom feeds of each kind were to be made."""
    names = {FRESH: "users", KEPT: "kept_users", POPULAR: "popular_users"}
    return {kind: sum(shard.facts[name] for shard in shards) for kind, name in names.items()}


def _sums(shards: Sequence[Artifact], name: str) -> dict[str, int]:
    """Returns a fact of all shards that counts by rule, added up."""
    total = sum((Counter(shard.facts[name]) for shard in shards), Counter[str]())
    return dict(sorted(total.items()))


def _joined(files: Sequence[BucketFiles]) -> Iterator[tuple[range, pa.Table]]:
    """Yields the feeds of users in some slots, of all tables, sorted by user and rank."""
    sizes = sum((each.slot_sizes() for each in files), np.zeros(NUM_SLOTS, np.int64))
    for slots in bucket_files.runs(sizes, bucket_files.GROUP_ROWS):
        # Every user is in one table of one shard, so sorting the whole merges the sorted tables.
        table = pa.concat_tables(each.of_slots(slots) for each in files)
        yield slots, table.sort_by([("user_id", "ascending"), ("rank", "ascending")])


def _refuse_breaches(context: Context, breaches: Sequence[str]) -> None:
    if breaches:
        raise BadDataError(
            f"The feeds of {context.day} are not published: "
            f"{'; '.join(breaches)}. What was live stays live."
        )


def _refuse_forgotten(context: Context, num_rows: int) -> None:
    # The list may have grown since the shards were made.
    if num_rows:
        raise BadDataError(
            f"The feeds of {context.day} hold {num_rows} rows of users who are to be forgotten: "
            "run materialize_feeds again."
        )


def _go_live(context: Context, release: Ref, feeds: Artifact) -> None:
    """Makes release and feeds live where nothing forbids it: sinks first, the pointer last.

    A kill in between leaves sinks that are newer than the pointer; the next run mends that, and
    whatever a sink has lost of the live feeds, because what is served already is left alone.
    """
    with releases.publishing(context.store) as lease:
        obstacle = releases.obstacle(context.store, release=release, feeds=feeds.ref)
        if obstacle is not None:
            logger.info("The pointer stays: %s.", obstacle)
            live = releases.live(context.store)
            if live is None or live.feeds != feeds.ref:
                return
        all_sinks.write_all(context.config, feeds, lease.check)
        if releases.go_live(context.store, release=release, feeds=feeds.ref):
            logger.info("%s is live, with the feeds made from it.", release)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.PUBLISH_FEEDS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
