"""The differences between the files of a log: columns that come or go, and files of other forms."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from components.profiling.samples import MAX_FORMS, Sample, unreadable_kinds
from components.source import byte_streams, raw_files
from components.source.by_day import coming_columns
from components.source.schema_changes import change

Role = Literal["left out", "needed", "action", "optional"]  # of a column in the configuration

_NUM_LISTED = 5  # names in a note
_MEANS: Mapping[Role, str] = {
    "left out": "a column that is read must be there from its first day on, so nothing is made of "
    "it. Write it into these files, empty where nobody knows, to add it.",
    "needed": "their days will be refused. Write it into these files, or let `first_day` be later.",
    "action": "of days without it nobody knows whether users did so, and nothing is learned of it "
    "there.",
    "optional": "their rows are without it.",
}


def incomplete_columns(sample: Sample, *, is_by_day: bool) -> list[str]:
    """Returns the columns with which not all files can be read.

    Args:
      sample: The files.
      is_by_day: Whether their paths say a day: a column may come then, and must stay.
    """
    if not raw_files.names_columns(sample.first):
        return []  # each row says for itself what it has
    names = [name for name in sample.rows.column_names if sample.lacks(name)]
    return [name for name in names if not (is_by_day and _comes(sample, name))]


def notes_on_columns(sample: Sample, roles: Mapping[str, Role]) -> list[str]:
    """Returns sentences about columns that are not in every file, and files that will be refused.

    Args:
      sample: The files.
      roles: Of the columns that are read, or would be if all files had them.
    """
    notes, others = [], []
    for name in sample.rows.column_names:
        if lacking := sample.lacks(name):
            if name in roles:
                notes.append(f"`{name}` is not in {_listed(lacking)}: {_MEANS[roles[name]]}")
            else:
                others.append(name)
    if others:
        columns = ", ".join(others[:_NUM_LISTED]) + (" and more" if others[_NUM_LISTED:] else "")
        notes.append(f"Not all files have {columns}; nothing is made of them.")
    return [*notes, *_notes_on_types(sample, roles), *_notes_on_empty_files(sample)]


def notes_on_other_files(samples: Sequence[Sample], read: Sequence[Sample]) -> list[str]:
    """Returns sentences that tell of files of which nothing is read.

    Args:
      samples: All files of the folder that can be read.
      read: Those that are read, the events first.
    """
    notes, events = [], read[0]
    names = set(events.rows.column_names)
    for sample in (each for each in samples if each not in read):
        what = f"Not read: {_counted(sample.files)}"
        if len(names & set(sample.rows.column_names)) > len(names) / 2:
            notes.append(
                f"{what}, with columns as in {events.first.name}: one source has files of one "
                f"form. Write them as {byte_streams.kind(events.first)} with the same columns, or "
                "give them a folder and a configuration of their own."
            )
        else:
            columns = ", ".join(sample.rows.column_names) or "none"
            notes.append(f"{what}, with other columns ({columns:.100}).")
    if len(samples) >= MAX_FORMS:
        notes.append(f"Only the first {MAX_FORMS} forms of names in the folder were looked at.")
    return notes


def notes_on_unreadable_files(path: Path) -> list[str]:
    """Returns sentences that tell of files below a path whose kind nobody reads."""
    kinds = ", ".join(raw_files.KINDS)
    return [
        f"Not read: what ends in {end} ({count:,} in all); files that are read end in {kinds}."
        for end, count in unreadable_kinds(path).items()
    ]


def _comes(sample: Sample, name: str) -> bool:
    """Whether a column is in all files after the first that has it, and is new there."""
    of_files = [part.column_names for part in sample.parts.values() if part.num_columns]
    is_there = [name in columns for columns in of_files]
    return is_there == sorted(is_there) and all(
        coming_columns.is_new(name, columns, of_files[-1])
        for columns in of_files
        if name not in columns
    )


def _notes_on_types(sample: Sample, roles: Mapping[str, Role]) -> Iterator[str]:
    """Yields sentences on columns whose type changes so that the day of the change is refused."""
    types: dict[str, tuple[pa.DataType, Path]] = {}
    for file, part in sample.parts.items():
        for column in (each for each in part.schema if each.name in roles):
            before, _ = types.get(column.name, (column.type, file))
            if (what := change(str(before), str(column.type))) is not None:
                yield (
                    f"`{column.name}` is {what} from {before} to {column.type} in {_name(file)}: "
                    "that day is refused unless the files have one type, or "
                    "`ingest_events.schema_since` is that day."
                )
            types[column.name] = (column.type, file)


def _notes_on_empty_files(sample: Sample) -> list[str]:
    empty = [file for file, part in sample.parts.items() if not part.num_columns]
    if not empty:
        return []
    return [
        f"{_listed(empty)}: without a row or a header such a file is refused, since it may have "
        "been cut. Take it out; a header alone says that there are no rows."
    ]


def _listed(files: Sequence[Path]) -> str:
    names = ", ".join(_name(file) for file in files[:_NUM_LISTED])
    more = len(files) - _NUM_LISTED
    return f"{names} and {more:,} more" if more > 0 else names


def _counted(files: Sequence[Path]) -> str:
    return _name(files[0]) if len(files) == 1 else f"{len(files):,} files such as {_name(files[0])}"


def _name(file: Path) -> str:
    """Returns the name of a file with its folder, since parts are called alike in each."""
    return f"{file.parent.name}/{file.name}"
