"""Puts every row of a day in its one place: accepted, duplicate, quarantined or late."""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components import data_files, erasure, late_rows, repairs, row_account, row_rules
from components.artifacts import Artifact
from components.config import Config
from components.known_posts import Columns
from components.late_rows import Holder
from components.layouts import DAY_MS, EPOCH
from components.row_account import FATES, NO_FILE
from components.row_rules import Broken, Merged
from components.step import Context
from schemas.events import EVENTS, INGESTED, QUARANTINED, REJECTED
from schemas.rules import TOO_LATE


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """The rows that a day has to account for."""

    events: pa.Table  # `INGESTED`: rows of the day, those that later days hold for it at the end
    rejected: pa.Table  # `REJECTED`: rows that could not be read
    late: pa.Table  # `INGESTED`: rows that arrived on the day and belong to earlier ones


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of the rows of one day."""

    merged: Merged  # the accepted rows
    quarantined: pa.Table  # `QUARANTINED`
    late_by_day: Mapping[str, int]  # rows that arrived on this day, by the day they belong to
    files: Sequence[Mapping[str, Any]]  # file, rows_in and the fates, in order of the names

    @property
    def account(self) -> dict[str, int]:
        """`rows_in` and the fates, of all files."""
        return {name: sum(file[name] for file in self.files) for name in ("rows_in", *FATES)}


def arrivals(context: Context, ingested: Artifact, held: Sequence[Holder]) -> Arrivals:
    """Returns the rows that a day has to account for.

    Args:
      context: The day, its store and the configuration.
      ingested: What arrived on the day.
      held: Who holds rows of the day that arrived later.

    Raises:
      BadDataError: If a file is missing or damaged, or a corrected row replaces nothing.
    """
    config, forgotten = context.config, erasure.erased_ids(context.config)
    tables = {
        name: data_files.read(ingested.path(name), table)
        for name, table in (
            (data_files.EVENTS_FILE, INGESTED),
            (data_files.REJECTED_FILE, REJECTED),
            (data_files.LATE_FILE, INGESTED),
        )
    }
    later = late_rows.rows(context.store, held, context.day)
    events = pa.concat_tables([tables[data_files.EVENTS_FILE], later])
    rejected = tables[data_files.REJECTED_FILE].filter(pc.field("table") == "events")
    file = repairs.path(config, str(context.day))
    if file is not None:
        repaired = repairs.read(file, config)
        count = len(events) + len(rejected)
        events = repairs.without_repaired(events, repaired)
        rejected = repairs.without_repaired(rejected, repaired)
        repairs.refuse_unknown(file, repaired, count - len(events) - len(rejected))
        events = pa.concat_tables([events, repaired])
    # What arrived before the list of forgotten users was as it is now may still hold them.
    events, of_events = erasure.forget_events(events, forgotten)
    late, of_late = erasure.forget_events(tables[data_files.LATE_FILE], forgotten)
    rejected = erasure.forget_rejected(rejected, forgotten, config)
    return Arrivals(
        events=events, rejected=pa.concat_tables([rejected, of_events, of_late]), late=late
    )


def settle(arrivals: Arrivals, config: Config, day: datetime.date) -> Settled:
    """Puts every row in its one place.

    Args:
      arrivals: All rows.
      config: The limits of validate_events, and the actions.
      day: The UTC day.
    """
    events, names, codes = _columns(arrivals.events)
    broken = row_rules.rules(events, config, day)
    verdict = row_rules.judged(broken)
    parts = [_of_rejected(arrivals.rejected), _of_broken(events, (names, codes), broken, verdict)]
    kept = {name: events[name] for name in EVENTS.names} | {"file": codes}
    good_rows = np.flatnonzero(verdict == 0)
    good = Counter(_counts(names, codes[good_rows]))
    merged = row_rules.merged(kept, good_rows)
    accepted = Counter(_counts(names, merged.events.pop("file")))
    late, too_late = _split_late(arrivals.late, config, day)
    parts.append(too_late)
    quarantined = pa.concat_tables(parts)
    counts = {
        "rows_in": Counter(_counts(names, codes))
        + row_account.count_by_file(arrivals.rejected)
        + row_account.count_by_file(arrivals.late),
        "accepted": accepted,
        "duplicate": good - accepted,
        "quarantined": row_account.count_by_file(quarantined),
        "late": row_account.count_by_file(late),
    }
    files = [
        {"file": file, **{name: count[file] for name, count in counts.items()}}
        for file in sorted(counts["rows_in"])
    ]
    settled = Settled(
        merged=merged, quarantined=quarantined, late_by_day=row_account.by_day(late), files=files
    )
    problems = row_account.problems(settled.account, files, FATES)
    if problems:
        raise AssertionError(f"Rows were lost or invented on {day}: {problems[0]}.")
    return settled


def _columns(table: pa.Table) -> tuple[Columns, np.ndarray, np.ndarray]:
    """Returns the columns without `file`, the names of the files, and the file of each row."""
    encoded = table["file"].fill_null(NO_FILE).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # no row at all
        encoded = pa.array([], pa.string()).dictionary_encode()
    names = np.array(encoded.dictionary.to_pylist(), object)
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return data_files.columns(table.drop_columns(["file"])), names, codes


def _of_broken(
    events: Columns,
    files: tuple[np.ndarray, np.ndarray],
    broken: Sequence[Broken],
    verdict: np.ndarray,
) -> pa.Table:
    """Returns the rows that break a rule, in their order, with the first rule that they break."""
    names, codes = files
    rows = np.flatnonzero(verdict)
    columns = {name: values[rows] for name, values in events.items()}
    details = np.full(len(rows), "", object)
    for number, rule in enumerate(broken, start=1):
        of_rule = np.flatnonzero(verdict[rows] == number)
        if len(of_rule):
            came = data_files.arrow_array(EVENTS[rule.column], columns[rule.column][of_rule])
            told = pc.binary_join_element_wise(
                f"{rule.column}: expected {rule.expected}, got", came.cast(pa.string()), " "
            )
            details[of_rule] = told.to_numpy(zero_copy_only=False)
    rules = np.array([""] + [rule.rule for rule in broken], object)
    columns |= {
        "rule": rules[verdict[rows]],
        "detail": details,
        "file": _files(names[codes[rows]]),
        "raw": np.full(len(rows), None, object),
    }
    return data_files.arrow_table(QUARANTINED, columns)


def _of_rejected(rejected: pa.Table) -> pa.Table:
    """Returns rows that could not be read as quarantined rows, of which nothing else is known."""
    schema = QUARANTINED.schema()
    return pa.Table.from_arrays(
        [
            rejected[f.name].combine_chunks()
            if f.name in rejected.column_names
            else pa.nulls(len(rejected), f.type)
            for f in schema
        ],
        schema=schema,
    )


def _split_late(late: pa.Table, config: Config, day: datetime.date) -> tuple[pa.Table, pa.Table]:
    """Returns the rows that earlier days will take, and those that come too late, quarantined."""
    oldest = late_rows.oldest_day(config, day)
    shown_at = late["shown_at"].cast(pa.int64()).to_numpy()
    is_old = shown_at < (oldest - EPOCH).days * DAY_MS
    old = late.filter(pa.array(is_old))
    columns = data_files.columns(old)
    came = pc.binary_join_element_wise(
        f"shown_at: expected a time since {oldest}, got", old["shown_at"].cast(pa.string()), " "
    )
    columns |= {
        "rule": np.full(len(old), TOO_LATE, object),
        "detail": came.to_numpy(),
        "raw": np.full(len(old), None, object),
    }
    return late.filter(pa.array(~is_old)), data_files.arrow_table(QUARANTINED, columns)


def _counts(names: np.ndarray, codes: np.ndarray) -> dict[str, int]:
    counts = np.bincount(codes, minlength=len(names)).tolist()
    return dict(zip(names.tolist(), counts, strict=True))


def _files(names: np.ndarray) -> np.ndarray:
    return np.where(names == NO_FILE, np.array(None, object), names)
