"""The rows of files that are by UTC day, of which each may run on into the next day."""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.errors import BadDataError
from components.source import arrivals, raw_files
from components.source.by_day import coming_columns, overruns, work_files
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.source.slates import entries
from phoenix.data.days import day_number

_FOLDER = "overrun-"


class DayFiles:
    """The files of each UTC day, read row by row."""

    def __init__(self, layout: Layout, work: Path) -> None:
        """Describes the files; nothing is read yet.

        Args:
          layout: Files and columns.
          work: Folder for rows of the next day, so that it need not read the files again.
        """
        self.layout, self.work = layout, work
        self._overruns: dict[datetime.date, list[RawRows]] = {}  # by the day of the files

    @property
    def days(self) -> list[datetime.date]:
        """The days of which there are files, sorted."""
        return list(self.layout.files_by_day)

    def of(self, day: datetime.date) -> Sequence[Path]:
        """Returns the files of a day."""
        return self.layout.files_by_day.get(day, ())

    def rows(self, day: datetime.date) -> Iterator[RawRows]:
        """Yields the rows that are of a day: of its files, and before them of yesterday's."""
        yield from self.overrun(day - datetime.timedelta(days=1))
        yield from self._own_rows(day)

    def overrun(self, day: datetime.date) -> list[RawRows]:
        """Returns the rows in the files of a day that are of the next day, file by file."""
        # Of a day without files nothing is known, and a few rows of it are no day.
        is_next = day + datetime.timedelta(days=1) <= max(self.layout.files_by_day, default=day)
        if not self.layout.overrun_ms or not is_next or not self.of(day):
            return []
        if day not in self._overruns:
            rows = overruns.load(self._overrun_folder(day))
            if rows is None:
                self._read_for_next(day)
            else:
                self._overruns[day] = rows
        return self._overruns[day]

    def _read_for_next(self, day: datetime.date) -> None:
        """Reads the files of a day for the rows of the next day in them.

        Raises:
          BadDataError: If one cannot be read, as where a column had another name then.
        """
        try:
            for _ in self._own_rows(day, is_of_next=True):
                pass
        except BadDataError as error:
            raise BadDataError(
                f"{error} It is a file of {day}, and is read for the rows after midnight in it. "
                "Where a column had another name until then, name that under `formerly` of its "
                "action, write the file again under the new one, or set "
                "`ingest_events.source.overrun_minutes: 0`, which leaves such rows to "
                f"{day}."
            ) from error

    def unknown_actions(self, day: datetime.date) -> list[str]:
        """Returns the columns of actions that a file with rows of a day does not have yet."""
        before = day - datetime.timedelta(days=1)
        names = {rows.file for rows in self.overrun(before)}
        files = [file for file in self.of(before) if self.layout.event_name(file) in names]
        absent = {
            column
            for file in (*files, *self.of(day))
            for column in coming_columns.lacking(self.layout, file)
        }
        columns = dict.fromkeys(action.column for action in self.layout.actions)
        return [column for column in columns if column in absent]

    def num_next(self, day: datetime.date) -> int:
        """Returns how many rows in the files of a day, read before, are of the next day."""
        of_next = self._overruns.get(day, ())
        return sum(len(entries.of_layout(self.layout, rows).owners) for rows in of_next)

    def _own_rows(self, day: datetime.date, *, is_of_next: bool = False) -> Iterator[RawRows]:
        """Yields the rows in the files of a day that are its own, and keeps those of the next.

        Args:
          day: The day of the files.
          is_of_next: Whether the next day reads them, for which a column may have a newer name.
        """
        layout, number, overrun = self.layout, day_number(day), list[RawRows]()
        folder = self._overrun_folder(day)
        for file in self.of(day):
            name, parts = layout.event_name(file), list[RawRows]()
            former = self._former_columns(file) if is_of_next else {}
            for rows in self._read(file, name, former):
                if not layout.overrun_ms:
                    yield rows
                    continue
                is_own = arrivals.file_days(layout, layout.file_day(file), rows) == number
                if is_own.all():
                    yield rows
                else:
                    parts.append(rows.take(np.flatnonzero(~is_own)))
                    own_rows = rows.take(np.flatnonzero(is_own))
                    yield replace(own_rows, malformed=rows.malformed)
            overrun += [RawRows.concatenate(parts)] if parts else []
        if layout.overrun_ms:
            self._overruns[day] = overrun
            overruns.save(folder, overrun)
            work_files.remove_old(self.work, f"{_FOLDER}*")

    def _read(
        self, file: Path, name: str, former: Mapping[str, Sequence[str]]
    ) -> Iterator[RawRows]:
        """Yields the rows of a file, in which some columns have or may have former names."""
        names = {column: former.get(column, (column,)) for column in self.layout.source_columns}
        columns = [each for of_column in names.values() for each in of_column]
        for rows in coming_columns.read(self.layout, file, columns, name):
            if former:
                cells = {
                    column: _first_value([rows.cells[each] for each in of_column])
                    for column, of_column in names.items()
                }
                rows = replace(rows, cells=cells)
            yield rows

    def _former_columns(self, file: Path) -> dict[str, Sequence[str]]:
        """Returns the columns of actions that a file has by a former name alone, with that name.

        Of JSON lines each row names its own columns: all names that it may have, the newest first.
        """
        present = raw_files.columns(file, self.layout.event_format)
        if present is None:
            actions = [action for action in self.layout.actions if action.former_columns]
            return {each.column: (each.column, *each.former_columns) for each in actions}
        return {
            action.column: (name,)
            for action in self.layout.actions
            if action.column not in present
            for name in action.former_columns
            if name in present
        }

    def _overrun_folder(self, day: datetime.date) -> Path:
        """Returns the folder of the rows of the next day in the files of a day."""
        return self.work / f"{_FOLDER}{work_files.identity(self.layout, self.of(day))}"


def _first_value(cells: Sequence[pa.Array]) -> pa.Array:
    """Returns of each row the first cell with a value; of one column the column itself."""
    return cells[0] if len(cells) == 1 else pc.coalesce(*cells)
