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

from components.erasure import forgotten as erasure
from components.rows import account as row_account
from components.rows import late_rows, repairs, rules
from components.rows.account import FATES, NO_FILE
from components.rows.late_rows import Holder
from components.rows.rules import Broken
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Artifact
from components.tables import data_files, engines
from phoenix.data.days import midnight_ms
from schemas.events import EVENTS, INGESTED, QUARANTINED, REJECTED
from schemas.rules import TOO_LATE


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """The rows that a day has to account for."""

    events: pa.Table  # `INGESTED`: rows of the day, those that later days hold for it at the end
    rejected: pa.Table  # `REJECTED`: rows that could not be read
    late: pa.Table  # `INGESTED`: rows that arrived on the day and belong to earlier ones


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """What became of rows that share user, post and time."""

    num_exact: int  # rows removed because another says the same
    num_conflicting: int  # rows merged into another that says something else
    num_conflicts: int  # rows that others were merged into


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of the rows of one day."""

    accepted: pa.Table  # `EVENTS`, sorted by user, time and event
    repeated: Repeated
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
    rejected = erasure.forget_rejected(rejected, config)
    return Arrivals(
        events=events, rejected=pa.concat_tables([rejected, of_events, of_late]), late=late
    )


def settle(arrivals: Arrivals, config: Config, day: datetime.date) -> Settled:
    """Puts every row in its one place.

    Args:
      arrivals: All rows.
      config: The limits of validate_events, the actions and the engine.
      day: The UTC day.

    Raises:
      BadConfigurationError: If the engine is not there.
    """
    engine = engines.open_engine(config.engine)
    rows, names = numbered(arrivals.events)
    events = engine.table(rows)
    broken = rules.rules(events, config, day)
    judged = rules.judged(events, broken)
    verdict: Any = judged["verdict"]
    bad = judged.filter(verdict > 0).select("place", "verdict").order_by("place")
    good = judged.filter(verdict == 0).drop("verdict")
    groups = engines.rows(engine, rules.repetitions(good, len(config.actions)))
    merged = engines.rows(engine, rules.merged(good, engine.table(groups)))
    by_file = judged.group_by("file").agg(
        rows_in=judged.count(), good=(verdict == 0).sum().cast("int64")
    )
    counted = engines.rows(engine, by_file).to_pylist()
    came, kept = (
        Counter({str(names[each["file"]]): each[name] for each in counted})
        for name in ("rows_in", "good")
    )
    accepted = Counter(_counts(names, merged["file"].to_numpy()))
    late, too_late = _split_late(arrivals.late, config, day)
    quarantined = pa.concat_tables(
        [
            _of_rejected(arrivals.rejected),
            _of_broken(arrivals.events, engines.rows(engine, bad), broken),
            too_late,
        ]
    )
    counts = {
        "rows_in": came
        + row_account.count_by_file(arrivals.rejected)
        + row_account.count_by_file(arrivals.late),
        "accepted": accepted,
        "duplicate": kept - accepted,
        "quarantined": row_account.count_by_file(quarantined),
        "late": row_account.count_by_file(late),
    }
    files = [
        {"file": file, **{name: count[file] for name, count in counts.items()}}
        for file in sorted(counts["rows_in"])
    ]
    settled = Settled(
        accepted=_canonical(merged),
        repeated=_repeated(groups),
        quarantined=quarantined,
        late_by_day=row_account.by_day(late),
        files=files,
    )
    problems = row_account.problems(settled.account, files, FATES)
    if problems:
        raise AssertionError(f"Rows were lost or invented on {day}: {problems[0]}.")
    return settled


def numbered(events: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """Makes rows what an engine takes: see `engines` and `row_rules`.

    Args:
      events: In the schema `INGESTED`, in the order of the source.

    Returns:
      The columns of `EVENTS` in the types of all engines, `file` as a number and `place`; and the
      names of the files by their numbers.
    """
    encoded = events["file"].fill_null(NO_FILE).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # no row at all
        encoded = pa.array([], pa.string()).dictionary_encode()
    columns = {name: _plain(events[name]) for name in EVENTS.names}
    # There are two zeros, and which of them is the greater, engines do not agree on.
    columns["dwell_seconds"] = pc.add(columns["dwell_seconds"], pa.scalar(0, pa.float32()))
    columns |= {"file": encoded.indices, "place": pa.array(np.arange(len(events)))}
    return pa.table(columns), np.array(encoded.dictionary.to_pylist(), object)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(column.type) and not pa.types.is_uint64(column.type):
        return column
    return pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())


def _canonical(rows: pa.Table) -> pa.Table:
    """Returns rows of an engine in the schema `EVENTS`."""
    arrays = [
        pa.chunked_array(
            [chunk.view(column.type) for chunk in rows[column.name].chunks], column.type
        )
        for column in EVENTS.columns
    ]
    return pa.Table.from_arrays(arrays, schema=EVENTS.schema()).combine_chunks()


def _repeated(groups: pa.Table) -> Repeated:
    num_rows, num_versions = (groups[name].to_numpy() for name in ("num_rows", "num_versions"))
    return Repeated(
        num_exact=int((num_rows - num_versions).sum()),
        num_conflicting=int((num_versions - 1).sum()),
        num_conflicts=int((num_versions > 1).sum()),
    )


def _of_broken(events: pa.Table, bad: pa.Table, broken: Sequence[Broken]) -> pa.Table:
    """Returns the rows that break a rule, in their order, with the first rule that they break."""
    rows, verdict = events.take(bad["place"]), bad["verdict"].to_numpy()
    details = np.full(len(rows), "", object)
    for number, rule in enumerate(broken, start=1):
        of_rule = np.flatnonzero(verdict == number)
        if len(of_rule):
            came = rows[rule.column].take(pa.array(of_rule)).cast(pa.string())
            told = pc.binary_join_element_wise(
                f"{rule.column}: expected {rule.expected}, got", came, " "
            )
            details[of_rule] = told.to_numpy()
    names = np.array([""] + [rule.rule for rule in broken], object)
    columns = {
        "rule": pa.array(names[verdict], pa.string()),
        "detail": pa.array(details, pa.string()),
        "raw": pa.nulls(len(rows), pa.string()),
    }
    schema = QUARANTINED.schema()
    arrays = [columns[name] if name in columns else rows[name] for name in schema.names]
    return pa.Table.from_arrays(arrays, schema=schema)


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
    is_old = shown_at < midnight_ms(oldest)
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
