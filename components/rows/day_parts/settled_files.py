"""The files of the settled rows of a day, written for some users after the others."""

import contextlib
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from components.rows.settlement import Settlement
from components.tables import data_files
from components.tables.bucket_files import BucketWriter
from components.tables.data_files import TableWriter
from schemas.events import QUARANTINED


class SettledFiles:
    """Writer of accepted rows, labels and the quarantine; a context manager.

    The rows come in order of the slots of their users. What is written does not depend on how
    many of them come at a time.
    """

    def __init__(self, folder: Path, column_names: Collection[str], num_buckets: int) -> None:
        """Opens the quarantine; the other files are opened with the first rows.

        Args:
          folder: Of the artifact.
          column_names: The columns of any rows that will be settled.
          num_buckets: Files of rows of users.
        """
        self._folder, self._num_buckets = folder, num_buckets
        self._open_files = contextlib.ExitStack()
        self._tables: dict[str, BucketWriter] = {}
        quarantine = TableWriter(
            folder / data_files.QUARANTINED_FILE, QUARANTINED.with_optional(column_names)
        )
        self._quarantine = self._open_files.enter_context(quarantine)
        # At the end of the quarantine, or its order would depend on how the rows come.
        self._too_late, self._erased = list[pa.Table](), list[pa.Table]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            places = [("file", "ascending"), ("line", "ascending")]
            erased = data_files.concatenate(QUARANTINED, self._erased).sort_by(places)
            for rows in (*self._too_late, erased):
                self._quarantine.write(rows)
        self._open_files.__exit__(kind, error, trace)

    def write(self, settlement: Settlement) -> None:
        """Writes settled rows of users in some slots."""
        for name, rows in (
            (data_files.ACCEPTED_FILE, settlement.accepted),
            (data_files.LABELS_FILE, settlement.labels),
        ):
            if name not in self._tables:
                writer = BucketWriter(
                    self._folder, name, rows.schema, num_buckets=self._num_buckets
                )
                self._tables[name] = self._open_files.enter_context(writer)
            self._tables[name].write_rows(rows)
        self._quarantine.write(settlement.broken)
        self._too_late.append(settlement.too_late)
        self._erased.append(settlement.erased)
