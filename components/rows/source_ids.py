"""The events' own ids in the source, which say what is a repeat: within a day and across days.

Of one id the row that arrived first counts. Of impressions, rows of one id that agree in user, post
and time are states of one impression, as without an id; of a log of actions each id counts once.
"""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components import contract
from components.rows.day_parts.id_files import IdFiles
from components.rows.rules import KEY
from components.run.context import Context
from components.store.artifacts import Artifact, Ref
from components.tables import cells, data_files, engines
from components.tables.data_files import TableWriter
from phoenix.data.days import DAY_MS
from schemas.events import SOURCE_IDS

if TYPE_CHECKING:
    import ibis

COLUMN = "source_event_id"
_MIX = 0x9E3779B97F4A7C15  # odd, so that two users never have one product
_BATCH_ROWS = 1 << 17  # the texts of which are Python's at a time


class EarlierIds:
    """Ids that were told before: on earlier days, and of the day by users who come first."""

    def __init__(self, folder: Path, earlier: Iterator[np.ndarray] | None = None) -> None:
        """Takes the ids of earlier days, which are kept in files.

        Args:
          folder: For files; it is made, and must be removed afterwards.
          earlier: The numbers of the ids of each day, `[n]` int64.
        """
        folder.mkdir(exist_ok=True)
        self._of_days, self._of_day = (IdFiles(folder / name) for name in ("earlier", "day"))
        for ids in earlier or ():
            self._of_days.add(ids)

    def of_days(self, ids: np.ndarray) -> np.ndarray:
        """Returns which of some ids an earlier day told, `[n]` bool."""
        return self._of_days.contain(ids)

    def contain(self, ids: np.ndarray) -> np.ndarray:
        """Returns which of some ids were told before, `[n]` bool."""
        return self._of_days.contain(ids) | self._of_day.contain(ids)

    def add(self, ids: np.ndarray) -> None:
        """Takes the ids of some users of the day."""
        self._of_day.add(ids)


def numbers(rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ids of rows as numbers.

    Returns:
      `[n]` int64, and `[n]` bool: which rows have an id; none where the column is not there.
    """
    ids, has_id = np.zeros(len(rows), np.int64), np.zeros(len(rows), bool)
    if COLUMN in rows.column_names:
        for start in range(0, len(rows), _BATCH_ROWS):
            part = slice(start, start + _BATCH_ROWS)
            texts = rows[COLUMN].slice(start, _BATCH_ROWS).combine_chunks()
            ids[part], has_id[part] = cells.parse_text_id(texts, "")
    return ids, has_id


def repeats(
    engine: engines.Engine, events: "ibis.Table", told: np.ndarray, *, are_actions: bool
) -> np.ndarray:
    """Returns the places of rows that tell of an event again, `[k]` int64.

    Args:
      engine: Holds the rows.
      events: Rows that break no rule.
      told: `[j]` int64: places of rows whose ids were told before.
      are_actions: Whether each id counts once, whatever the rows say.
    """
    if COLUMN not in events.columns:
        return told
    events = events.filter(events[COLUMN].notnull())
    if len(told):
        events = events.anti_join(engine.table(pa.table({"place": told})), "place")
    places = events.group_by(COLUMN).agg(place=events["place"].min())
    firsts = events.semi_join(places, "place")
    same = firsts if are_actions else events.semi_join(firsts, (COLUMN, *KEY))
    again = engines.rows(engine, events.anti_join(same, "place").select("place"))
    return np.append(told, again["place"].to_numpy())


def without_repeats_of_labels(
    late: pa.Table, own_users: np.ndarray, own_ids: np.ndarray
) -> pa.Table:
    """Leaves out late actions of which the day of their arrival tells otherwise.

    Args:
      late: Rows of earlier days that arrived on a day, with `shown_at` in ms.
      own_users: `[n]` int64: the users of rows of the day itself that have ids.
      own_ids: `[n]` int64: these ids.

    Returns:
      Without the repeats of the day's own rows, and of one id those of the latest day alone.
    """
    ids, has_id = numbers(late)
    if not has_id.any():
        return late
    # By user, since parts of a day know no other: of two users' rows nothing is asked.
    events = _of_users(late["user_id"].to_numpy(), ids)
    is_told = has_id & np.isin(events, _of_users(own_users, own_ids))
    days = late["shown_at"].cast(pa.int64()).to_numpy() // DAY_MS
    order = np.lexsort((days, events))
    last = np.searchsorted(events[order], events, "right") - 1
    is_told |= has_id & (days < days[order][last])
    return late.filter(pa.array(~is_told))


def _of_users(user_ids: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Returns a number for each pair of a user and an id, `[n]` uint64."""
    return (user_ids.astype(np.uint64) * np.uint64(_MIX)) ^ ids.astype(np.uint64)


def earlier_refs(context: Context, ingested: Artifact) -> list[Ref]:
    """Returns the validated days, within `late_days` before a day, whose ids may come again on it.

    None unless the rows of the day have ids.
    """
    paths = (ingested.paths(name)[0] for name in (data_files.EVENTS_FILE, data_files.LATE_FILE))
    if all(COLUMN not in pq.read_schema(path).names for path in paths):
        return []
    refs, kind = [], contract.VALIDATE_EVENTS.name
    for back in range(context.config.validate_events.late_days, 0, -1):
        day = context.day - datetime.timedelta(days=back)
        ref = context.head(kind, day) if day >= context.config.first_day else None
        if ref is not None and data_files.SOURCE_IDS_FILE in context.store.manifest(ref)["files"]:
            refs.append(ref)
    return refs


def of_refs(context: Context, refs: list[Ref]) -> Iterator[np.ndarray]:
    """Yields the numbers of the ids of some days, `[n]` int64 each.

    Raises:
      BadDataError: If a file is missing or damaged.
    """
    for ref in refs:
        path = context.store.read_file(ref, data_files.SOURCE_IDS_FILE)
        yield data_files.read(path, SOURCE_IDS)["id"].to_numpy()


def write(folder: Path, ids: IdFiles) -> None:
    """Writes ids for the days to come; nothing where there are none."""
    ranges = ids.distinct()
    first = next(ranges, None)
    if first is not None:
        with TableWriter(folder / data_files.SOURCE_IDS_FILE, SOURCE_IDS) as file:
            for part in (first, *ranges):
                file.write(pa.table({"id": part}))
