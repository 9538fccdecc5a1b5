"""`texts`: which text a number stands for, where a source has ids that are text."""

import pyarrow as pa

from schemas.columns import Column, Table, id_column

TEXT = "text"  # the column of the texts
ID_NAMES = ("user_id", "post_id", "author_id")  # of which there may be texts


def texts_table(id_name: str) -> Table:
    """Returns the table of the texts of one kind of id, sorted by id.

    >>> texts_table("user_id").names
    ['user_id', 'text']
    """
    return Table(
        f"{id_name.removesuffix('_id')}_texts",
        "One row is one id and the text for which it stands.",
        (
            id_column(id_name, "The first 63 bits of the BLAKE2b-64 of the text.", is_unique=True),
            Column(name=TEXT, type=pa.string(), description="The id as the source writes it."),
        ),
    )
