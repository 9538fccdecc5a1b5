"""The texts of ids that are text: models know numbers alone, and people know the texts.

The number of a text is a function of the text (`cells.parse_text_id`), so it can be computed from
the text and not the other way round. Artifacts keep the texts beside the rows that name their
numbers, a file per kind of id, sorted by number.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import BadConfigurationError, BadDataError
from components.settings.config import Config
from components.tables import cells
from phoenix.data import sorted_ids
from schemas.texts import ID_NAMES, TEXT, texts_table

# Small groups: who asks for the texts of one feed reads a few of them.
_ROWS_PER_GROUP = 1 << 16


def file_name(id_name: str) -> str:
    """Returns the name of the file of texts in an artifact.

    >>> file_name("user_id")
    'user_texts.parquet'
    """
    return f"{id_name.removesuffix('_id')}_texts.parquet"


def read_all(folder: Path, id_names: Sequence[str] = ID_NAMES) -> "dict[str, IdTexts]":
    """Reads the texts in a folder by the name of the id; nothing where ids are numbers."""
    paths = {name: folder / file_name(name) for name in id_names}
    return {name: IdTexts.read(name, path) for name, path in paths.items() if path.is_file()}


def carry(id_name: str, source: Path, target: Path) -> None:
    """Copies the texts of an artifact into the next one; nothing where ids are numbers."""
    path = source / file_name(id_name)
    if path.is_file():
        shutil.copy(path, target)


def parse_id(text: str, id_name: str, config: Config) -> int:
    """Returns the number of an id that somebody writes as the source does.

    Raises:
      BadConfigurationError: If it is no id.
    """
    ends: Mapping[str, str] = dict(config.ingest_events.source.text_ids.items())
    end = ends.get(id_name)
    # Not by Arrow, which would import pandas: a person waits for one id.
    if end is not None:
        number = cells.number_of_text(text, end)
    else:
        number = int(text) if re.fullmatch("[0-9]{1,19}", text.strip()) else 0
    if not 0 < number < 2**63:
        expected = "a whole number above 0" if end is None else f"text before {end!r}"
        kind = id_name.removesuffix("_id")
        raise BadConfigurationError(f"The {kind} {text!r} is no id: expected {expected}.")
    return number


@dataclass(frozen=True)
class IdTexts:
    """Ids of one kind with their texts.

    >>> texts = IdTexts.of("user_id", np.array([9, 4, 9]), pa.array(["mary", "joe", "mary"]))
    >>> texts.ids.tolist(), texts.names_of(np.array([9, 5, 4]))
    ([4, 9], ['mary', '5', 'joe'])
    """

    id_name: str  # canonical, as in `user_id`
    ids: np.ndarray  # [N] int64, rising, each once
    texts: pa.Array  # [N] large_string

    @classmethod
    def none(cls, id_name: str) -> "IdTexts":
        """Returns no texts."""
        return cls(id_name, np.empty(0, np.int64), pa.array([], pa.large_string()))

    @classmethod
    def of(cls, id_name: str, ids: np.ndarray, texts: pa.Array) -> "IdTexts":
        """Sorts pairs and keeps each once.

        Args:
          id_name: For the message and the file.
          ids: `[n]` int64.
          texts: `[n]` text.

        Raises:
          BadDataError: If two texts have one number.
        """
        order = np.argsort(ids, kind="stable")
        ids, sorted_texts = ids[order], texts.take(pa.array(order)).cast(pa.large_string())
        is_first = np.append(True, ids[1:] != ids[:-1])[: len(ids)]
        again = np.flatnonzero(~is_first)
        is_other = pc.not_equal(
            sorted_texts.take(pa.array(again)), sorted_texts.take(pa.array(again - 1))
        )
        others = again[np.asarray(is_other)]
        if len(others):
            row = int(others[0])
            one, other = sorted(sorted_texts[row - 1 : row + 1].to_pylist())
            raise BadDataError(
                f"{id_name}: the texts {one!r} and {other!r} have one number, {ids[row]}, so they "
                "would be one id. Of 10 million texts this happens once in 180,000 logs; rename "
                "one of the two in the source."
            )
        return cls(id_name, ids[is_first], sorted_texts.take(pa.array(np.flatnonzero(is_first))))

    @classmethod
    def merge(cls, id_name: str, parts: Sequence["IdTexts"]) -> "IdTexts":
        """Returns the texts of all parts.

        Raises:
          BadDataError: If two texts have one number.
        """
        parts = [part for part in parts if len(part.ids)]
        if len(parts) < 2:
            return parts[0] if parts else cls.none(id_name)
        ids = np.concatenate([part.ids for part in parts])
        return cls.of(id_name, ids, pa.concat_arrays([part.texts for part in parts]))

    @classmethod
    def read(cls, id_name: str, path: Path, ids: np.ndarray | None = None) -> "IdTexts":
        """Reads what `write` wrote.

        Args:
          id_name: Whose texts.
          path: The file.
          ids: `[n]` int64, few: only what is needed to know their texts is read; all by default.
        """
        file = pq.ParquetFile(path)
        groups = range(file.num_row_groups)
        if ids is not None:
            groups = [group for group in groups if _may_hold(file, group, ids)]
        table = file.read_row_groups(groups)
        texts = table[TEXT].combine_chunks().cast(pa.large_string())
        return cls(id_name, table[id_name].to_numpy(), texts)

    def write(self, folder: Path) -> None:
        """Writes the texts into a folder; equal texts give equal bytes."""
        schema = texts_table(self.id_name).schema()
        columns = [pa.array(self.ids), self.texts.cast(pa.string())]
        pq.write_table(
            pa.Table.from_arrays(columns, schema=schema),
            folder / file_name(self.id_name),
            compression="zstd",
            row_group_size=_ROWS_PER_GROUP,
            # Every value is there once. Neighbours of sorted numbers differ in few bits.
            use_dictionary=False,
            column_encoding={self.id_name: "DELTA_BINARY_PACKED", TEXT: "DELTA_LENGTH_BYTE_ARRAY"},
        )

    def only(self, ids: np.ndarray) -> "IdTexts":
        """Returns the texts of some ids, `[n]` int64 in any order."""
        # By a table of hashes instead of a sort: rows name the same ids again and again.
        distinct = pa.array(ids).dictionary_encode().dictionary.to_numpy()
        return self._where(np.isin(self.ids, distinct))

    def without(self, ids: np.ndarray) -> "IdTexts":
        """Returns the texts of all ids but some."""
        return self._where(~np.isin(self.ids, ids)) if len(ids) else self

    def _where(self, mask: np.ndarray) -> "IdTexts":
        if mask.all():
            return self
        return IdTexts(self.id_name, self.ids[mask], self.texts.filter(pa.array(mask)))

    def names_of(self, ids: np.ndarray) -> list[str]:
        """Returns the texts of ids, `[n]`; the digits of an id without one."""
        return self.column_of(ids).to_pylist()

    def column_of(self, ids: np.ndarray, *, has_digits: bool = True) -> pa.DictionaryArray:
        """Returns the same as a column in which every text is kept once.

        Args:
          ids: `[n]` int64.
          has_digits: Whether the digits of an id stand for a missing text; null if not.
        """
        distinct, codes = np.unique(ids, return_inverse=True)
        rows, is_there = sorted_ids.find(self.ids, distinct)
        texts = self.texts.take(pa.array(rows, mask=~is_there)).cast(pa.string())
        codes = codes.astype(np.int32)
        if has_digits:
            # A store begun before texts were kept has ids of which only the number is known.
            names = pc.coalesce(texts, pa.array(distinct).cast(pa.string()))
            return pa.DictionaryArray.from_arrays(pa.array(codes), names)
        places = pa.array(codes, mask=~is_there[codes])
        return pa.DictionaryArray.from_arrays(places, texts.fill_null(""))


def _may_hold(file: pq.ParquetFile, group: int, ids: np.ndarray) -> bool:
    """Whether one of some ids may be in a row group, by the statistics of the file."""
    statistics = file.metadata.row_group(group).column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return bool(((ids >= statistics.min) & (ids <= statistics.max)).any())
