"""The first rows of one file, with what its text shows of its form."""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import BadConfigurationError
from components.source import byte_streams
from components.source.raw_rows import FileFormat

_JSON = (".jsonl", ".ndjson", ".json")
_LONG_DELIMITER = "::"  # which the reader of cells cannot
_DELIMITERS = (",", "\t", ";", "|")
_NUM_TRIED = 500  # rows that are read to find the delimiter
_MAX_CELL = 1 << 20  # characters
_MAX_BYTES = 1 << 26  # of a file; its lines may end without a line feed


@dataclass(frozen=True, kw_only=True)
class TextForm:
    """The way from text to columns."""

    has_header: bool = True  # False: the columns are called by their place, from `0` on
    delimiter: str | None = None  # of text with columns
    has_quotes: bool = True  # False: a double quote is a character as any other
    encoding: str = "utf-8"  # or latin-1


@dataclass(frozen=True, kw_only=True)
class FileRows:
    """The first rows of a file."""

    rows: pa.Table  # text of text files; of JSON, the member b of a is the column `a.b`
    form: TextForm = TextForm()
    repeated: tuple[str, ...] = ()  # names of several columns, which nobody can read by name


def read(file: Path, num_rows: int, form: TextForm | None = None) -> FileRows:
    """Reads the first rows of a file; of an empty one none, without a column.

    Args:
      file: Of a kind that can be read.
      num_rows: At most so many.
      form: That of text, where another file has shown it.

    Raises:
      BadConfigurationError: If the file cannot be read.
      BadDataError: If it is text of another encoding.
    """
    kind = byte_streams.kind(file)
    try:
        if file.stat().st_size == 0:
            return FileRows(rows=pa.table({}))
        if kind == ".parquet":
            return FileRows(rows=_parquet_rows(file, num_rows))
        if kind in _JSON:
            return FileRows(rows=_json_rows(file, num_rows))
        return _text_rows(file, num_rows, form)
    except (pa.ArrowException, OSError, UnicodeError, ValueError) as error:
        raise BadConfigurationError(
            f"{file}: expected a whole {kind} file, which cannot be read: {error}."
        ) from error


def _parquet_rows(file: Path, num_rows: int) -> pa.Table:
    with pq.ParquetFile(file) as content:
        schema = content.schema_arrow
        batches = content.iter_batches(batch_size=num_rows)
        table = pa.Table.from_batches([batch] if (batch := next(batches, None)) else [], schema)
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _json_rows(file: Path, num_rows: int) -> pa.Table:
    lines = _lines(_text(file, num_rows)[0], num_rows)
    rows = [_members(value) for line in lines if isinstance(value := _json(line), dict)]
    if not rows and lines and lines[0].lstrip().startswith("["):
        raise BadConfigurationError(
            f"{file}: expected a JSON object in each line, found one list. Write its members line "
            f"by line, as by: jq -c '.[]' {file.name} > {file.stem}.jsonl"
        )
    names = dict.fromkeys(name for row in rows for name in row)
    columns = [pa.array([row.get(name) for row in rows], pa.string()) for name in names]
    return pa.Table.from_arrays(columns, list(names))


