"""Attributes in files of the source: read, checked and kept by the day they are known."""

import datetime
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.erasure import forgotten
from components.errors import BadDataError
from components.settings.attributes import AnyAttribute, AttributeFiles
from components.settings.config import Config
from components.source import raw_files
from components.source.by_day import path_patterns
from components.source.raw_rows import FileFormat, RawRows
from components.source.row_checks import RowCheck
from components.tables import attribute_columns, data_files
from phoenix.data import attributes
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.attributes import DIGEST_KEY, SIDES, VALUES, Side, file_name, values_table

logger = logging.getLogger(__name__)


def recipe(config: Config) -> dict[str, Any]:
    """Returns the settings that shape the values; {} without attributes of users or posts."""
    if not any(config.attributes.of_side(side) for side in SIDES):
        return {}
    without_paths = {side: {"files"} for side in ("users", "posts")}
    settings = config.attributes.model_dump(mode="json", exclude=without_paths)
    return {"attributes": settings | {"gap_minutes": config.build_features.gap_minutes}}


def inputs(config: Config) -> list[dict[str, Any]]:
    """Names the files from which the values come, by name, size and content.

    Raises:
      BadConfigurationError: If there is none where the configuration says.
    """
    return [raw_files.fingerprint(path) for side in SIDES for path in _paths(config, side)]


def write(
    folder: Path, config: Config, day: datetime.date, text_ids: Mapping[str, str]
) -> dict[str, Any]:
    """Writes the values that a day may know of users and posts.

    Args:
      folder: Of the draft.
      config: The attributes and their files, and who is to be forgotten.
      day: What becomes known after it is left out.
      text_ids: Ids that are text, as in the source.

    Returns:
      The facts: declaration and digest, and of each side rows and unreadable cells; {} without
      attributes.

    Raises:
      BadDataError: If a file is damaged, lacks a column or has one of a type that does not fit, or
        too many cells cannot be read.
    """
    facts: dict[str, Any] = {}
    for side in SIDES:
        if config.attributes.of_side(side):
            end = text_ids.get(f"{side}_id")
            facts[f"{side}s"] = _write_side(folder / file_name(side), config, day, side, end)
    if not facts:
        return {}
    return {"attributes": attributes.declaration(config.attributes.attributes) | facts}


def _write_side(
    path: Path, config: Config, day: datetime.date, side: Side, text_end: str | None
) -> dict[str, Any]:
    """Writes the values of users, or of posts; returns the numbers of rows and unreadable cells."""
    sections = config.attributes.of_side(side)
    reader = _Reader(side, sections, _files(config, side), text_end)
    parts = [reader.part(rows) for rows in reader.rows(_paths(config, side))]
    reader.refuse(config.attributes.max_unreadable_share)
    parts.append(reader.nothing())  # a file may have a header alone
    ids, known_at, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    rows = _rows_known_by(ids, known_at, day, gap_minutes=config.build_features.gap_minutes)
    if side == "user":
        rows = rows[~np.isin(ids[rows], forgotten.erased_ids(config))]
    columns = {f"{side}_id": ids[rows], "known_at": known_at[rows], VALUES: values[rows]}
    # The digest of the declaration goes with the numbers, which mean nothing without it.
    digest = attributes.digest(attributes.of_side(config.attributes.attributes, side))
    contract = values_table(f"{side}_id", values.shape[1])
    data_files.write(path, data_files.arrow_table(contract, columns, **{DIGEST_KEY: digest}))
    return {"rows": len(rows), "unreadable": reader.unreadable}


