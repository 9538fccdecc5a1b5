"""The rows of a day on their way into the files of ingest_events, taken piece by piece.

What is known of a piece is added up; of its rows nothing but the columns of the files is kept.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from components.erasure import forgotten as erasure
from components.rows import account, row_kinds
from components.settings.config import Config
from components.tables import data_files
from components.tables.event_ids import event_ids
from schemas.events import INGESTED, REJECTED

# The id of an event depends on the rows before it that agree with it, so it comes last.
_WITHOUT_IDS = replace(INGESTED, columns=INGESTED.columns[1:])


class WrittenRows(NamedTuple):
    """What there is to know of the rows that were written."""

    facts: dict[str, Any]  # the account of all rows of the day, and what its events look like
    ids: Mapping[str, Sequence[np.ndarray]]  # ids in the rows, by column; perhaps repeatedly


class IngestedRows:
    """Takes the events and the late rows of a day in the order of the source."""

    def __init__(self, config: Config) -> None:
        """Begins without rows; `config` says which users are to be forgotten."""
        self._erased_ids = erasure.erased_ids(config)
        # Tables with the columns of `_WITHOUT_IDS`, and the places of rows that were forgotten.
        self._events, self._late = list[pa.Table](), list[pa.Table]()
        self._erased_events, self._erased_late = list[pa.Table](), list[pa.Table]()

    def add(self, events: Mapping[str, np.ndarray], late: Mapping[str, np.ndarray]) -> None:
        """Takes the next rows.

        Args:
          events: Columns of `INGESTED` without `event_id`, `[L]` each: rows of the day; {} if none.
          late: The same of rows that belong to earlier days.
        """
        for columns, rows, erased_rows in (
            (events, self._events, self._erased_events),
            (late, self._late, self._erased_late),
        ):
            if columns and len(columns["line"]):
                table = data_files.arrow_table(_WITHOUT_IDS, columns)
                table, erased = erasure.forget_events(table, self._erased_ids)
                rows.append(table)
                erased_rows.append(erased)

    @property
    def erased(self) -> pa.Table:
        """The places of rows of users who are to be forgotten, in the schema `REJECTED`."""
        parts = [*self._erased_events, *self._erased_late]
        return data_files.concatenate(REJECTED, [REJECTED.schema().empty_table(), *parts])

    def write(self, folder: Path, rejected: pa.Table, id_names: Iterable[str]) -> WrittenRows:
        """Writes the events and the late rows.

        Args:
          folder: Of the artifact.
          rejected: The rows that could not be read as events, for the account.
          id_names: The columns of which the ids are asked for.
        """
        events, late = _with_ids(self._events), _with_ids(self._late)
        self._events, self._late = [], []
        data_files.write(folder / data_files.EVENTS_FILE, events)
        data_files.write(folder / data_files.LATE_FILE, late)
        rules = Counter(rejected["rule"].to_pylist())
        facts = {
            "rows_in": len(events) + len(rejected) + len(late),
            "events": len(events),
            "rejected": len(rejected),
            "late": len(late),
            "files": account.by_file({"events": events, "rejected": rejected, "late": late}),
            "late_by_day": account.by_day(late),
            "rejected_by_rule": dict(sorted(rules.items())),
            "row_kind": row_kinds.measure([row_kinds.count(events, len(events))], len(events)),
        }
        ids = {
            name: [table[name].unique().to_numpy() for table in (events, late)] for name in id_names
        }
        return WrittenRows(facts, ids)


def _with_ids(parts: Sequence[pa.Table]) -> pa.Table:
    """Returns the rows of all parts in the schema `INGESTED`, each with its id."""
    if not parts:
        return INGESTED.schema().empty_table()
    rows = pa.concat_tables(parts)
    keys = (rows["user_id"], rows["post_id"], rows["shown_at"].cast(pa.int64()))
    ids = pa.chunked_array([event_ids(*(key.to_numpy() for key in keys))])
    schema = INGESTED.with_optional(rows.column_names).schema()
    return pa.Table.from_arrays([ids, *rows.columns], schema=schema)
