"""Digests of the rows of the tables in an artifact that lie in files by user."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas import buckets
from schemas.buckets import FOOTER_KEY, Piece


def of_folder(folder: Path, files: Sequence[str]) -> dict[str, Any]:
    """Returns the number and the digest of the rows of each table of rows of users.

    Args:
      folder: Of an artifact in the making.
      files: The names of its files; those that are no tables by user are left out.

    Raises:
      ValueError: If a table is not whole.
    """
    tables = {}
    names = {name for name in files if name.endswith(".parquet")}
    for table in sorted({buckets.table_of(name) for name in names}):
        own = [name for name in names if buckets.table_of(name) == table]
        paths = [folder / name for name in buckets.names_of_table(table, own)]
        if not paths:
            raise ValueError(f"The files of {table} are not whole: there are {sorted(own)}.")
        pieces, schema = _footers(paths)
        if pieces is not None:
            tables[table] = {
                "rows": sum(piece.num_rows for piece in pieces),
                "sha256": _digest(pieces, schema),
            }
    return tables


def _footers(paths: Sequence[Path]) -> tuple[list[Piece] | None, list[Any]]:
    """Returns the pieces in the files of a table, None if it knows none, and its schema."""
    import pyarrow.parquet as pq  # takes long, and not every step writes tables

    pieces: list[Piece] = []
    for path in paths:
        footer = (pq.read_metadata(path).metadata or {}).get(FOOTER_KEY.encode())
        if footer is None:
            return None, []
        pieces += buckets.of_footer(footer)
    schema = pq.read_schema(paths[0])
    fields = [[field.name, str(field.type), field.nullable] for field in schema]
    notes = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    return pieces, [fields, notes]


def _digest(pieces: Sequence[Piece], schema: Sequence[Any]) -> str:
    # A piece without rows says something, too: that there is nothing to find.
    text = json.dumps([schema, [list(piece) for piece in pieces]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