@dataclass
class _Reader:
    """Reads the files of one side and remembers the cells that could not be read."""

    side: Side
    sections: Sequence[AnyAttribute]
    files: AttributeFiles
    text_end: str | None

    def __post_init__(self) -> None:
        names = [self.files.id, self.files.known_at, *(each.column for each in self.sections)]
        self.columns = [name for name in names if name is not None]
        self.unreadable = dict.fromkeys(self.columns, 0)
        self.first: dict[str, str] = {}  # by column: where and what the first of them is
        self.num_rows = 0

    def rows(self, paths: Sequence[Path]) -> Iterator[RawRows]:
        """Yields the rows of all files."""
        form = FileFormat(
            delimiter=self.files.delimiter,
            names=self.files.names,
            has_quotes=self.files.quotes,
        )
        for path in paths:
            yield from raw_files.read(path, self.columns, form)

    def part(self, rows: RawRows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns ids, times and values of the rows whose id and time can be read."""
        self.num_rows += len(rows.lines) + len(rows.malformed)
        for line, text in rows.malformed:
            self._note(self.files.id, rows.file, line, text)
        check = RowCheck(len(rows.lines))
        ids = check.identifier(rows, self.files.id, self.text_end)
        check.mark(ids <= 0, "zero_id", rows, self.files.id, "an id above 0")
        known_at = np.zeros(len(rows.lines), np.int64)
        if self.files.known_at is not None:
            known_at = check.time(rows, self.files.known_at, self.files.time_unit)
        for row, detail in check.details.items():
            self._note(detail.partition(":")[0], rows.file, rows.lines[row], detail)
        values = [np.empty((len(rows.lines), 0), np.float32)]
        for section in self.sections:
            cells = rows.cells[section.column]
            numbers, is_unreadable = attribute_columns.parse(section, cells, file=rows.file)
            values.append(numbers)
            for row in np.flatnonzero(is_unreadable):
                wanted = attribute_columns.expected(section)
                detail = f"{section.column}: expected {wanted}, got {str(cells[row])!r:.80}"
                self._note(section.column, rows.file, rows.lines[row], detail)
        is_good = check.is_good
        return ids[is_good], known_at[is_good], np.concatenate(values, axis=1)[is_good]

    def nothing(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns no ids, times and values."""
        width = sum(section.declared.length for section in self.sections)
        nobody = np.empty(0, np.int64)
        return nobody, nobody, np.empty((0, width), np.float32)

    def refuse(self, max_share: float) -> None:
        """Warns of cells that could not be read, and refuses too many of them.

        Raises:
          BadDataError: Naming the column, and the first cell with its place.
        """
        for column, count in self.unreadable.items():
            if count > max_share * self.num_rows:
                raise BadDataError(
                    f"{self.first[column]}; so are {count} of {self.num_rows} cells, more than "
                    f"`attributes.max_unreadable_share`, {max_share}."
                )
            if count:
                logger.warning(
                    "%s; so are %d of %d cells.", self.first[column], count, self.num_rows
                )

    def _note(self, column: str, file: str, line: int, detail: str) -> None:
        self.unreadable[column] += 1
        self.first.setdefault(column, f"{file}, line {line}: {detail:.200}")


def _rows_known_by(
    ids: np.ndarray, known_at: np.ndarray, day: datetime.date, *, gap_minutes: int
) -> np.ndarray:
    """Returns `[k]` rows that become known up to the end of a day, without those of no use.

    The first question of a day is for what was known a gap before the day began, so of the rows
    before that moment the last one of each id is enough.

    >>> ids, known_at = np.array([1, 1, 1]), np.array([0, 5, 2 * DAY_MS])
    >>> _rows_known_by(ids, known_at, datetime.date(1970, 1, 2), gap_minutes=60)
    array([1])
    """
    end = midnight_ms(day) + DAY_MS
    start = end - DAY_MS - gap_minutes * 60_000
    order = np.lexsort((known_at, ids))  # stable: of rows of one id and time the last counts
    order = order[known_at[order] < end]
    ids, known_at = ids[order], known_at[order]
    is_last = np.append(ids[1:] != ids[:-1], True)[: len(order)]
    is_followed_later = np.append(known_at[1:] > start, True)[: len(order)]
    return order[is_last | is_followed_later]


def _files(config: Config, side: Side) -> AttributeFiles:
    files = config.attributes.users if side == "user" else config.attributes.posts
    assert files is not None  # The configuration has checked it.
    return files


def _paths(config: Config, side: Side) -> list[Path]:
    if not config.attributes.of_side(side):
        return []
    return path_patterns.find(_files(config, side).files, what=f"attributes.{side}s.files")
