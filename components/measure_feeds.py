"""Measure what the feeds that were live on the day before earned.

The first task of a day's feeds measures the day before, of which all labels of this day are known
by now. It needs no model, and what it finds stops nothing: a release that surely earns less than
the one before is told on the pages, by `phoenix doctor` and `phoenix releases list`, and rolled
back only where the configuration says so.
"""

import datetime
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from components import contract, step
from components.earnings import comparison, day_impressions, live_feeds, rollback
from components.earnings.comparison import USERS_FILE, MeasuredDay
from components.earnings.day_impressions import Joined
from components.earnings.measure import Measure, by_user, told
from components.erasure import forgotten
from components.features import later_labels
from components.run.context import Context, Outcome
from components.serving.feed_files import KEPT
from components.settings.config import Config
from components.store.artifacts import Artifact, Ref, Unchanged
from components.tables import action_lists, data_files
from components.tables.action_lists import ActionList
from schemas.buckets import NUM_SLOTS
from schemas.earnings import ALL, ENGAGEMENT, NO_FEED

logger = logging.getLogger(__name__)

_DAY = datetime.timedelta(days=1)
EARNED_FILE = "earned.parquet"  # measures by release, source and rank


def run(context: Context) -> Outcome:
    """Writes what each release that was live on the day before earned, and compares it.

    Where nothing was live, or nothing is known of the day, the measure says so in words.

    Raises:
      BadDataError: If an input is missing or damaged.
      Unchanged: If there is nothing new.
    """
    day = context.day - _DAY
    validated = _validated(context, day)
    feeds, labels = live_feeds.NOTHING, later_labels.LaterLabels(known_by=0)
    if validated is not None:
        names, by_time = day_impressions.names_in(validated)
        feeds = live_feeds.of_day(context.store, day, names, by_time=by_time)
        lists = {str(day): ActionList.of_manifest(validated.manifest)} if feeds.feeds else {}
        reader = f"{context.step.name} of {context.day}"
        action_lists.refuse_changes(lists, context.config, reader=reader)
    if validated is not None and feeds.feeds:
        labels = later_labels.later_labels(context, [day], through=context.day)
    releases = [live_feeds.describe(context.store, ref) for ref in feeds.releases]
    settings = _settings(context.config)
    summed = {name: settings[name] for name in ("actions", "weights")}
    earlier = comparison.earlier_measures(context, summed) if releases else []
    inputs = [*feeds.inputs, *labels.refs, *earlier]
    inputs += [] if validated is None else [validated.ref]
    made = None if feeds.feeds else context.head(contract.PUBLISH_FEEDS.name, day - _DAY)
    inputs += [] if made is None else [made]
    settings["releases"] = releases
    try:
        with context.write(inputs=inputs, config=settings) as draft:
            draft.facts.update(
                measured_day=day.isoformat(), releases=[], impressions=0.0, share=None
            )
            if validated is None:
                draft.facts["told"] = f"there are no accepted events of {day}: nothing is measured"
            elif not feeds.feeds:
                count = validated.facts["accepted"]
                draft.facts.update(impressions=float(count), told=_nothing_live(day, count, made))
            else:
                rows = labels.of_day(day).of_slots(range(NUM_SLOTS))
                joined = day_impressions.read(context, validated, rows, feeds)
                days = [comparison.read(context, ref) for ref in earlier]
                draft.facts.update(_measure(context.config, draft.folder, joined, releases, days))
            logger.info("%s: %s.", day, draft.facts["told"])
        measured, is_unchanged = context.written_artifact(), False
    except Unchanged as unchanged:
        measured, is_unchanged = unchanged.artifact, True
    # A run that died before it went back, or before pages were drawn, is completed by the next one.
    rollback.if_configured(context)
    return Outcome(measured, is_unchanged, also_changed=_changed_days(context, measured))


def _validated(context: Context, day: datetime.date) -> Artifact | None:
    ref = context.head(contract.VALIDATE_EVENTS.name, day)
    return None if ref is None else context.store.read(ref)


