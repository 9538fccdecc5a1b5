"""Tables of rows of users in files by a hash of the user: names and footers of the files.

Users lie in `NUM_SLOTS` slots, whatever the number of files: a file, or bucket, holds some slots
that follow each other. So the rows of a table have one order, in any number of files.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

NUM_SLOTS = 64  # also the most files that a table may lie in
FOOTER_KEY = "user_slots"  # of the entry in the metadata of a file that lists its pieces

_BUCKET = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\.[a-z]+)")


class Piece(NamedTuple):
    """Rows that follow each other in a table, all of users of one slot."""

    slot: int
    num_rows: int
    digest: str  # of the rows, whatever the file does to keep them


def file_names(table: str, count: int) -> list[str]:
    """Returns the names of the files of a table, in their order.

    Args:
      table: The name of its only file, where it has one.
      count: The number of files.

    >>> file_names("events.parquet", 1)
    ['events.parquet']
    >>> file_names("events.parquet", 2)
    ['events-00000-of-00002.parquet', 'events-00001-of-00002.parquet']
    """
    if count == 1:
        return [table]
    stem, suffix = table.rsplit(".", 1)
    return [f"{stem}-{number:05d}-of-{count:05d}.{suffix}" for number in range(count)]


def table_of(file: str) -> str:
    """Returns the name of the table that a file belongs to.

    >>> table_of("events-00001-of-00002.parquet"), table_of("posts.parquet")
    ('events.parquet', 'posts.parquet')
    """
    match = _BUCKET.fullmatch(file)
    return match[1] + match[4] if match else file


def names_of_table(table: str, files: Iterable[str]) -> list[str]:
    """Returns those of some files that hold a table, in their order; none unless all are there.

    >>> names_of_table("a.parquet", ["a-00001-of-00002.parquet", "a-00000-of-00002.parquet"])
    ['a-00000-of-00002.parquet', 'a-00001-of-00002.parquet']
    >>> names_of_table("a.parquet", ["a-00001-of-00002.parquet"])
    []
    """
    names = sorted(name for name in files if table_of(name) == table)
    return names if names and names == file_names(table, len(names)) else []


def to_footer(pieces: Sequence[Piece]) -> str:
    """Returns the entry that lists the pieces of a file."""
    return json.dumps([list(piece) for piece in pieces], separators=(",", ":"))


def of_footer(text: str | bytes) -> list[Piece]:
    """Returns the pieces that the entry of a file lists; see `to_footer`."""
    return [Piece(*each) for each in json.loads(text)]
