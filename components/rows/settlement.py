"""Puts every row of a day in its one place: accepted, duplicate, quarantined or late."""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.rows import account as row_account
from components.rows import engine_rows, folding, late_rows, merging, source_ids
from components.rows.account import FATES
from components.rows.action_logs import Fold
from components.rows.day_parts.day_arrivals import Arrivals
from components.rows.merging import Merged, RepetitionCounts
from components.rows.row_texts import RowTexts
from components.rows.rules import (
    KEY,
    Rule,
    add_verdicts,
    event_rules,
    label_rules,
)
from components.rows.shown_posts import ShownPosts
from components.rows.source_ids import EarlierIds
from components.settings.config import Config
from components.store.artifacts import Artifact
from components.tables import data_files, engines
from phoenix.data.days import midnight_ms
from schemas.events import QUARANTINED, REJECTED
from schemas.rules import ERASED, TOO_LATE

if TYPE_CHECKING:
    import ibis

NO_PLACES = np.empty(0, np.int64)


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """Rows of one day, each in its one place."""

    accepted: pa.Table  # `EVENTS`, as first known, sorted by user, time and event
    outcomes: pa.Table  # the same rows with all that the day came to know of them
    labels: pa.Table  # `LABELS`: later states, of impressions of the day and of earlier ones
    late: pa.Table  # the columns of an engine: rows of earlier days that break no rule
    repetitions: RepetitionCounts
    # `QUARANTINED`: rows that cannot be read or break a rule, in the order in which they were read.
    broken: pa.Table
    too_late: pa.Table  # `QUARANTINED`: rows of days that take none any more
    erased: pa.Table  # `QUARANTINED`: places of rows of users who are to be forgotten
    late_by_day: Mapping[str, int]  # rows that arrived on this day, by the day they belong to
    files: Sequence[Mapping[str, Any]]  # file, rows_in and the fates, in order of the names
    texts: RowTexts  # of the ids in these rows
    # `[k]` int64: the events' own ids of rows that arrived on the day and break no rule.
    source_ids: np.ndarray

    @property
    def account(self) -> dict[str, int]:
        """`rows_in` and the fates, of all files."""
        return row_account.total(self.files)

    def shown_posts(self) -> ShownPosts:
        """Returns the posts in rows whose word counts: accepted ones, and late ones."""
        rows = (self.accepted, self.late)
        return ShownPosts.merge([ShownPosts.of_rows(each) for each in rows])

    @property
    def mendable(self) -> pa.Table:
        """The rows in quarantine but those of users who are to be forgotten."""
        rows = data_files.concatenate(QUARANTINED, [self.broken, self.too_late])
        return rows.filter(pc.field("rule") != ERASED)

    @property
    def quarantined(self) -> pa.Table:
        """All rows in quarantine, in the schema `QUARANTINED`."""
        return data_files.concatenate(QUARANTINED, [self.broken, self.too_late, self.erased])


class _Judgement(NamedTuple):
    """The answers of an engine about the events of a day; `file` is a number in them."""

    accepted: pa.Table  # the columns of an engine: rows that break no rule, repetitions merged
    merged: Merged  # of the rows that share user, post and time
    violations: pa.Table  # `place` and `verdict` of the rows that break a rule, by place
    counts: pa.Table  # by file: `rows_in`, and `lawful` ones, which break no rule


def rejected_posts(ingested: Artifact) -> pa.Table:
    """Returns the rows of post files that could not be read, in the schema `QUARANTINED`.

    They are in no account, which is of events, but may be why an event knows no author.

    Raises:
      BadDataError: If the file is missing or damaged.
    """
    rejected = data_files.read(ingested.path(data_files.REJECTED_FILE), REJECTED)
    return _quarantine_rejected(rejected.filter(pc.field("table") == "posts"))


