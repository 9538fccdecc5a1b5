"""Statistics of the accepted rows of a day: numbers, and histograms that add up over days.

Later days read both from the artifact of the day, which is all that they ever know of it: what a
day is compared with was known before it.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components import contract
from components.errors import BadDataError
from components.quality.common_actions import Measured
from components.quality.day_counts import NO_ACTION, DayCounts
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Ref, Store
from components.tables import action_lists, data_files
from phoenix.data import histograms, sorted_ids
from phoenix.data.days import DAY_MS, midnight_ms
from phoenix.data.histograms import Histogram

STATISTICS_FILE = "statistics.json"  # of validate_events
_MINUTE_MS = 60_000


@dataclass(frozen=True)
class DayStatistics:
    """The statistics of one day."""

    summary: Mapping[str, Any]  # for people: counts, rates, hours
    metrics: Mapping[str, float]  # by `kind` or `kind/detail`; kinds as in `severities`
    histograms: Mapping[str, Histogram]
    actions: frozenset[str]  # those that the day could know

    @property
    def measured(self) -> Measured:
        """The histograms, to be compared with those of other days."""
        return Measured(self.histograms, self.actions)


@dataclass(frozen=True)
class PastDay:
    """The statistics of an earlier day, as its artifact keeps them."""

    ref: Ref  # of its validate_events
    metrics: Mapping[str, float]
    histograms: Mapping[str, Histogram]
    distances: Mapping[str, Any]  # see `drift.Comparison`, by name
    actions: frozenset[str]  # the configured ones that the day knew

    @property
    def measured(self) -> Measured:
        """The histograms, to be compared with those of other days."""
        return Measured(self.histograms, self.actions)


def measure(
    counts: DayCounts, earlier_posts: pa.Table | None, config: Config, day: datetime.date
) -> DayStatistics:
    """Returns the statistics of a day.

    Args:
      counts: Of its accepted rows.
      earlier_posts: The posts known by the end of the day before; None if there was none.
      config: The actions.
      day: The UTC day.
    """
    known = [name for name in config.action_names if name in counts.actions]
    if not counts.rows:
        return _empty_statistics(known)
    rows, posts, actions = counts.rows, counts.posts, counts.actions
    rates = {name: actions[name] / rows for name in known}
    summary = {
        "rows": rows,
        "users": counts.users,
        "posts": len(posts),
        "authors": len(posts["lowest_author"].unique()),
        "action_rates": {name: round(rate, 6) for name, rate in rates.items()},
        "surfaces": dict(counts.surfaces),
        "hours": list(counts.hours),
        "mean_dwell_seconds": round(counts.mean_dwell_seconds, 4),
    }
    metrics: dict[str, float] = {
        "volume": rows,
        "users": counts.users,
        "posts": len(posts),
        # Late ones, too: a log may tell of all actions afterwards.
        "any_action": rows - actions[NO_ACTION] + counts.late_actions,
        **{f"action_rates/{name}": rate for name, rate in rates.items()},
        **{f"surfaces/{name}": number / rows for name, number in counts.surfaces.items()},
        # From the last impression to the end of the day: a log that was cut short ends early.
        "freshness/quiet_minutes": (midnight_ms(day) + DAY_MS - 1 - counts.last_shown_ms)
        / _MINUTE_MS,
        # Clocks that disagree make negative delays, which `arrival_order` tells of.
        "freshness/delay_minutes": max(0.0, counts.delay_ms / rows / _MINUTE_MS),
        **_post_metrics(posts, earlier_posts),
    }
    return DayStatistics(
        summary,
        # Nine digits are more than any limit needs, and leave out the noise of float sums.
        {name: float(f"{value:.9g}") for name, value in metrics.items()},
        {
            "action": histograms.of_categories(actions),
            "surface": histograms.of_categories(counts.surfaces),
            "hour": histograms.of_categories({f"{h:02d}": n for h, n in enumerate(counts.hours)}),
            **counts.numbers,
        },
        frozenset(known),
    )


def _empty_statistics(actions: Sequence[str]) -> DayStatistics:
    """Returns the statistics of a day without accepted rows."""
    summary = {
        **dict.fromkeys(("rows", "users", "posts", "authors"), 0),
        "action_rates": dict.fromkeys(actions, 0.0),
        "surfaces": {},
        "hours": [0] * 24,
        "mean_dwell_seconds": 0.0,
    }
    metrics: dict[str, float] = dict.fromkeys(("volume", "users", "posts"), 0.0)
    return DayStatistics(summary, metrics, {}, frozenset(actions))


def write(path: Path, statistics: DayStatistics, distances: Mapping[str, Any]) -> None:
    """Writes the statistics of a day for later days.

    Args:
      path: The file.
      statistics: Of the day.
      distances: Of the day from the days before it, as `drift.to_dict` returns them.
    """
    content = {
        "metrics": statistics.metrics,
        "histograms": {name: each.to_dict() for name, each in statistics.histograms.items()},
        "distances": distances,
    }
    path.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")


def read_past_days(context: Context) -> list[PastDay]:
    """Reads the statistics of the days before, oldest first, as far as a baseline reaches.

    A day without an artifact, or without any accepted row, is left out.

    Raises:
      BadDataError: If a file is damaged.
    """
    reach = range(context.config.baseline.days, 0, -1)
    days = [context.day - datetime.timedelta(days=back) for back in reach]
    kind, first_day = contract.VALIDATE_EVENTS.name, context.config.first_day
    refs = [context.head(kind, day) for day in days if day >= first_day]
    past_days = [read(context.store, ref, context.config) for ref in refs if ref is not None]
    return [day for day in past_days if day.histograms]


def read(store: Store, ref: Ref, config: Config) -> PastDay:
    """Reads the statistics of one day.

    Args:
      store: The store.
      ref: Of validate_events.
      config: The actions of which statistics are compared.

    Raises:
      BadDataError: If the file is missing or damaged.
    """
    manifest = store.manifest(ref)
    if STATISTICS_FILE not in manifest["files"]:
        raise BadDataError(
            f"{ref} has no {STATISTICS_FILE}: it was written before days kept their statistics. "
            "Run validate_events of every day since the first one again, in order, this one by "
            f"`phoenix step validate_events --day {ref.partition}`."
        )
    content = json.loads(store.read_file(ref, STATISTICS_FILE).read_bytes())
    return PastDay(
        ref,
        content["metrics"],
        {name: Histogram.from_dict(each) for name, each in content["histograms"].items()},
        content["distances"],
        action_lists.known_actions(manifest, config),
    )


def known_posts(context: Context, past_days: Sequence[PastDay]) -> pa.Table | None:
    """Returns the posts that were known by the end of the newest of the days before, if any.

    Raises:
      BadDataError: If the file is damaged.
    """
    if not past_days:
        return None
    path = context.store.read_file(past_days[-1].ref, data_files.POSTS_FILE)
    return pq.read_table(path, columns=["post_id", "author_id"])


def _post_metrics(posts: pa.Table, earlier_posts: pa.Table | None) -> dict[str, float]:
    """Returns the share of rows of posts that are new, and the number of posts with two authors."""
    lowest, highest = posts["lowest_author"].to_numpy(), posts["highest_author"].to_numpy()
    is_changed = lowest != highest
    if earlier_posts is None:
        return {"author_stable/changed_posts": int(is_changed.sum())}
    ids, counts = posts["post_id"].to_numpy(), posts["rows"].to_numpy()
    known_ids = earlier_posts["post_id"].to_numpy()
    known_authors = earlier_posts["author_id"].to_numpy()
    # A new post has no earlier author that it could differ from.
    is_known = sorted_ids.find(known_ids, ids).is_there
    is_changed |= is_known & (
        sorted_ids.values_at(known_ids, known_authors, ids, missing=0) != lowest
    )
    return {
        "author_stable/changed_posts": int(is_changed.sum()),
        "unseen_posts": float(counts[~is_known].sum() / counts.sum()),
    }
