"""The rows of a day on their way into the files of ingest_events, taken piece by piece.

What is known of a piece is added up; of its rows nothing but the columns of the files is kept.
"""

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from components.erasure import forgotten as erasure
from components.rows import account, row_kinds
from components.rows.day_parts.held_rows import HeldRows
from components.rows.row_kinds import Signs
from components.settings.config import Config
from components.tables import bucket_files, data_files
from components.tables.bucket_files import BucketWriter
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

    def __init__(self, config: Config, folder: Path) -> None:
        """Begins without rows.

        Args:
          config: The users who are to be forgotten, and the number of files.
          folder: Of the artifact.
        """
        self._erased_ids = erasure.erased_ids(config)
        self._folder, self._num_buckets = folder, config.user_buckets
        self._work = Path(tempfile.mkdtemp(dir=folder))
        # With the columns of `_WITHOUT_IDS`, and the places of rows that were forgotten.
        self._events, self._late = self._held_rows("events"), self._held_rows("late")
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
                # As codes: to move the names of a few files, millions of times, would take longer
                # than to move all other columns.
                codes = table["file"].dictionary_encode()
                table = table.set_column(table.schema.get_field_index("file"), "file", codes)
                table, erased = erasure.forget_events(table, self._erased_ids)
                rows.add(table)
                erased_rows.append(erased)

    @property
    def erased(self) -> pa.Table:
        """The places of rows of users who are to be forgotten, in the schema `REJECTED`."""
        parts = [*self._erased_events, *self._erased_late]
        return data_files.concatenate(REJECTED, [REJECTED.schema().empty_table(), *parts])

    def write(self, rejected: pa.Table, id_names: Iterable[str]) -> WrittenRows:
        """Writes the events and the late rows, the users of one file after the others.

        Args:
          rejected: The rows that could not be read as events, for the account.
          id_names: The columns of which the ids are asked for.
        """
        num_events, num_late = self._events.num_rows, self._late.num_rows
        signs, late_by_day = list[Signs](), Counter[str]()
        by_file, no_rows = list[Sequence[Mapping[str, Any]]](), rejected.slice(0, 0)
        ids: dict[str, list[np.ndarray]] = {name: [] for name in id_names}
        with contextlib.ExitStack() as files:
            writers = dict[str, BucketWriter]()
            for bucket in range(self._num_buckets):
                tables = {
                    data_files.EVENTS_FILE: _with_ids(self._events.take(bucket)),
                    data_files.LATE_FILE: _with_ids(self._late.take(bucket)),
                }
                for name, rows in tables.items():
                    if name not in writers:
                        writer = self._writer(name, bucket_files.plain_schema(rows.schema))
                        writers[name] = files.enter_context(writer)
                    writers[name].write_rows(rows)
                events, late = tables.values()
                parts = {"events": events, "rejected": no_rows, "late": late}
                by_file.append(account.by_file(parts if bucket else parts | {"rejected": rejected}))
                late_by_day.update(account.by_day(late))
                signs.append(row_kinds.count(events, num_events))
                for name, parts in ids.items():
                    parts += [rows[name].unique().to_numpy() for rows in tables.values()]
        shutil.rmtree(self._work)
        rules = Counter(rejected["rule"].to_pylist())
        facts = {
            "rows_in": num_events + len(rejected) + num_late,
            "events": num_events,
            "rejected": len(rejected),
            "late": num_late,
            "files": account.merge(by_file),
            "late_by_day": dict(sorted(late_by_day.items())),
            "rejected_by_rule": dict(sorted(rules.items())),
            "row_kind": row_kinds.measure(signs, num_events),
        }
        return WrittenRows(facts, ids)

    def _held_rows(self, name: str) -> HeldRows:
        folder = self._work / name
        folder.mkdir()
        return HeldRows(folder, self._num_buckets, _WITHOUT_IDS.schema())

    def _writer(self, name: str, schema: pa.Schema) -> BucketWriter:
        return BucketWriter(self._folder, name, schema, num_buckets=self._num_buckets)


def _with_ids(rows: pa.Table) -> pa.Table:
    """Returns rows in the schema `INGESTED`, each with its id."""
    keys = (rows["user_id"], rows["post_id"], rows["shown_at"].cast(pa.int64()))
    ids = pa.chunked_array([event_ids(*(key.to_numpy() for key in keys))])
    schema = INGESTED.with_optional(rows.column_names).schema()
    file = schema.get_field_index("file")
    schema = schema.set(file, schema.field(file).with_type(rows["file"].type))
    return pa.Table.from_arrays([ids, *rows.columns], schema=schema)
