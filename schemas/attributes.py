"""Attributes: what each kind accepts of a source, and how its values are kept.

A value of an attribute is one number, or as many as a sequence has elements;
`phoenix.data.attributes` says what they mean. The numbers of all attributes of a side stand side by
side in one column, in the order of the declaration, whose digest is in the metadata of the file.
"""

from collections.abc import Mapping
from typing import Literal

import pyarrow as pa

from schemas.columns import TIMESTAMP, Column, Table, fixed_lists, id_column

Side = Literal["user", "post"]
SIDES: tuple[Side, ...] = ("user", "post")
VALUES = "attributes"  # the column of the numbers
DIGEST_KEY = "attributes_digest"  # in the metadata of a file: of the declaration
_TEXT = "text"
_WHOLE = "whole numbers"
_NUMBERS = "numbers"
_FLAGS = "true or false"
_LISTS = "lists of text or whole numbers"
_VECTORS = "lists of numbers"

# What the cells of an attribute may be, by its kind.
ACCEPTED: Mapping[str, tuple[str, ...]] = {
    "id": (_TEXT, _WHOLE, _FLAGS),
    "raw": (_NUMBERS, _WHOLE, _TEXT),
    "bucketized": (_NUMBERS, _WHOLE, _TEXT),
    "vocabulary": (_TEXT, _WHOLE, _FLAGS),
    "sequence": (_LISTS, _TEXT),
    "vector": (_VECTORS, _TEXT),
}


def is_accepted(kind: str, cells: pa.DataType) -> bool:
    """Whether cells of an Arrow type can be values of a kind; a column of nulls always can."""
    if kind == "vector" and is_list(cells):
        return _meaning(cells.value_type) in (_NUMBERS, _WHOLE)
    return pa.types.is_null(cells) or _meaning(cells) in ACCEPTED[kind]


def is_list(cells: pa.DataType) -> bool:
    """Whether cells of an Arrow type are lists, of any length or of one."""
    return pa.types.is_list(cells) or pa.types.is_large_list(cells) or _is_fixed_list(cells)


def file_name(side: Side) -> str:
    """Returns the name of the file of a side in the artifacts of the data steps.

    >>> file_name("user")
    'user_values.parquet'
    """
    return f"{side}_values.parquet"


def values_table(owner: str, width: int) -> Table:
    """Returns the table of what was known of users or posts, and since when.

    Args:
      owner: `user_id` or `post_id`.
      width: Numbers of all attributes of the side.
    """
    return Table(
        f"{owner.removesuffix('_id')}_values",
        "One row is what a source says of one user or post from a moment on.",
        (
            id_column(owner, "Of whom it is said."),
            Column(
                name="known_at",
                type=TIMESTAMP,
                description="Since when it is known; 1970 where the source does not say.",
                unit="ms since 1970",
            ),
            values_column(width),
        ),
    )


def values_column(width: int) -> Column:
    """Returns the column of the numbers of all attributes of a side."""
    description = "Codes and numbers in the order of the declaration; 0 or NaN is missing."
    return fixed_lists((VALUES,), pa.float32(), width, description)[0]


def _meaning(cells: pa.DataType) -> str | None:
    """Returns the meaning of the values of an Arrow type; None if no attribute can have them."""
    if pa.types.is_dictionary(cells):
        return _meaning(cells.value_type)
    if pa.types.is_string(cells) or pa.types.is_large_string(cells):
        return _TEXT
    if pa.types.is_integer(cells):
        return _WHOLE
    if pa.types.is_boolean(cells):
        return _FLAGS
    if pa.types.is_floating(cells) or pa.types.is_decimal(cells):
        return _NUMBERS
    if is_list(cells):
        return _LISTS if _meaning(cells.value_type) in (_TEXT, _WHOLE) else None
    return None


def _is_fixed_list(cells: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(cells)
