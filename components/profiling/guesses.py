"""The configuration that a log suggests by itself, where its form is not a public one."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components.errors import BadConfigurationError
from components.profiling import (
    action_guesses,
    column_guesses,
    file_differences,
    times,
    words,
)
from components.profiling.column_guesses import is_surface_number, is_text_id
from components.profiling.file_differences import Role
from components.profiling.hints import KEYS, Hints
from components.profiling.pattern_guesses import pattern
from components.profiling.proposals import Proposal, ProposedAction
from components.profiling.samples import Sample
from components.profiling.words import COLUMN_NAMES, EVENT_TYPE_NAMES, RATING_NAMES
from components.settings.source import NULL_WORDS
from components.source import byte_streams
from components.source.by_day import path_patterns
from components.source.layouts import MAY_COME
from components.tables import cells

_ID_COLUMNS = ("user_id", "post_id", "author_id")
_ALL_OR_NONE = ("surface", "dwell_seconds", "ingested_at")  # optional, and whole where mapped


def guess(samples: Sequence[Sample], hints: Hints) -> Proposal:
    """Proposes a configuration by the names and the values of columns.

    Raises:
      BadConfigurationError: If no file has a user, a post and a time, or none says what users did;
        it names what is missing and the option that says it.
    """
    events = column_guesses.events_sample(samples, hints)
    is_by_day = path_patterns.has_day(pattern(events, samples))
    columns, left_out = _event_columns(events, hints, is_by_day=is_by_day)
    _refuse_unknown(events, columns, hints)
    rows = events.rows.drop_columns(left_out)
    posts = column_guesses.posts_sample(samples, events, columns["post_id"])
    post_columns = column_guesses.post_columns(posts, columns["post_id"]) if posts else {}
    reasons: dict[str, str] = {}
    _say_author(columns, post_columns, rows, reasons)
    did = action_guesses.actions(rows, columns, hints)
    source = _files(events, posts, samples) | _delimiter(events)
    if "latin-1" in (events.form.encoding, posts.form.encoding if posts else "utf-8"):
        source["encoding"], reasons["encoding"] = "latin-1", "letters that are no UTF-8"
    source["event_columns"] = columns
    if posts:
        source["post_columns"] = post_columns
    if did.rows_are != "impressions":
        source["rows"], reasons["rows"] = did.rows_are, did.reason
    id_columns = [(name, rows, columns.get(name)) for name in _ID_COLUMNS]
    id_columns += [("author_id", posts.rows, post_columns.get("author_id"))] if posts else []
    text_ids = {name: "" for name, table, c in id_columns if c and is_text_id(table[c])}
    if text_ids:
        source["text_ids"] = text_ids
        reasons["text_ids"] = "ids that are text; nothing ends them"
    time_columns = [(name, rows, columns.get(name)) for name in ("shown_at", "ingested_at")]
    time_columns += [("created_at", posts.rows, post_columns.get("created_at"))] if posts else []
    source |= _time_settings({n: table[c] for n, table, c in time_columns if c}, hints, reasons)
    source |= _surfaces(columns, rows, reasons)
    source |= _dwell_unit(columns, rows)
    folder = os.path.commonpath([file.parent for file in events.files])
    roles = _roles(columns, did.proposed, left_out)
    notes = [
        *did.notes,
        *file_differences.notes_on_columns(events, roles),
        *file_differences.notes_on_other_files(samples, [events, *([posts] if posts else [])]),
    ]
    return Proposal(
        title=f"The log at {folder}.",
        source=source,
        actions=did.proposed,
        reasons=reasons,
        notes=notes,
    )


def _event_columns(
    events: Sample, hints: Hints, *, is_by_day: bool
) -> tuple[dict[str, str], list[str]]:
    """Returns the columns of events by canonical name, and those that too few files have."""
    left_out = file_differences.incomplete_columns(events, is_by_day=is_by_day)
    columns = column_guesses.event_columns(events.rows.drop_columns(left_out), hints)
    # Without them a row is refused where they are mapped, and whole where they are not.
    partial = [
        columns[name] for name in _ALL_OR_NONE if name in columns and events.lacks(columns[name])
    ]
    return {n: c for n, c in columns.items() if c not in partial}, [*left_out, *partial]


def _say_author(
    columns: dict[str, str],
    post_columns: Mapping[str, str],
    rows: pa.Table,
    reasons: dict[str, str],
) -> None:
    """Puts the author's column into those of events, unless the posts' have it."""
    if "author_id" in post_columns:  # said once, where posts are described
        columns.pop("author_id", None)
    elif "author_id" not in columns:
        columns["author_id"] = columns["post_id"]
        reasons["event_columns"] = "nobody says who made a post, so it is its own author"
    elif cells.says_nothing(rows[columns["author_id"]].combine_chunks(), NULL_WORDS).any():
        reasons["event_columns"] = f"without `{columns['author_id']}`, a post is its own author"


def _files(events: Sample, posts: Sample | None, samples: Sequence[Sample]) -> dict[str, Any]:
    """Returns the settings that name the files, and the columns of those without a header."""
    files: dict[str, Any] = {"layout": "columns", "events": pattern(events, samples)}
    if posts is None:
        return files | _names_of_columns("event_names", events)
    files["posts"] = pattern(posts, samples)
    names = _names_of_columns("post_names", posts)
    return files | _names_of_columns("event_names", events) | names


def _roles(
    columns: Mapping[str, str], actions: Sequence[ProposedAction], left_out: Sequence[str]
) -> Mapping[str, Role]:
    """Returns what the columns are that are read, or would be if all files had them."""
    roles: dict[str, Role] = {
        column: "optional" if name in MAY_COME else "needed" for name, column in columns.items()
    }
    roles |= {each.column: "action" for each in actions if each.column is not None}
    names = [*COLUMN_NAMES.values(), EVENT_TYPE_NAMES, RATING_NAMES]
    for name in left_out:
        if words.is_action_word(name) or any(words.plain(name) in each for each in names):
            roles[name] = "left out"
    return roles


def _refuse_unknown(events: Sample, columns: Mapping[str, str], hints: Hints) -> None:
    """Refuses a log without the columns of an event, and a hint at a column that is not there."""
    names = events.rows.column_names
    there = f"The columns: {', '.join(_described(events)) or 'none':.500}."
    if events.repeated:
        repeated = ", ".join(events.repeated)
        there += f" Several are called {repeated}, which nobody can read: give each its own name."
    for column in (*hints.columns.values(), *hints.actions):
        if column not in names:
            raise BadConfigurationError(f"{events.first}: there is no column {column!r}. {there}")
    if missing := [name for name in KEYS if name not in columns]:
        options = " ".join(f"--say {KEYS[name]}=COLUMN" for name in missing)
        raise BadConfigurationError(
            f"{events.first}: expected columns of a user, a post and a time; say which is which "
            f"with {options}. {there}{_hint(missing, events)}"
        )


def _described(events: Sample) -> list[str]:
    """Returns the names of the columns; where they are numbers, with their first values."""
    names = events.rows.column_names
    if events.form.has_header:
        return names
    firsts = [events.rows[name].drop_null().slice(0, 1).to_pylist() for name in names]
    return [
        f"{name} ({', '.join(map(str, first))})" for name, first in zip(names, firsts, strict=True)
    ]


def _hint(missing: Sequence[str], events: Sample) -> str:
    """Returns what columns look like that could be a missing one, in words to go on with."""
    rows = events.rows
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
    for name in missing:
        for column in rows.column_names:
            if words.plain(column) in words.COLUMN_NAMES[name] and (
                lacking := events.lacks(column)
            ):
                return (
                    f" `{column}` is not in {lacking[-1]}: one source has files with the same "
                    "columns. Write them alike, or look at a folder of those that are."
                )
    return _hint_at_times(events) if "shown_at" in missing else ""


def _hint_at_times(events: Sample) -> str:
    """Returns what is strange about a column that is called as a time."""
    column = words.column_for(words.COLUMN_NAMES["shown_at"], events.rows.column_names)
    if column is None:
        return ""
    forms: dict[str, str] = {}
    for file, part in events.parts.items():
        if column in part.column_names and len(part):
            form = times.time_settings(part[column].combine_chunks()) or {}
            forms.setdefault("".join(form.values()) or "no time", file.name)
    if len(forms) < 2:
        value = next(iter(events.rows[column].drop_null().slice(0, 1).to_pylist()), "nothing")
        return (
            f" `{column}` is called as a time, and no known form fits its values, such as "
            f"{value!s:.40}: write them with year, month and day, as 2026-03-01T10:00:00Z, or "
            "write the configuration by hand with `time_format` (docs/sources.md)."
        )
    listed = ", ".join(f"{form} in {file}" for form, file in forms.items())
    return f" `{column}` is {listed}: one source writes times in one form. Write them alike."


def _names_of_columns(setting: str, sample: Sample) -> dict[str, Any]:
    return {} if sample.form.has_header else {setting: list(sample.rows.column_names)}


def _delimiter(sample: Sample) -> dict[str, Any]:
    usual = "\t" if byte_streams.kind(sample.first) == ".tsv" else ","
    settings: dict[str, Any] = {}
    if sample.form.delimiter not in (None, usual):
        settings["delimiter"] = sample.form.delimiter
    return settings if sample.form.has_quotes else settings | {"quotes": False}


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
    is_ms = (
        words.plain(columns["dwell_seconds"]).endswith(("ms", "msec", "millis"))
        or np.median(values) > 1_000
    )
    return {"dwell_unit": "ms" if is_ms else "s"}
