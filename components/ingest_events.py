"""Reads one UTC day of the source into the canonical event schema.

Writes `events.parquet` (no rule applied yet), `rejected.parquet` (rows that could not be read, with
file, line and reason, for the quarantine of the next step) and `posts.parquet` (every post known by
the end of the day). Rows are accounted for: rows in = events + rejected.
"""

import datetime
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components import contract, data_files, sources, step
from components.artifacts import Artifact
from components.config import Config
from components.errors import BadDataError
from components.known_posts import Columns
from components.row_checks import Rejections
from components.source_config import SyntheticSource
from components.sources import DayRows
from components.step import Context
from phoenix.synthetic import World, WorldConfig
from schemas.events import INGESTED
from schemas.posts import POSTS

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def run(context: Context) -> Artifact:
    """Writes the events, the rejected rows and the posts of the day.

    Raises:
      BadConfigurationError: If the source is not where the configuration says.
      BadDataError: If a file cannot be read or lacks a column, or the day has no rows.
    """
    config, day = context.config, context.day
    source = config.ingest_events.source
    recipe: dict[str, Any] = {"first_day": config.first_day.isoformat()}
    if isinstance(source, SyntheticSource):
        inputs, recipe["world"] = [], source.model_dump()
        recipe["actions"] = config.action_names
        with context.write(inputs=inputs, config=recipe, seed=source.seed) as draft:
            rows = _synthetic_day(config, source, day)
            _write(draft.folder, rows)
            draft.facts |= _facts(rows, source.layout, inputs)
        return context.written()
    files = sources.opened(config, context.store)
    inputs = files.inputs(day)
    with context.write(inputs=inputs, config=recipe | files.mapping) as draft:
        rows = files.read_day(day)
        if not rows.num_rows:
            raise _empty_day(rows, day)
        _write(draft.folder, rows)
        draft.facts |= _facts(rows, source.layout, inputs)
    return context.written()


def event_ids(user_ids: np.ndarray, post_ids: np.ndarray, shown_at: np.ndarray) -> np.ndarray:
    """Derives ids from what was shown to whom and when, so that every run gives the same.

    Rows that agree in all three get different ids by their order.

    Args:
      user_ids: `[L]` int64.
      post_ids: `[L]` int64.
      shown_at: `[L]` int64 ms.

    Returns:
      `[L]` int64 > 0. With 10 million rows, the chance that two other rows collide is 1 in 180,000.
    """
    keys = np.zeros(len(user_ids), np.uint64)
    for part in (user_ids, post_ids, shown_at):
        keys = _mixed((keys ^ part.view(np.uint64)) + _GOLDEN)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(keys)])
    runs = np.diff(np.append(starts, len(keys)))
    repetition = np.empty(len(keys), np.uint64)
    repetition[order] = np.arange(len(keys)) - np.repeat(starts, runs)
    keys = np.where(repetition > 0, _mixed(keys + repetition * _GOLDEN), keys)
    return np.maximum(keys >> np.uint64(1), np.uint64(1)).astype(np.int64)


def _mixed(keys: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64: every bit of the result depends on every bit of the key."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def _synthetic_day(config: Config, source: SyntheticSource, day: datetime.date) -> DayRows:
    sizes = source.model_dump(exclude={"layout"})
    world = World(WorldConfig(first_day=config.first_day, actions=config.action_names, **sizes))
    impressions, posts = world.impressions(day), world.posts(day)
    columns: Columns = {
        "user_id": impressions.user_ids,
        "post_id": impressions.post_ids,
        "author_id": impressions.author_ids,
        "shown_at": impressions.shown_at,
        "ingested_at": impressions.ingested_at,
        "surface": impressions.surfaces,
        "actions": impressions.actions,
        "dwell_seconds": impressions.dwell_seconds,
        "file": np.full(len(impressions.user_ids), None, object),
        "line": np.full(len(impressions.user_ids), None, object),
    }
    order = np.argsort(posts.post_ids)
    described: Columns = {
        "post_id": posts.post_ids[order],
        "author_id": posts.author_ids[order],
        "created_at": posts.created_at[order],
        "eligible": np.ones(len(order), bool),
        "duration_seconds": np.full(len(order), np.nan, np.float32),
        "tag": np.array([f"topic_{topic}" for topic in posts.topics[order]], object),
    }
    return DayRows(columns, {}, described, Rejections(), config.first_day, None)


def _write(folder: Path, rows: DayRows) -> None:
    if rows.events:
        ids = event_ids(rows.events["user_id"], rows.events["post_id"], rows.events["shown_at"])
        events = data_files.arrow_table(INGESTED, {**rows.events, "event_id": ids})
    else:
        events = INGESTED.schema().empty_table()
    data_files.write(folder / data_files.EVENTS_FILE, events)
    data_files.write(folder / data_files.REJECTED_FILE, rows.rejections.table())
    data_files.write(folder / data_files.POSTS_FILE, data_files.arrow_table(POSTS, rows.posts))


def _facts(rows: DayRows, layout_name: str, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rules = Counter(str(row["rule"]) for row in rows.rejections.rows if row["table"] == "events")
    return {
        "rows_in": rows.num_rows,
        "events": len(rows.events.get("line", ())),
        "late": len(rows.late.get("line", ())),
        "rejected": rules.total(),
        "rejected_by_rule": dict(sorted(rules.items())),
        "posts": len(rows.posts["post_id"]),
        "posts_rejected": len(rows.rejections.rows) - rules.total(),
        "source": {
            "layout": layout_name,
            "files": [file["name"] for file in inputs],
            "first_day": rows.first_day and rows.first_day.isoformat(),
            "last_day": rows.last_day and rows.last_day.isoformat(),
        },
    }


def _empty_day(rows: DayRows, day: datetime.date) -> BadDataError:
    if rows.first_day is None:
        return BadDataError(
            f"The source has no rows for {day}, and no row at all with a readable time."
        )
    return BadDataError(
        f"The source has no rows for {day}; it covers {rows.first_day} to {rows.last_day}."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line."""
    return step.main(contract.INGEST_EVENTS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
