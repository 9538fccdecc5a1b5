"""The configuration that a log suggests by itself, where its form is not a public one."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components.errors import BadConfigurationError
from components.profiling import action_guesses, column_guesses, times, words
from components.profiling.column_guesses import is_surface_number, is_text_id
from components.profiling.hints import KEYS, Hints
from components.profiling.pattern_guesses import pattern
from components.profiling.proposals import Proposal
from components.profiling.samples import Sample
from components.source import byte_streams
from components.tables import cells

_ID_COLUMNS = ("user_id", "post_id", "author_id")


def guess(samples: Sequence[Sample], hints: Hints) -> Proposal:
    """Proposes a configuration by the names and the values of columns.

    Raises:
      BadConfigurationError: If no file has a user, a post and a time, or none says what users did;
        it names what is missing and the option that says it.
    """
    events = column_guesses.events_sample(samples, hints)
    _refuse_unknown(events, samples, hints)
    columns = column_guesses.event_columns(events.rows, hints)
    posts = column_guesses.posts_sample(samples, events, columns["post_id"])
    post_columns = column_guesses.post_columns(posts, columns["post_id"]) if posts else {}
    reasons: dict[str, str] = {}
    if "author_id" in post_columns:  # said once, where posts are described
        columns.pop("author_id", None)
    elif "author_id" not in columns:
        columns["author_id"] = columns["post_id"]
        reasons["event_columns"] = "nobody says who made a post, so it is its own author"
    rows_are, actions, reason = action_guesses.actions(events.rows, columns, hints)
    source: dict[str, Any] = {"layout": "columns", "events": pattern(events, samples)}
    if posts:
        source["posts"] = pattern(posts, samples)
    source |= _names_of_columns("event_names", events)
    if posts:
        source |= _names_of_columns("post_names", posts)
    source |= _delimiter(events) | {"event_columns": columns}
    if posts:
        source["post_columns"] = post_columns
    if rows_are != "impressions":
        source["rows"], reasons["rows"] = rows_are, reason
    id_columns = [(name, events.rows, columns.get(name)) for name in _ID_COLUMNS]
    id_columns += [("author_id", posts.rows, post_columns.get("author_id"))] if posts else []
    text_ids = {name: "" for name, rows, c in id_columns if c and is_text_id(rows[c])}
    if text_ids:
        source["text_ids"] = text_ids
        reasons["text_ids"] = "ids that are text; nothing ends them"
    time_columns = [(name, events.rows, columns.get(name)) for name in ("shown_at", "ingested_at")]
    time_columns += [("created_at", posts.rows, post_columns.get("created_at"))] if posts else []
    source |= _time_settings({n: rows[c] for n, rows, c in time_columns if c}, hints, reasons)
    source |= _surfaces(columns, events.rows, reasons)
    source |= _dwell_unit(columns, events.rows)
    folder = os.path.commonpath([file.parent for file in events.files])
    title = f"The log at {folder}."
    return Proposal(title=title, source=source, actions=actions, reasons=reasons)


def _refuse_unknown(events: Sample, samples: Sequence[Sample], hints: Hints) -> None:
    """Refuses a log without the columns of an event, and a hint at a column that is not there."""
    names = events.rows.column_names
    there = f"The columns: {', '.join(names) or 'none':.500}."
    if events.repeated:
        repeated = ", ".join(events.repeated)
        there += f" Several are called {repeated}, which nobody can read: give each its own name."
    for column in (*hints.columns.values(), *hints.actions):
        if column not in names:
            raise BadConfigurationError(f"{events.first}: there is no column {column!r}. {there}")
    if missing := column_guesses.missing_columns(samples, hints):
        options = " ".join(f"--say {KEYS[name]}=COLUMN" for name in missing)
        raise BadConfigurationError(
            f"{events.first}: expected columns of a user, a post and a time; say which is which "
            f"with {options}. {there}{_hint(missing, events.rows)}"
        )


def _hint(missing: Sequence[str], rows: pa.Table) -> str:
    """Returns what columns look like that could be a missing one, in words to go on with."""
    first = {name: rows[name].drop_null().slice(0, 1).to_pylist() for name in rows.column_names}
    texts = {name: str(values[0]) for name, values in first.items() if values}
    lists = [name for name, text in texts.items() if text.startswith("[")]
    if "post_id" in missing and lists:
        return (
            f" {', '.join(lists)} holds lists: where a row is a list of posts, `rows: slates` "
            "reads it (docs/sources.md)."
        )
    dates = [name for name, text in texts.items() if re.fullmatch(r"[2-7]\d{4}(\.\d+)?", text)]
    named = words.column_for(words.COLUMN_NAMES["shown_at"], dates)
    if "shown_at" in missing and named is not None:
        return (
            f" {named} looks like the days of a spreadsheet, such as {texts[named]}: write them as "
            "2026-03-01T10:00:00."
        )
    return ""


def _names_of_columns(setting: str, sample: Sample) -> dict[str, Any]:
    return {} if sample.has_header else {setting: list(sample.rows.column_names)}


def _delimiter(sample: Sample) -> dict[str, Any]:
    usual = "\t" if byte_streams.kind(sample.first) == ".tsv" else ","
    settings: dict[str, Any] = {}
    if sample.delimiter not in (None, usual):
        settings["delimiter"] = sample.delimiter
    return settings if sample.has_quotes else settings | {"quotes": False}


def _time_settings(
    columns: Mapping[str, pa.ChunkedArray], hints: Hints, reasons: dict[str, str]
) -> dict[str, Any]:
    """Returns the settings of times: those of `shown_at`, and of others that differ from it."""
    values = {name: column.combine_chunks() for name, column in columns.items()}
    usual = times.time_settings(values["shown_at"]) or {}
    settings: dict[str, Any] = dict(usual)
    for name, column in values.items():
        form = times.time_settings(column) or usual
        if form != usual:
            ((setting, form_of_column),) = form.items()
            settings.setdefault(f"{setting}s", {})[name] = form_of_column
    if not all(times.has_zone(column) for column in values.values()):
        settings["time_zone"] = hints.time_zone or "UTC"
        if hints.time_zone is None:
            reasons["time_zone"] = "not all times say their zone: UTC is a guess, correct it"
    return settings


def _surfaces(
    columns: Mapping[str, str], rows: pa.Table, reasons: dict[str, str]
) -> dict[str, Any]:
    """Returns the numbers of surfaces that are words: the most frequent first, the rest as one."""
    values = rows[columns["surface"]].combine_chunks().drop_null() if "surface" in columns else None
    if values is None or is_surface_number(values):
        return {}
    counts = Counter(str(value) for value in values.to_pylist())
    words_by_count = [word for word, _ in counts.most_common() if word.strip()]
    numbers = {word: number for number, word in enumerate([*words_by_count, "*"])}
    reasons["surfaces"] = "numbered by frequency; `*` is any other word: keep the numbers for ever"
    return {"surfaces": numbers}


def _dwell_unit(columns: Mapping[str, str], rows: pa.Table) -> dict[str, str]:
    if "dwell_seconds" not in columns:
        return {}
    values = cells.parse_number(rows[columns["dwell_seconds"]].combine_chunks())[0]
    is_ms = words.plain(columns["dwell_seconds"]).endswith("ms") or np.median(values) > 1_000
    return {"dwell_unit": "ms" if is_ms else "s"}
