"""Parses the columns of raw rows and remembers what is wrong with which row.

Nothing is dropped: a row that cannot be read is rejected with its file, line, rule and content.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from components.source.layouts import ActionRule
from components.source.raw_rows import RawRows
from components.tables import cells, times
from components.tables.text_collector import IdReader
from schemas.events import REJECTED

_TEXT_IDS = "where ids are text, name their column in `ingest_events.source.text_ids`"


_FLAG = "0 or 1, no or yes; other words that mean yes go into `values` of the action"
_SURFACES = "ingest_events.source.surfaces"


@dataclass
class Rejections:
    """Rows that could not be read, in the order in which they came."""

    rows: list[dict[str, object]] = field(default_factory=list)

    def add(self, table: str, rows: RawRows, check: "RowCheck") -> None:
        """Takes the rows that `check` found something wrong with."""
        for row in np.flatnonzero(~check.is_good):
            raw = {name: _json_value(cell[row]) for name, cell in rows.cells.items()}
            entry = None if rows.entries is None else int(rows.entries[row])
            place = (rows.file, int(rows.lines[row]), entry)
            text = json.dumps(raw, ensure_ascii=False)
            self._append(table, place, check.rules[int(row)], check.details[int(row)], text)

    def add_malformed(self, table: str, file: str, line: int, text: str) -> None:
        """Takes a row that has not the columns of its file."""
        self._append(table, (file, line, None), "malformed_row", f"{text:.200}", text)

    def _append(
        self, table: str, place: tuple[str, int, int | None], rule: str, detail: str, raw: str
    ) -> None:
        file, line, entry = place
        row = {"table": table, "file": file, "line": line, "rule": rule, "detail": detail}
        self.rows.append({**row, "raw": raw, **({} if entry is None else {"entry": entry})})

    def table(self) -> pa.Table:
        """Returns the rows in the schema of `schemas.events.REJECTED`."""
        names = {name for row in self.rows for name in row}
        return pa.Table.from_pylist(self.rows, schema=REJECTED.with_optional(names).schema())


class RowCheck:
    """Parses columns of raw rows and remembers the first thing wrong with each row."""

    def __init__(self, count: int, null_words: Sequence[str] = ()) -> None:
        """Takes the number of rows, and text that says that there is nothing."""
        self._null_words = null_words
        self.is_good = np.ones(count, bool)  # [n]: nothing is wrong with the row so far
        self.rules: dict[int, str] = {}  # by row
        self.details: dict[int, str] = {}  # by row

    def whole(self, rows: RawRows, column: str, *, limit: int = 2**63) -> np.ndarray:
        """Reads whole numbers below `limit`, of either sign."""
        values, is_good = cells.parse_whole(rows.cells[column])
        is_good &= (values >= -limit) & (values <= limit - 1)
        self._judge(is_good, "unreadable_number", rows, column, "a whole number")
        return values

    def identifier(
        self,
        rows: RawRows,
        column: str,
        text_end: str | None,
        read: IdReader = cells.parse_id,
        *,
        otherwise: np.ndarray | None = None,
    ) -> np.ndarray:
        """Reads ids: whole numbers, or text that ends at `text_end`, unless that is None.

        Args:
          rows: Holds the column.
          column: Its name.
          text_end: See `cells.parse_text_id`.
          read: The reader of the cells; `TextCollector` has one that keeps their texts.
          otherwise: `[n]` ids of rows whose cell is empty; None where they are rejected.
        """
        values, is_good = read(rows.cells[column], text_end, self._null_words)
        if otherwise is not None:
            values, is_good = self._fill(rows, column, values, is_good, otherwise)
        rule = "unreadable_number"
        if text_end is not None:
            column_cells = rows.cells[column]
            self._judge(is_good, rule, rows, column, lambda row: _expected_id(column_cells[row]))
        elif not is_good.all():
            is_padded = cells.is_padded(rows.cells[column])
            zeros = f"a whole number without zeros before it; {_TEXT_IDS}"
            self.mark(is_padded, rule, rows, column, zeros)
            self._judge(is_good, rule, rows, column, f"a whole number; {_TEXT_IDS}")
        return values

    def number(self, rows: RawRows, column: str) -> np.ndarray:
        """Reads finite numbers."""
        values, is_good = cells.parse_number(rows.cells[column])
        self._judge(is_good, "unreadable_number", rows, column, "a number")
        return values

    def optional_number(self, rows: RawRows, column: str, *, is_whole: bool = False) -> np.ndarray:
        """Reads numbers that fit float32, or int32 if they are whole; NaN where a cell is empty."""
        parse, limit, what = cells.parse_number, 3e38, "a number"
        if is_whole:
            parse, limit, what = cells.parse_whole, 2**31 - 1, "a whole number"
        values, is_good = parse(rows.cells[column])
        is_missing = ~is_good & cells.says_nothing(rows.cells[column], self._null_words)
        is_bad = ~(is_good & (np.abs(values) <= limit)) & ~is_missing
        self.mark(is_bad, "unreadable_number", rows, column, f"{what}, or nothing")
        return np.where(is_missing | is_bad, np.nan, values.astype(float))

    def text(self, rows: RawRows, column: str) -> np.ndarray:
        """Reads text, or anything that can be written as text; None where a cell is empty."""
        return cells.parse_text(rows.cells[column])

    def time(
        self,
        rows: RawRows,
        column: str,
        unit: str,
        zone: str = "UTC",
        form: str | None = None,
        *,
        is_optional: bool = False,
    ) -> np.ndarray:
        """Reads times, as `cells.parse_time` does; 0 where a cell is empty, if it may be."""
        values, is_good = cells.parse_time(rows.cells[column], unit, zone, form)
        if is_optional:
            values, is_good = self._fill(rows, column, values, is_good, 0)

        written = form or ("ISO 8601" if unit == "iso" else f"{unit} since 1970")

        def expected(row: int) -> str:
            """Returns what was expected, and what the value looks like instead."""
            text = str(_json_value(rows.cells[column][row]))
            looks = times.guess(text)
            hint = f"; {text:.40} looks like {looks}" if looks else ""
            return f"a time from 1990 to 2099 as {written}{hint}"

        self._judge(is_good, "unreadable_time", rows, column, expected)
        return values

    def surface(self, rows: RawRows, column: str, numbers: Mapping[str, int]) -> np.ndarray:
        """Reads surfaces: whole numbers, or words where some have `numbers`."""
        if not numbers:
            values, is_good = cells.parse_whole(rows.cells[column])
            is_good &= (values >= -(2**31)) & (values < 2**31)
            expected = f"a whole number; words get numbers in `{_SURFACES}`"
            self._judge(is_good, "unreadable_number", rows, column, expected)
            return values
        values, is_good = cells.parse_words(rows.cells[column], numbers)
        words = ", ".join(numbers)
        expected = f"one of {words:.200} (`{_SURFACES}`, in which `*` is any other word)"
        self._judge(is_good, "bad_surface", rows, column, expected)
        return values

    def flag(self, rows: RawRows, column: str, expected: str = "0 or 1") -> np.ndarray:
        """Reads flags; an empty cell is no: many logs write the flags that are set alone."""
        values, is_good = cells.parse_flag(rows.cells[column])
        values, is_good = self._fill(rows, column, values, is_good, False)
        self._judge(is_good, "unreadable_flag", rows, column, expected)
        return values & is_good

    def action(self, rows: RawRows, rule: ActionRule) -> np.ndarray:
        """Reads whether the user did something."""
        if rule.values:
            values, is_good = cells.parse_match(rows.cells[rule.column], rule.values)
            self._judge(is_good, "unreadable_flag", rows, rule.column, "text or a number")
            return values & is_good
        if rule.at_least is None and rule.at_most is None:
            return self.flag(rows, rule.column, _FLAG)
        values = self.optional_number(rows, rule.column)  # of nothing, no limit is reached
        low = -np.inf if rule.at_least is None else rule.at_least
        high = np.inf if rule.at_most is None else rule.at_most
        return (values >= low) & (values <= high)

    def entries(self, rows: RawRows, column: str) -> None:
        """Marks entries of lists that are none.

        Args:
          rows: Rows that are entries, or not.
          column: Holds the entries.
        """
        if rows.entry_faults:
            is_bad = np.zeros(len(rows.lines), bool)
            is_bad[list(rows.entry_faults)] = True
            self.mark(is_bad, "malformed_entry", rows, column, rows.entry_faults.__getitem__)

    def mark(
        self,
        is_bad: np.ndarray,
        rule: str,
        rows: RawRows,
        column: str,
        expected: str | Callable[[int], str],
    ) -> None:
        """Marks rows that nothing else is wrong with.

        Args:
          is_bad: `[n]` bool.
          rule: What they break.
          rows: Holds the column.
          column: Whose value breaks it.
          expected: What was expected instead, of every row or by its number.
        """
        for row in np.flatnonzero(is_bad & self.is_good):
            wanted = expected if isinstance(expected, str) else expected(int(row))
            value = _json_value(rows.cells[column][row])
            content = "nothing" if value in (None, "") else repr(value)
            self.rules[int(row)] = rule
            self.is_good[row] = False
            self.details[int(row)] = f"{column}: expected {wanted}, got {content:.200}"

    def _fill(
        self,
        rows: RawRows,
        column: str,
        values: np.ndarray,
        is_good: np.ndarray,
        otherwise: np.ndarray | int,
    ) -> cells.Parsed:
        """Gives empty cells another value, with which nothing is wrong."""
        if is_good.all():  # nearly always
            return values, is_good
        is_absent = ~is_good & cells.says_nothing(rows.cells[column], self._null_words)
        return np.where(is_absent, otherwise, values), is_good | is_absent

    def _judge(
        self,
        is_good: np.ndarray,
        rule: str,
        rows: RawRows,
        column: str,
        expected: str | Callable[[int], str],
    ) -> None:
        """Marks rows whose value is missing, and those whose value breaks `rule`."""
        if is_good.all():  # nearly always
            return
        is_missing = ~is_good & cells.is_missing(rows.cells[column])
        self.mark(is_missing, "missing_value", rows, column, expected)
        self.mark(~is_good, rule, rows, column, expected)


def _expected_id(cell: pa.Scalar) -> str:
    """Returns what was expected in place of a cell that is no id where ids are text."""
    value = _json_value(cell)
    if isinstance(value, str) and cells.is_replaced(value):
        return "an id in UTF-8, or the right `ingest_events.source.encoding`"
    if not pa.types.is_primitive(cell.type) and not pa.types.is_string(cell.type):
        return f"an id, not a value of the type {cell.type}"
    if isinstance(value, str) and cells.is_structure(value.strip()):
        return "one id, not a list or an object"
    return "an id, not a word for nothing (`ingest_events.source.null_words`)"


def _json_value(cell: pa.Scalar) -> object:
    try:
        value = cell.as_py()
    except (ValueError, OverflowError):  # a time that Python's calendar does not reach
        value = cell.cast(pa.int64()).as_py()
    return value if isinstance(value, str | int | bool | type(None)) else str(value)