def settle(
    arrivals: Arrivals,
    config: Config,
    day: datetime.date,
    earlier_ids: EarlierIds | None = None,
) -> Settlement:
    """Puts every row in its one place.

    Args:
      arrivals: All rows of some users.
      config: The limits of validate_events, the actions and the engine.
      day: The UTC day.
      earlier_ids: The events' own ids that were told before, which make rows repeats; takes those
        of these rows.

    Raises:
      BadConfigurationError: If the engine is not there.
    """
    rows, file_names = engine_rows.to_engine(arrivals.events)
    rules: Sequence[Rule] = ()
    ids, has_id = source_ids.numbers(arrivals.events)
    told = NO_PLACES
    if earlier_ids is not None:
        told = np.flatnonzero(has_id & (earlier_ids.contain(ids) | arrivals.is_told))
    if len(rows):
        engine = engines.open_engine(config.engine)
        events = engine.table(rows)
        rules = event_rules(events, config, day)
        fold = None if config.fold_ms is None else Fold(arrivals.earlier, day, config.fold_ms)
        judgement = _judge(engine, add_verdicts(events, rules), rows, told, fold)
    else:  # of an empty day, the start of an engine would take most of the time
        judgement = _no_judgement(rows)
    accepted = engine_rows.from_engine(judgement.accepted)
    late, too_late = _split_late(arrivals.late, config, day)
    has_lawful_id = has_id.copy()
    has_lawful_id[judgement.violations["place"].to_numpy()] = False
    if earlier_ids is not None:
        earlier_ids.add(ids[has_lawful_id])
    lawful_late = _lawful_late(late, arrivals, config, day, earlier_ids)
    is_own = has_lawful_id & arrivals.is_of_day
    if config.fold_ms is not None and len(lawful_late):
        own_users = arrivals.events["user_id"].to_numpy()[is_own]
        lawful_late = source_ids.without_repeats_of_labels(lawful_late, own_users, ids[is_own])
    of_late, has_late_id = source_ids.numbers(lawful_late)
    late_ids = of_late[has_late_id]
    broken = data_files.concatenate(
        QUARANTINED,
        [
            _quarantine_rejected(arrivals.rejected),
            _quarantine_violations(arrivals.events, judgement.violations, rules),
        ],
    )
    quarantined = [broken, too_late, _quarantine_rejected(arrivals.erased)]
    settlement = Settlement(
        accepted=accepted,
        outcomes=merging.with_last_states(accepted, judgement.merged.last_states),
        labels=_sorted_labels(judgement.merged.labels, merging.labels_of(lawful_late)),
        late=lawful_late,
        repetitions=judgement.merged.counts,
        broken=broken,
        too_late=too_late,
        erased=quarantined[-1],
        late_by_day=row_account.by_day(late),
        files=_account_by_file(arrivals, judgement, file_names, quarantined, late),
        texts=arrivals.texts,
        source_ids=np.append(ids[is_own], late_ids),
    )
    # Counted by the engine and from the tables, apart from one another: here both must agree.
    if problems := row_account.problems(settlement.account, settlement.files, FATES):
        raise AssertionError(f"Rows were lost or invented on {day}: {problems[0]}.")
    return settlement


def _judge(
    engine: engines.Engine,
    events: "ibis.Table",
    rows: pa.Table,
    told: np.ndarray,
    fold: Fold | None = None,
) -> _Judgement:
    """Asks the engine which rows count, and makes impressions of these.

    Args:
      engine: Holds the rows.
      events: With their verdicts.
      rows: The same without, as they were handed to the engine.
      told: Places of rows whose own ids were told before.
      fold: Of a log of actions.
    """
    verdict: Any = events["verdict"]
    violations = events.filter(verdict > 0).select("place", "verdict").order_by("place")
    violations = engines.rows(engine, violations)
    counts = events.group_by("file").agg(
        rows_in=events.count(), lawful=(verdict == 0).sum().cast("int64")
    )
    lawful = events.filter(verdict == 0)
    repeats = source_ids.repeats(engine, lawful, told, are_actions=fold is not None)
    # Places alone come back: whole rows would be in memory once more, for the engine's order too.
    is_event = np.ones(len(rows), bool)
    is_event[violations["place"].to_numpy()] = False
    num_lawful = int(np.count_nonzero(is_event))
    is_event[repeats] = False
    places = np.flatnonzero(is_event)
    if fold is None:
        accepted, merged = merging.merge_repetitions(rows, places)
        merged = merging.with_repeats(merged, num_lawful - len(places))
    else:
        folded = fold.impressions(rows, places)
        accepted, merged = merging.merge_repetitions(folded.rows, folded.places)
        num_repeats = num_lawful - len(folded.places) - len(folded.carried)
        merged = merging.with_folded(merged, folded.carried, num_repeats)
    return _Judgement(
        accepted=accepted,
        merged=merged,
        violations=violations,
        counts=engines.rows(engine, counts),
    )


def _no_judgement(rows: pa.Table) -> _Judgement:
    """Returns the answers about no events, which are `rows`."""

    def no_numbers(*names: str) -> pa.Table:
        """Returns a table without rows."""
        return pa.table({name: pa.array([], pa.int64()) for name in names})

    return _Judgement(
        accepted=rows,
        merged=merging.merge(rows),
        violations=no_numbers("place", "verdict"),
        counts=no_numbers("file", "rows_in", "lawful"),
    )


