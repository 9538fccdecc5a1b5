"""The first rows of some of the files below a path, by files that have the same columns."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.errors import BadConfigurationError
from components.profiling import file_rows
from components.profiling.file_rows import FileRows, TextForm
from components.source import byte_streams
from components.source.by_day.path_patterns import is_left_aside
from components.source.raw_files import KINDS

NUM_FILES = 12  # of one form that are looked at: the oldest, the newest, and some between
NUM_ROWS = 20_000  # of all of them; more would tell little that these do not
MAX_FORMS = 200  # of names; a folder with more is no log
# Ends of names of files that no log is made of.
_FOR_PEOPLE = frozenset((".md", ".pdf", ".html", ".yaml", ".yml", ".py", ".rst", "license"))
# Names of one form: numbers, dates and the identifiers that writers of many parts put into them.
_VARIABLE = re.compile(r"[0-9a-f]{8,}|\d+|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\b")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The first rows of some of the files that have the same columns."""

    files: tuple[Path, ...]  # sorted by path, which is by day where paths say it
    rows: pa.Table  # of the files looked at; what a file does not have is null there
    form: TextForm = field(default_factory=TextForm)
    repeated: tuple[str, ...] = ()  # names of several columns, which nobody can read by name
    # The files looked at, in order, each with its part of the rows; of 0 bytes without a column.
    parts: Mapping[Path, pa.Table] = field(default_factory=dict)

    @property
    def first(self) -> Path:
        """The oldest file."""
        return self.files[0]

    def lacks(self, column: str) -> list[Path]:
        """Returns the files looked at without a column; those of 0 bytes do not count."""
        return [
            file
            for file, part in self.parts.items()
            if part.num_columns and column not in part.column_names
        ]


def read_samples(path: Path, *, num_files: int = NUM_FILES) -> list[Sample]:
    """Reads a sample of every form of file below a path.

    Args:
      path: A file, or a folder; in it, hidden and unfinished files are left alone.
      num_files: At most so many of each form are looked at.

    Raises:
      BadConfigurationError: If there is no file of a kind that can be read.
    """
    if not path.exists():
        raise BadConfigurationError(f"{path}: expected a file or a folder, found nothing.")
    folder = path if path.is_dir() else path.parent
    forms: dict[tuple[str, str], list[Path]] = {}
    for file in _files(path):
        if byte_streams.kind(file) in KINDS:
            form = _VARIABLE.sub("#", str(file.relative_to(folder)).lower())
            forms.setdefault((byte_streams.kind(file), form), []).append(file)
    if not forms:
        others = ", ".join(unreadable_kinds(path))
        raise BadConfigurationError(
            f"{path}: expected files ending in {', '.join(KINDS)}, of text also with .gz or .zst "
            f"after it, found {f'others: {others}' if others else 'none'}."
        )
    # Parts whose names have no common form are told by their columns.
    files_by_columns: dict[tuple[object, ...], list[Path]] = {}
    for (kind, _), files in list(forms.items())[:MAX_FORMS]:
        first = _first_rows(files)
        columns = tuple(first.rows.column_names) if first.form.has_header else (files[0],)
        files_by_columns.setdefault((kind, columns), []).extend(files)
    return [_sample(sorted(files), num_files) for files in files_by_columns.values()]


def unreadable_kinds(path: Path) -> Mapping[str, int]:
    """Returns how many files below a path are of kinds that nobody reads, by the end of the name.

    Those that are there for people do not count.
    """
    names = (file.name for file in _files(path) if byte_streams.kind(file) not in KINDS)
    ends = (Path(name).suffix.lower() or name.lower() for name in names)
    return Counter(end for end in sorted(ends) if end not in _FOR_PEOPLE)


def spread(files: Sequence[Path], count: int) -> list[Path]:
    """Returns at most `count` of some files: the last, the first, and some between, in order.

    >>> [file.name for file in spread([Path(str(day)) for day in range(9)], 3)]
    ['0', '4', '8']
    """
    places = np.linspace(len(files) - 1, 0, min(count, len(files))).round().astype(int)
    return [files[place] for place in reversed(places)]


def _files(path: Path) -> list[Path]:
    """Returns the files below a path that are no hidden or unfinished ones, sorted by path."""
    if not path.is_dir():
        return [path]
    pattern = path / "*"
    files = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in files if not is_left_aside(file, pattern))


def _first_rows(files: Sequence[Path]) -> FileRows:
    """Returns the rows of the first file that has some, else those of the first with columns."""
    first: FileRows | None = None
    for file in spread(files, NUM_FILES):
        content = file_rows.read(file, NUM_ROWS)
        if len(content.rows):
            return content
        if first is None or not first.rows.num_columns:
            first = content
    assert first is not None
    return first


def _sample(files: Sequence[Path], num_files: int) -> Sample:
    """Reads some files of one form, each in the form that the first one with rows has."""
    examined = spread(files, num_files)
    reference = _first_rows(files)
    num_rows = max(NUM_ROWS // len(examined), 1)
    parts = {file: file_rows.read(file, num_rows, reference.form).rows for file in examined}
    return Sample(
        files=tuple(files),
        rows=_concatenated([part for part in parts.values() if part.num_columns]),
        form=reference.form,
        repeated=reference.repeated,
        parts=parts,
    )


def _concatenated(parts: Sequence[pa.Table]) -> pa.Table:
    """Returns the rows of all files; a column of types that nothing unites becomes text."""
    types: dict[str, list[pa.DataType]] = {}
    for field_of_part in (each for part in parts for each in part.schema):
        types.setdefault(field_of_part.name, []).append(field_of_part.type)
    divided = {name for name, of_column in types.items() if not _have_one_type(of_column)}
    tables = [_with_texts(part, divided) for part in parts]
    return pa.concat_tables(tables, promote_options="permissive") if parts else pa.table({})


def _have_one_type(types: Sequence[pa.DataType]) -> bool:
    try:
        pa.unify_schemas([pa.schema({"": each}) for each in types], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _with_texts(part: pa.Table, names: Collection[str]) -> pa.Table:
    """Returns rows of which some columns are written as text."""
    for place, name in enumerate(part.column_names):
        if name in names:
            texts = [None if each is None else str(each) for each in part[name].to_pylist()]
            part = part.set_column(place, name, pa.array(texts, pa.string()))
    return part
