"""Reads one UTC day of the source into the canonical event schema.

Writes `events.parquet` (no rule applied yet), `late.parquet` (rows that arrived on the day and
belong to earlier ones), `rejected.parquet` (rows that could not be read, with file, line and
reason, for the quarantine of the next step), `posts.parquet` (what files say of posts), and
where ids are text, the texts of the ids in these files.
Rows are accounted for, per day and file: rows in = events + rejected + late. Rows that a file of
the day holds of the next one are counted there, and their number is told here (`next_day_rows`).
Where a line is a list of posts, each post is a row; lists without one are none, and their number is
told (`empty_slates`).
"""

import datetime
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components import contract, step
from components.erasure import forgotten as erasure
from components.errors import BadDataError
from components.rows import known_posts, row_kinds
from components.rows.day_parts.ingested_rows import IngestedRows
from components.run.context import Context, Outcome
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source import attribute_files, schema_changes
from components.source import source as sources
from components.source.by_day import day_changes
from components.source.described_posts import Columns
from components.source.layouts import layout
from components.source.row_checks import Rejections
from components.source.source import DayReading
from components.store.artifacts import Unchanged
from components.tables import action_lists, data_files
from phoenix.data.population import WorldConfig
from phoenix.data.synthetic import World
from schemas.events import REJECTED
from schemas.posts import DESCRIBED_POSTS

logger = logging.getLogger(__name__)


def run(context: Context) -> Outcome:
    """Writes the events, the rejected rows and the posts of the day, and names the days with news.

    Those are earlier days, within `late_days`, of which the source holds other rows by now.

    Raises:
      BadConfigurationError: If the source is not where the configuration says.
      BadDataError: If a file cannot be read or lacks a column, or the day has no rows and is not
        between days that have some.
    """
    config, day = context.config, context.day
    source = config.ingest_events.source
    recipe: dict[str, Any] = {"first_day": config.first_day.isoformat(), **erasure.recipe(config)}
    recipe |= attribute_files.recipe(config)
    if isinstance(source, SyntheticSource):
        return _run_synthetic(context, source, recipe)
    source_layout = layout(source, config)
    schema_changes.check_surfaces(context, source_layout)
    recipe["columns"] = columns = schema_changes.check(context, source_layout)
    files = sources.open_source(config, context.store)
    # Also by a run that has nothing to write: until they were run, others must hear of them.
    changed_days = day_changes.changed_days(context.store, config, files, before=day)
    if unknown := files.unknown_actions(day):
        _tell_unknown_actions(unknown, day)
        config = action_lists.without_columns(config, unknown)
        files = sources.open_source(config, context.store)
    event_inputs = files.event_inputs(day)
    inputs = [*event_inputs, *files.post_inputs()]
    every_input = [*inputs, *attribute_files.inputs(config)]
    # By name, not by column alone: what the bits are called is in the artifact.
    actions = {"actions": action_lists.to_json(config)}
    try:
        with context.write(inputs=every_input, config=recipe | files.mapping | actions) as draft:
            rows = IngestedRows(config, draft.folder)
            reading = files.read_day(day, rows.add)
            # A few rows that the file of the day before holds of it are not the day.
            if not reading.num_rows or (reading.last_day is not None and day > reading.last_day):
                _refuse_empty_day(reading, day, config)
            facts = _write(draft.folder, rows, reading, config)
            draft.facts |= facts | _source_facts(source.layout, inputs)
            if advice := row_kinds.advice(draft.facts["row_kind"], config):
                logger.warning("%s: %s", day, advice)
            draft.facts["source"] |= {"columns": columns, "events": event_inputs}
            if source_layout.surfaces:
                draft.facts["source"]["surfaces"] = dict(source_layout.surfaces)
            if reading.absent_columns:
                _tell_absent_columns(draft.facts["source"], reading.absent_columns, day)
            draft.facts["next_day_rows"] = reading.num_next
            if source_layout.slates is not None:
                draft.facts["empty_slates"] = reading.num_empty_slates
                logger.info(
                    "%s: each post of a slate is a row; %d slates are without posts.",
                    day,
                    reading.num_empty_slates,
                )
            draft.facts |= attribute_files.write(draft.folder, config, day, source_layout.text_ids)
    except Unchanged as unchanged:
        return Outcome(unchanged.artifact, is_unchanged=True, run_again=changed_days)
    return Outcome(context.written_artifact(), run_again=changed_days)


def _tell_absent_columns(facts: dict[str, Any], names: Sequence[str], day: datetime.date) -> None:
    facts["absent_columns"] = list(names)
    logger.warning(
        "No row of %s has the columns %s: a flag that is not there is no.", day, ", ".join(names)
    )


