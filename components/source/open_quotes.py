"""Finds quotes that swallow lines of a CSV file.

A quoted cell may hold line breaks. A quote that is never closed, or closed by the first quote of
another cell, makes one cell of all lines in between: they would be lost without a sign.
"""

import csv
import io
from pathlib import Path

import pyarrow as pa

from components.errors import BadDataError
from components.source import byte_streams
from components.source.raw_rows import FileFormat

_MAX_CELL = 1 << 26  # characters


def refuse(file: Path, form: FileFormat, delimiter: str) -> None:
    """Refuses a file in which a quote swallows lines; slow, for files with cells of many lines.

    Raises:
      BadDataError: Naming the line in which the row with the quote begins.
    """
    # The limit of Python's reader is one of the whole process, so it is put back.
    limit_before = csv.field_size_limit(_MAX_CELL)
    try:
        # Strict is: after a closing quote the cell ends, and so it does before the file ends.
        with _text(file, form) as text:
            rows = csv.reader(text, delimiter=delimiter, strict=True)
            first = 1
            while True:
                try:
                    next(rows)
                except StopIteration:
                    return
                except csv.Error as error:
                    if rows.line_num > first:
                        raise BadDataError(
                            f"{file}: the row in line {first} opens a quote that does not end its "
                            f"cell up to line {rows.line_num}, so the rows in between cannot be "
                            "told apart. Mend that line, or fetch the file again."
                        ) from error
                first = rows.line_num + 1
    finally:
        csv.field_size_limit(limit_before)


def _text(file: Path, form: FileFormat) -> io.TextIOWrapper:
    # Of line breaks every kind ends a row, as for the reader of the rows.
    stream: pa.NativeFile = byte_streams.open_text(file, form)
    return io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