def _settings(config: Config) -> dict[str, Any]:
    """The part of the configuration that shapes a measure."""
    return {
        # What follows from a measure is not in it.
        "measure_feeds": config.measure_feeds.model_dump(mode="json", exclude={"roll_back"}),
        "weights": [action.score_weight for action in config.actions],
        **action_lists.recipe(config),
        **forgotten.recipe(config),
    }


def _measure(
    config: Config,
    folder: Path,
    joined: Joined,
    releases: Sequence[Mapping[str, Any]],
    earlier: Sequence[MeasuredDay],
) -> dict[str, Any]:
    """Writes the tables of a day on which something was live; returns its facts."""
    weights = {action.name: action.score_weight for action in config.actions}
    measure, shown = Measure(joined.releases, joined.sources, weights), joined.impressions
    # Other models made kept feeds: they say nothing of whether these are better.
    is_kept = shown.sources == _code(joined.sources, KEPT)
    table, users = measure.table(shown), measure.user_earnings(shown.where(~is_kept))
    data_files.write(folder / EARNED_FILE, table)
    data_files.write(folder / USERS_FILE, users)
    of_feeds = shown.releases != joined.releases.index(NO_FEED)
    share = told(by_user(shown.user_ids, of_feeds.astype(float), shown.weights))
    facts = [
        {**release, **_earned(table, release["release"])}
        for release in releases
        if release["release"] in table["release"].unique().to_pylist()
    ]
    days = [*earlier, MeasuredDay(facts, users)]
    for release in facts:
        release["comparison"] = comparison.compare(release, days, config.measure_feeds)
    return {
        "impressions": share["impressions"],
        "share": share,
        "strange": joined.num_strange,
        "releases": facts,
        "none": _earned(table, NO_FEED),
        "told": _sentence(share, facts, joined.num_strange),
    }


def _code(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -1


def _earned(table: pa.Table, release: str) -> dict[str, Any]:
    """Returns what a release earned: by measure over all its impressions, and by source."""
    own = table.filter((pc.field("release") == release) & pc.field("rank").is_null())
    rows = own.to_pylist()
    columns = ("users", "impressions", "mean", "low", "high")
    return {
        "measures": {
            row["measure"]: {name: row[name] for name in columns}
            for row in rows
            if row["source"] == ALL
        },
        "sources": {
            row["source"]: {name: row[name] for name in columns}
            for row in rows
            if row["source"] != ALL and row["measure"] == ENGAGEMENT
        },
    }


def _nothing_live(day: datetime.date, count: int, made: Ref | None) -> str:
    """Returns why nothing is measured of a day, in words.

    Args:
      day: Of the impressions.
      count: How many there were.
      made: The feeds of the day before, which were not live on it; None without any.
    """
    told = f"nothing was live on {day}: its {count:,} impressions came from no feed"
    if made is None:
        return told
    return (
        f"{told}; the feeds of {made.partition} were not live by then: those of a backfill are "
        "published after their days, so only rows of the log that name a feed can be measured"
    )


def _sentence(
    share: Mapping[str, Any], releases: Sequence[Mapping[str, Any]], num_strange: int
) -> str:
    """Returns the measure in words."""
    if not share["impressions"]:
        return "there were no impressions"
    parts = [f"{share['mean']:.1%} of {share['impressions']:,.0f} impressions came from feeds"]
    for release in releases:
        earned = release["measures"][ENGAGEMENT]
        parts.append(
            f"the release of {release['day']} earned {earned['mean']:.4f} per impression"
            f"{comparison.sentence(release)}"
        )
    if num_strange:
        parts.append(
            f"{num_strange:,} rows name a feed that was never live here (known are digests and "
            f"keys of feeds and releases, whole or their first {live_feeds.SHORT} characters)"
        )
    return "; ".join(parts)


def _changed_days(context: Context, measured: Artifact) -> list[datetime.date]:
    """Returns the days of the releases whose pages show this measure."""
    days = {contract.parse_day(each["day"]) for each in measured.facts["releases"]}
    return sorted(days - {context.day})


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.MEASURE_FEEDS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