def _tell_unknown_actions(columns: Sequence[str], day: datetime.date) -> None:
    logger.warning(
        "%s: files without %s, which later ones have: of this action the day knows nothing.",
        day,
        ", ".join(columns),
    )


def _run_synthetic(context: Context, source: SyntheticSource, recipe: dict[str, Any]) -> Outcome:
    config, day = context.config, context.day
    inputs, world = attribute_files.inputs(config), source.model_dump()
    recipe |= {"world": world, "actions": action_lists.to_json(config)}
    with context.write(inputs=inputs, config=recipe, seed=source.seed) as draft:
        rows = IngestedRows(config, draft.folder)
        reading = _synthetic_day(config, source, day, rows)
        facts = _write(draft.folder, rows, reading, config)
        draft.facts |= facts | _source_facts(source.layout, [])
        draft.facts |= attribute_files.write(draft.folder, config, day, {})
    return Outcome(context.written_artifact())


def _synthetic_day(
    config: Config, source: SyntheticSource, day: datetime.date, rows: IngestedRows
) -> DayReading:
    sizes = source.model_dump(exclude={"layout"})
    world = World(WorldConfig(first_day=config.first_day, actions=config.action_names, **sizes))
    impressions, posts = world.impressions(day), world.population.posts(day)
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
    post_columns: Columns = {
        "post_id": posts.post_ids[order],
        "author_id": posts.author_ids[order],
        "created_at": posts.created_at[order],
        "eligible": np.ones(len(order), bool),
        "duration_seconds": np.full(len(order), np.nan, np.float32),
        "tag": np.array([f"topic_{topic}" for topic in posts.topics[order]], object),
    }
    rows.add(columns, {})
    return DayReading(
        num_rows=len(columns["line"]),
        posts=post_columns,
        are_posts_described=True,
        rejections=Rejections(),
        first_day=config.first_day,
        last_day=None,
        texts={},
    )


def _write(folder: Path, rows: IngestedRows, reading: DayReading, config: Config) -> dict[str, Any]:
    """Writes the files and returns the account of their rows."""
    rejected = erasure.forget_rejected(reading.rejections.table(), config)
    # Rows of forgotten users are still rows that came: their places keep the account whole.
    rejected = data_files.concatenate(REJECTED, [rejected, rows.erased])
    posts = data_files.arrow_table(DESCRIBED_POSTS, reading.posts)
    data_files.write(folder / data_files.REJECTED_FILE, rejected)
    data_files.write(folder / data_files.POSTS_FILE, posts)
    rejected_events = rejected.filter(pc.field("table") == "events")
    written = rows.write(rejected_events, reading.texts)
    # Of the rows and posts alone, among which is no user who is to be forgotten.
    texts = [
        part.only(np.concatenate([*written.ids[name], *_ids(posts, name)]))
        for name, part in reading.texts.items()
    ]
    for part in texts:
        part.write(folder)
    return {
        "actions": action_lists.to_json(config),
        **written.facts,
        "posts": len(posts),
        known_posts.ARE_DESCRIBED: reading.are_posts_described,
        "posts_rejected": len(rejected) - len(rejected_events),
        **({"texts": {part.id_name: len(part.ids) for part in texts}} if texts else {}),
    }


def _ids(posts: pa.Table, name: str) -> list[np.ndarray]:
    return [posts[name].to_numpy()] if name in posts.column_names else []


def _source_facts(layout_name: str, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    # Not which days the source covers: a day is the same when days are added.
    files = [file["name"] for file in inputs if "bytes" in file or "rows" in file]
    return {"source": {"layout": layout_name, "files": files}}


def _refuse_empty_day(reading: DayReading, day: datetime.date, config: Config) -> None:
    """Refuses a day without a row, unless there are rows before and after it, or a file of it.

    Raises:
      BadDataError: Saying what the source covers.
    """
    if reading.first_day is None or reading.last_day is None:
        raise BadDataError(
            f"The source has no rows for {day}, and no row at all with a readable time."
        )
    # Of a day after the last one nobody knows yet whether it is empty or has not come.
    if not reading.first_day <= day <= reading.last_day:
        raise BadDataError(
            f"The source has no rows for {day}; it covers {reading.first_day} to "
            f"{reading.last_day}."
        )
    if config.ingest_events.empty_days == "refuse":
        raise BadDataError(
            f"The source has no rows for {day}, which is between days that have some. Where that "
            "is as it should be, set `ingest_events.empty_days: accept`."
        )
    logger.info("The source has no rows for %s: the day is empty.", day)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line."""
    return step.main(contract.INGEST_EVENTS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
