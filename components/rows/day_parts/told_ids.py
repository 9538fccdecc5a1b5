"""The events' own ids of late rows that tell of an event again which another day has told of.

Of one id the row that arrived first counts; of one day of arrival its own rows before late ones,
and of these the rows of the latest day. A day that takes late rows therefore asks what else arrived
until then: `ingest_events` of the days since has it, in whatever order days are validated.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components import contract
from components.rows import day_actions, engine_rows, late_rows
from components.rows.late_rows import Holder
from components.rows.rules import add_verdicts, event_rules, label_rules
from components.rows.source_ids import COLUMN, numbers
from components.run.context import Context
from components.store.artifacts import Ref
from components.tables import data_files, engines
from components.tables.action_lists import ActionList
from phoenix.data.days import DAY_MS


class _Told(NamedTuple):
    """K rows that break no rule."""

    arrival: datetime.date
    ids: np.ndarray  # [K] int64
    days: np.ndarray  # [K] int64: to which they belong


def refs(context: Context, holders: Sequence[Holder]) -> list[Ref]:
    """Returns the days of ingest_events that may tell of the events of late rows.

    Args:
      context: The run of a day.
      holders: Who holds rows of it that arrived later.

    Returns:
      Those from the day through the last holder; none where late rows have no ids.
    """
    if all(COLUMN not in _schema(context, each.ref).names for each in holders):
        return []
    last = contract.parse_day(holders[-1].ref.partition)
    days = (context.day + datetime.timedelta(days=n) for n in range((last - context.day).days + 1))
    heads = (context.head(contract.INGEST_EVENTS.name, day) for day in days)
    return [ref for ref in heads if ref is not None]


def of_late_rows(context: Context, holders: Sequence[Holder]) -> Mapping[str, np.ndarray]:
    """Returns by day of arrival the ids of late rows that are repeats, `[n]` int64 each.

    See `refs` for the arguments.

    Raises:
      BadDataError: If a file is missing or damaged.
    """
    sources = refs(context, holders)
    if not sources:
        return {}
    late = late_rows.files(context.store, holders)
    held = {day: late_rows.of_day(each.read(), context.day) for day, each in late.items()}
    held = {day: rows for day, rows in held.items() if COLUMN in rows.column_names}
    texts = pa.chunked_array([pa.array([], pa.string()), *(r[COLUMN] for r in held.values())])
    told = [each for ref in sources for each in _told(context, ref, texts.unique().drop_null())]
    own_day, repeats = context.day.toordinal(), dict[str, np.ndarray]()
    for day, rows in held.items():
        ids, has_id = numbers(rows)
        arrival, firsts = contract.parse_day(day), [np.empty(0, np.int64)]
        for each in told:
            is_first = each.days != own_day if each.arrival < arrival else each.days > own_day
            firsts.append(each.ids[is_first] if each.arrival <= arrival else firsts[0])
        repeats[day] = np.intersect1d(ids[has_id], np.concatenate(firsts))
    return repeats


def _told(context: Context, ref: Ref, texts: pa.Array) -> Iterator[_Told]:
    """Yields the rows with one of some ids that arrived on a day and break no rule."""
    day = contract.parse_day(ref.partition)
    actions = ActionList.of_manifest(context.store.manifest(ref))
    for file, rules_of in (
        (data_files.EVENTS_FILE, event_rules),
        (data_files.LATE_FILE, label_rules),
    ):
        if COLUMN not in _schema(context, ref, file).names:
            continue
        paths = context.store.read_files(ref, file)
        rows = pq.read_table(paths, filters=pc.field(COLUMN).isin(texts))
        if file == data_files.LATE_FILE:
            rows = rows.filter(pa.array(_days(rows) >= _oldest(context, day).toordinal()))
        if len(rows):
            rows = day_actions.by_name(rows, actions, context.config)
            engine = engines.open_engine(context.config.engine)
            events = engine.table(engine_rows.to_engine(rows)[0])
            judged = add_verdicts(events, rules_of(events, context.config, day))
            lawful = engines.rows(engine, judged.filter(judged["verdict"] == 0).select("place"))
            rows = rows.take(lawful["place"])
            yield _Told(day, numbers(rows)[0], _days(rows))


def _days(rows: pa.Table) -> np.ndarray:
    """Returns the days of rows, `[n]` as `date.toordinal` counts them."""
    times = rows["shown_at"].cast(pa.int64()).to_numpy()
    return times // DAY_MS + datetime.date(1970, 1, 1).toordinal()


def _oldest(context: Context, day: datetime.date) -> datetime.date:
    return late_rows.oldest_day(context.config, day)


def _schema(context: Context, ref: Ref, file: str = data_files.LATE_FILE) -> pa.Schema:
    return pq.read_schema(context.store.read_files(ref, file)[0])