def _account_by_file(
    arrivals: Arrivals,
    judgement: _Judgement,
    file_names: np.ndarray,
    quarantined: Sequence[pa.Table],
    late: pa.Table,
) -> list[dict[str, Any]]:
    """Returns for each file its name, `rows_in` and the fates, in order of the names."""
    by_file = judgement.counts.to_pylist()
    events_in, lawful = (
        Counter({str(file_names[row["file"]]): row[name] for row in by_file})
        for name in ("rows_in", "lawful")
    )
    accepted = Counter(_counts(file_names, judgement.accepted["file"].to_numpy()))
    counts = {
        "rows_in": events_in
        + row_account.count_by_file(arrivals.rejected)
        + row_account.count_by_file(arrivals.erased)
        + row_account.count_by_file(arrivals.late),
        "accepted": accepted,
        "duplicate": lawful - accepted,
        "quarantined": sum(map(row_account.count_by_file, quarantined), Counter()),
        "late": row_account.count_by_file(late),
    }
    return [
        {"file": file, **{name: count[file] for name, count in counts.items()}}
        for file in sorted(counts["rows_in"])
    ]


def _lawful_late(
    late: pa.Table,
    arrivals: Arrivals,
    config: Config,
    day: datetime.date,
    earlier_ids: EarlierIds | None,
) -> pa.Table:
    """Returns rows of earlier days that break no rule, whether their impressions are accepted.

    Which of these are is a question to the artifacts of these days, and those may change: who reads
    the labels made of the rows joins them to the impressions that are there. A repeat of an action
    is no label: at its own time it may belong to another impression than the first that told of it.
    """
    if config.fold_ms is not None and earlier_ids is not None:
        ids, has_id = source_ids.numbers(late)
        late = late.filter(pa.array(~(has_id & earlier_ids.of_days(ids))))
    if not len(late):
        return engine_rows.to_engine(late)[0]
    if config.fold_ms is not None:
        late = folding.with_impression_times(late, arrivals.earlier, fold_ms=config.fold_ms)
    engine = engines.open_engine(config.engine)
    events = engine.table(engine_rows.to_engine(late)[0])
    judged = add_verdicts(events, label_rules(events, config, day))
    lawful = judged.filter(judged["verdict"] == 0).drop("verdict")
    return engines.rows(engine, lawful.order_by(*KEY, "ingested_at", "place"))


def _sorted_labels(*parts: pa.Table) -> pa.Table:
    """Returns labels in the order of a log, by user and time."""
    table = pa.concat_tables(parts)
    return table.sort_by([(name, "ascending") for name in (*KEY, "ingested_at")]).combine_chunks()


def _quarantine_violations(
    events: pa.Table, violations: pa.Table, rules: Sequence[Rule]
) -> pa.Table:
    """Returns the rows that break a rule, in their order, with the first rule that they break."""
    is_broken = np.zeros(len(events), bool)
    is_broken[violations["place"].to_numpy()] = True
    # Violations are in the order of the rows; to take rows by their places would copy all.
    rows, verdict = events.filter(pa.array(is_broken)), violations["verdict"].to_numpy()
    details = np.full(len(rows), "", object)
    # By rule instead of by row: a day may have millions of rows that break one rule.
    for number, rule in enumerate(rules, start=1):
        of_rule = np.flatnonzero(verdict == number)
        if len(of_rule):
            values = rows[rule.column].take(pa.array(of_rule)).cast(pa.string())
            sentences = pc.binary_join_element_wise(
                f"{rule.column}: expected {rule.expected}, got", values, " "
            )
            details[of_rule] = sentences.to_numpy()
    names = np.array([""] + [rule.name for rule in rules], object)
    columns = {
        "rule": pa.array(names[verdict], pa.string()),
        "detail": pa.array(details, pa.string()),
        "raw": pa.nulls(len(rows), pa.string()),
    }
    schema = QUARANTINED.with_optional(rows.column_names).schema()
    arrays = [columns[name] if name in columns else rows[name] for name in schema.names]
    return pa.table(arrays, names=schema.names).cast(schema)


def _quarantine_rejected(rejected: pa.Table) -> pa.Table:
    """Returns rows that could not be read as quarantined rows, of which nothing else is known."""
    schema = QUARANTINED.with_optional(rejected.column_names).schema()
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
    """Divides late rows into those that earlier days will take and those too late, quarantined."""
    oldest = late_rows.oldest_day(config, day)
    shown_at = late["shown_at"].cast(pa.int64()).to_numpy()
    is_old = shown_at < midnight_ms(oldest)
    old_rows = late.filter(pa.array(is_old))
    columns = data_files.columns(old_rows)
    times = old_rows["shown_at"].cast(pa.string())
    details = pc.binary_join_element_wise(
        f"shown_at: expected a time since {oldest}, got", times, " "
    )
    columns |= {
        "rule": np.full(len(old_rows), TOO_LATE, object),
        "detail": details.to_numpy(),
        "raw": np.full(len(old_rows), None, object),
    }
    return late.filter(pa.array(~is_old)), data_files.arrow_table(QUARANTINED, columns)


def _counts(names: np.ndarray, codes: np.ndarray) -> dict[str, int]:
    """Returns how often each name is meant by a code, which is its place."""
    counts = np.bincount(codes, minlength=len(names)).tolist()
    return dict(zip(names.tolist(), counts, strict=True))
