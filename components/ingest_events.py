"""Reads one UTC day of the source into the canonical event schema.

Writes `events.parquet` (no rule applied yet), `late.parquet` (rows that arrived on the day and
belong to earlier ones), `rejected.parquet` (rows that could not be read, with file, line and
reason, for the quarantine of the next step), `posts.parquet` (posts known by the day's end), and
where ids are text, the texts of the ids in these files.
Rows are accounted for, per day and file: rows in = events + rejected + late. Rows that a file of
the day holds of the next one are counted there, and their number is told here (`next_day_rows`).
Where a line is a list of posts, each post is a row; lists without one are none, and their number is
told (`empty_slates`).
"""

import datetime
import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components import contract, step
from components.erasure import forgotten as erasure
from components.errors import BadDataError
from components.rows import account, row_kinds
from components.run.context import Context, Outcome
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source import attribute_files, schema_changes
from components.source import source as sources
from components.source.by_day import day_changes
from components.source.known_posts import Columns
from components.source.layouts import layout
from components.source.row_checks import Rejections
from components.source.source import DayRows
from components.store.artifacts import Unchanged
from components.tables import action_lists, bucket_files, data_files
from components.tables.event_ids import event_ids
from components.tables.id_texts import IdTexts
from phoenix.data.population import WorldConfig
from phoenix.data.synthetic import World
from schemas.events import INGESTED, REJECTED
from schemas.posts import POSTS

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
        inputs, recipe["world"] = attribute_files.inputs(config), source.model_dump()
        recipe["actions"] = action_lists.to_json(config)
        with context.write(inputs=inputs, config=recipe, seed=source.seed) as draft:
            rows = _synthetic_day(config, source, day)
            draft.facts |= _write(draft.folder, rows, config) | _source_facts(source.layout, [])
            draft.facts |= attribute_files.write(draft.folder, config, day, {})
        return Outcome(context.written_artifact())
    source_layout = layout(source, config)
    schema_changes.check_surfaces(context, source_layout)
    recipe["columns"] = columns = schema_changes.check(context, source_layout)
    files = sources.open_source(config, context.store)
    # Also by a run that has nothing to write: until they were run, others must hear of them.
    changed_days = day_changes.changed_days(context.store, config, files, before=day)
    event_inputs = files.event_inputs(day)
    inputs = [*event_inputs, *files.post_inputs(day)]
    every_input = [*inputs, *attribute_files.inputs(config)]
    # By name, not by column alone: what the bits are called is in the artifact.
    actions = {"actions": action_lists.to_json(config)}
    try:
        with context.write(inputs=every_input, config=recipe | files.mapping | actions) as draft:
            rows = files.read_day(day)
            # A few rows that the file of the day before holds of it are not the day.
            if not rows.num_rows or (rows.last_day is not None and day > rows.last_day):
                _refuse_empty_day(rows, day, config)
            draft.facts |= _write(draft.folder, rows, config) | _source_facts(source.layout, inputs)
            if advice := row_kinds.advice(draft.facts["row_kind"], config):
                logger.warning("%s: %s", day, advice)
            draft.facts["source"] |= {"columns": columns, "events": event_inputs}
            if source_layout.surfaces:
                draft.facts["source"]["surfaces"] = dict(source_layout.surfaces)
            if rows.absent_columns:
                _tell_absent_columns(draft.facts["source"], rows.absent_columns, day)
            draft.facts["next_day_rows"] = rows.num_next
            if source_layout.slates is not None:
                draft.facts["empty_slates"] = rows.num_empty_slates
                logger.info(
                    "%s: each post of a slate is a row; %d slates are without posts.",
                    day,
                    rows.num_empty_slates,
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


def _synthetic_day(config: Config, source: SyntheticSource, day: datetime.date) -> DayRows:
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
    return DayRows(columns, {}, post_columns, Rejections(), config.first_day, None, {})


def _write(folder: Path, rows: DayRows, config: Config) -> dict[str, Any]:
    """Writes the files and returns the account of their rows."""
    erased_ids = erasure.erased_ids(config)
    events, of_events = erasure.forget_events(_table(rows.events), erased_ids)
    late, of_late = erasure.forget_events(_table(rows.late), erased_ids)
    rejected = erasure.forget_rejected(rows.rejections.table(), config)
    # Rows of forgotten users are still rows that came: their places keep the account whole.
    rejected = data_files.concatenate(REJECTED, [rejected, of_events, of_late])
    posts = data_files.arrow_table(POSTS, rows.posts)
    for name, table in ((data_files.EVENTS_FILE, events), (data_files.LATE_FILE, late)):
        bucket_files.write(folder, name, table, num_buckets=config.user_buckets)
    data_files.write(folder / data_files.REJECTED_FILE, rejected)
    data_files.write(folder / data_files.POSTS_FILE, posts)
    texts = _texts_of(rows.texts, [events, late, posts])
    for part in texts:
        part.write(folder)
    rejected_events = rejected.filter(pc.field("table") == "events")
    rules = Counter(rejected_events["rule"].to_pylist())
    parts = {"events": events, "rejected": rejected_events, "late": late}
    return {
        "actions": action_lists.to_json(config),
        "rows_in": len(events) + len(rejected_events) + len(late),
        "events": len(events),
        "rejected": len(rejected_events),
        "late": len(late),
        "files": account.by_file(parts),
        "late_by_day": account.by_day(late),
        "rejected_by_rule": dict(sorted(rules.items())),
        "row_kind": row_kinds.measure(events),
        "posts": len(posts),
        "posts_rejected": len(rejected) - len(rejected_events),
        **({"texts": {part.id_name: len(part.ids) for part in texts}} if texts else {}),
    }


def _texts_of(texts: Mapping[str, IdTexts], tables: Sequence[pa.Table]) -> list[IdTexts]:
    """Returns the texts of the ids in some tables, which hold no user who is to be forgotten."""
    return [
        part.only(
            np.concatenate(
                [table[name].to_numpy() for table in tables if name in table.column_names]
            )
        )
        for name, part in texts.items()
    ]


def _table(events: Columns) -> pa.Table:
    """Returns rows in the schema `INGESTED`, each with its id."""
    if not events:
        return INGESTED.schema().empty_table()
    ids = event_ids(events["user_id"], events["post_id"], events["shown_at"])
    return data_files.arrow_table(INGESTED, {**events, "event_id": ids})


def _source_facts(layout_name: str, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    # Not which days the source covers: a day is the same when days are added.
    files = [file["name"] for file in inputs if "bytes" in file or "rows" in file]
    return {"source": {"layout": layout_name, "files": files}}


def _refuse_empty_day(rows: DayRows, day: datetime.date, config: Config) -> None:
    """Refuses a day without a row, unless there are rows before and after it, or a file of it.

    Raises:
      BadDataError: Saying what the source covers.
    """
    if rows.first_day is None or rows.last_day is None:
        raise BadDataError(
            f"The source has no rows for {day}, and no row at all with a readable time."
        )
    # Of a day after the last one nobody knows yet whether it is empty or has not come.
    if not rows.first_day <= day <= rows.last_day:
        raise BadDataError(
            f"The source has no rows for {day}; it covers {rows.first_day} to {rows.last_day}."
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
