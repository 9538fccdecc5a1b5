"""Attribute values of users and posts, with the time since when a source knows them.

`ingest_events` keeps of each side what was known when the day began, and what became known on it;
`build_features` looks up what was known at a moment, and feeds do so at the moment of the feed.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.errors import BadDataError
from components.tables import data_files
from phoenix.data import attributes
from phoenix.data.attributes import Attribute
from phoenix.data.histories import first_rows_at
from schemas.attributes import DIGEST_KEY, SIDES, Side, file_name


class KnownValues:
    """Attribute values of some users or posts, by the time since when they are known.

    >>> ids, known_at = np.array([7, 7]), np.array([100, 200])
    >>> values = KnownValues(ids, known_at, np.array([[1.0], [2.0]]), nothing=np.array([0.0]))
    >>> values.as_of(np.array([7, 7, 7, 8]), np.array([99, 100, 250, 250]))[:, 0].tolist()
    [0.0, 1.0, 2.0, 0.0]
    """

    def __init__(
        self, ids: np.ndarray, known_at: np.ndarray, values: np.ndarray, nothing: np.ndarray
    ) -> None:
        """Takes the rows in any order; of rows of one id and time the last counts.

        Args:
          ids: `[M]` int64.
          known_at: `[M]` int64 ms.
          values: `[M, W]` float32.
          nothing: `[W]` float32: of those of whom nothing is known.
        """
        order = np.lexsort((known_at, ids))  # stable, so that the last row of a moment counts
        self._ids, self._known_at = ids[order], known_at[order]
        # As the last row, `nothing` is what the index -1 takes.
        self._values = np.concatenate([values[order], nothing[None]])

    @classmethod
    def read(cls, folder: Path, side: Side, declared: Sequence[Attribute]) -> "KnownValues":
        """Reads the values of a side from an artifact.

        Raises:
          BadDataError: If there is no file with the values of these very attributes.
        """
        side_attributes = attributes.of_side(declared, side)
        if not side_attributes:
            no_ids = np.empty(0, np.int64)
            return cls(no_ids, no_ids, np.empty((0, 0), np.float32), attributes.nothing(()))
        path, names = folder / file_name(side), [each.name for each in side_attributes]
        if not path.is_file():
            raise BadDataError(
                f"{path}: expected the attributes {names}, found no file: "
                "run ingest_events and validate_events of this day again."
            )
        table = pq.read_table(path)
        # The numbers have no names in the file: with another declaration they mean something else.
        declared_digest = attributes.digest(side_attributes)
        file_digest = (table.schema.metadata or {}).get(DIGEST_KEY.encode(), b"").decode()
        if file_digest != declared_digest:
            raise BadDataError(
                f"{path}: holds the attributes {file_digest[:12]}, the configuration declares "
                f"{declared_digest[:12]} ({names}): run ingest_events and "
                "validate_events of this day again."
            )
        ids, known_at, values = data_files.columns(table).values()
        return cls(ids, known_at, values, attributes.nothing(side_attributes))

    def as_of(self, ids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Returns the values that were known last at some moments.

        Args:
          ids: `[n]` int64.
          times: `[n]` int64 ms; what became known at this moment or before counts.

        Returns:
          `[n, W]` float32.
        """
        if not len(self._ids):  # `first_rows_at` needs a row to look at
            return self._values[np.zeros(len(ids), np.int64)]
        low = np.searchsorted(self._ids, ids, "left")
        high = np.searchsorted(self._ids, ids, "right")
        # The row before the first one that became known after the moment.
        place = first_rows_at(self._known_at, low, high, times + 1) - 1
        return self._values[np.where(place >= low, place, -1)]


def carry(source: Path, target: Path, forgotten: np.ndarray) -> None:
    """Copies the values of an artifact into the next one, without users who are to be forgotten.

    Args:
      source: Folder of the one.
      target: Folder of the other.
      forgotten: `[n]` int64 ids of these users.
    """
    for side in SIDES:
        file = source / file_name(side)
        if file.is_file():
            shutil.copy(file, target)
    users = target / file_name("user")
    if len(forgotten) and users.is_file():
        table = pq.read_table(users)
        is_kept = ~np.isin(table["user_id"].to_numpy(), forgotten)
        data_files.write(users, table.filter(pa.array(is_kept)))