def _json(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None  # a row that is none; the preview says which


def _members(value: Mapping[str, Any], prefix: str = "") -> dict[str, str | None]:
    """Returns the members of an object as text, those of inner objects as `a.b`.

    >>> _members({"user": {"id": 7}, "liked": True})
    {'user.id': '7', 'liked': 'true'}
    """
    members: dict[str, str | None] = {}
    for name, member in value.items():
        if isinstance(member, Mapping):
            members |= _members(member, f"{prefix}{name}.")
        else:
            is_text = member is None or isinstance(member, str)
            members[prefix + name] = member if is_text else json.dumps(member)
    return members


def _text(file: Path, num_rows: int, form: TextForm | None = None) -> tuple[str, str]:
    """Returns the beginning of a text file, of whole lines, and its encoding.

    Raises:
      BadDataError: If it is of another encoding.
    """
    byte_streams.head(file, FileFormat())
    with byte_streams.open_text(file, FileFormat()) as stream:
        text, block = b"", b" "
        while (
            text.count(b"\n") <= num_rows
            and len(text) < _MAX_BYTES
            and (block := stream.read(1 << 20))
        ):
            text += block
    whole = text if not block else text[: text.rfind(b"\n") + 1]
    encoding = _encoding(whole) if form is None else form.encoding
    return byte_streams.without_mark(whole).decode(encoding, errors="replace"), encoding


def _encoding(text: bytes) -> str:
    """Returns what most lines with other letters than ASCII are written in.

    >>> _encoding("café".encode()), _encoding("café".encode("latin-1"))
    ('utf-8', 'latin-1')
    """
    lines = [line for line in text.splitlines() if not line.isascii()]
    num_broken = sum("\ufffd" in line.decode("utf-8", errors="replace") for line in lines)
    return "latin-1" if num_broken > len(lines) / 2 else "utf-8"


def _lines(text: str, num_rows: int) -> list[str]:
    """Returns the first lines that are not blank."""
    return [line for line in text.splitlines()[:num_rows] if line.strip()]


def _text_rows(file: Path, num_rows: int, form: TextForm | None) -> FileRows:
    text, encoding = _text(file, num_rows, form)
    lines = _lines(text, num_rows)
    if form is None:
        delimiter, has_quotes = _separators(file, text, lines)
    else:
        delimiter, has_quotes = form.delimiter or ",", form.has_quotes
    if delimiter == _LONG_DELIMITER:
        return _split_rows(lines, encoding)
    header, *cells = _cells(text, delimiter, has_quotes, num_rows) or [[]]
    rows = _table(cells, len(header))
    has_header = _is_header(header, rows) if form is None else form.has_header
    form = TextForm(
        has_header=has_header, delimiter=delimiter, has_quotes=has_quotes, encoding=encoding
    )
    if not has_header:
        return FileRows(rows=_table([header, *cells], len(header)), form=form)
    counts = Counter(header)
    places = [place for place, name in enumerate(header) if counts[name] == 1]
    return FileRows(
        rows=rows.select(places).rename_columns([header[place] for place in places]),
        form=form,
        repeated=tuple(name for name, count in counts.items() if count > 1 and name),
    )


def _separators(file: Path, text: str, lines: list[str]) -> tuple[str, bool]:
    """Returns what stands between cells, and whether a cell may stand in quotes."""
    if lines and _LONG_DELIMITER in lines[0]:
        return _LONG_DELIMITER, True
    has_quotes = not _has_loose_quotes(lines)
    return _delimiter(file, text) if has_quotes else "\t", has_quotes


def _split_rows(lines: list[str], encoding: str) -> FileRows:
    parts = [line.split(_LONG_DELIMITER) for line in lines]
    whole = [part for part in parts if len(part) == len(parts[0])]
    num_columns = len(parts[0]) if parts else 0
    columns = {str(n): pa.array([part[n] for part in whole]) for n in range(num_columns)}
    form = TextForm(has_header=False, delimiter=_LONG_DELIMITER, encoding=encoding)
    return FileRows(rows=pa.table(columns), form=form)


def _has_loose_quotes(lines: list[str]) -> bool:
    r"""Whether quotes in text with tabs are no quotes of cells: no line needs them as such.

    >>> _has_loose_quotes(['1\t"Wheel" of fortune', "2\tb"])
    True
    >>> _has_loose_quotes(['1\t"a\tb"', "2\tb"]), _has_loose_quotes(['1\t"a"', "2\tb"])
    (False, False)
    """
    if len({line.count("\t") for line in lines}) != 1 or not lines or "\t" not in lines[0]:
        return False
    quoted = [cell for line in lines for cell in line.split("\t") if '"' in cell]
    return any(not re.fullmatch(r'[^"]*|"([^"]|"")*"', cell) for cell in quoted)


def _delimiter(file: Path, text: str) -> str:
    """Returns what stands between cells: with it, most rows have as many cells as the first."""
    usual = "\t" if byte_streams.kind(file) == ".tsv" else ","

    def worth(delimiter: str) -> tuple[float, int]:
        """Returns how well a delimiter fits."""
        sizes = [len(row) for row in _cells(text, delimiter, True, _NUM_TRIED)]
        if not sizes or sizes[0] == 1:
            return 0.0, 0
        return sizes.count(sizes[0]) / len(sizes), sizes[0]

    return max((usual, *_DELIMITERS), key=worth)  # the first of equals


def _cells(text: str, delimiter: str, has_quotes: bool, count: int) -> list[list[str]]:
    """Returns the first rows of a text, those without a cell left out.

    Raises:
      ValueError: If a cell is absurdly long, as after a quote that nothing closes.
    """
    quoting = csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE
    rows: list[list[str]] = []
    # The limit of Python's reader is one of the whole process, so it is put back.
    limit_before = csv.field_size_limit(_MAX_CELL)
    try:
        # Line breaks as they are: of every kind, also of several and within quotes.
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting):
            rows += [row] if row else []
            if len(rows) > count:
                break
    except csv.Error as error:
        raise ValueError(str(error)) from error
    finally:
        csv.field_size_limit(limit_before)
    return rows


def _table(rows: list[list[str]], num_columns: int) -> pa.Table:
    """Returns rows as columns that are called by their place; an empty cell is null."""
    cells = [[*row, *[""] * (num_columns - len(row))] for row in rows if len(row) <= num_columns]
    columns = {
        str(place): pa.array([row[place] or None for row in cells], pa.string())
        for place in range(num_columns)
    }
    return pa.table(columns)


def _is_header(names: list[str], rows: pa.Table) -> bool:
    """Whether a first row names columns: no number is a name."""
    if not any(names):
        return False
    if any(re.fullmatch(r"[+-]?[\d.]+([-:/ ].*)?", name.strip()) for name in names):
        return False
    if any(_has_numbers(column) for column in rows.columns):
        return True
    # All is text: a name stands there once, and has the form of a name.
    return len(set(names)) == len(names) and all(
        re.fullmatch(r"[A-Za-z_][\w .\-]*|", name) for name in names
    )


def _has_numbers(column: pa.ChunkedArray) -> bool:
    texts = column.drop_null().slice(0, 100)
    matches = pc.match_substring_regex(texts, r"^[+-]?\d+(\.\d+)?$")
    return bool(len(texts)) and bool(pc.all(matches).as_py())
