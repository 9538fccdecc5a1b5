"""`build_features`: what was shown and what followed, by key, as of the end of a day.

Two files, because whoever is forgotten must be found by a column of user ids: one of users, and one
of all other kinds of keys. Both are sorted by kind and key. `components.features.day_counts` writes
and reads them; `phoenix.data.engagement.counts` says what is counted.
"""

import pyarrow as pa

from schemas.columns import Column, Table, fixed_lists, id_column

COUNTED = ("shown", "followed", "recent_shown", "recent_followed")
_DESCRIPTIONS = (
    "Impressions of which it is known whether the action followed, by action.",
    "Impressions that the action followed, by action.",
    "The same as `shown`, where older days count less.",
    "The same as `followed`, where older days count less.",
)


def counts_table(num_actions: int) -> Table:
    """Returns the table of the counts of all kinds of keys but users."""
    kind = Column(name="kind", type=pa.string(), description="Kind of the key, as post or author.")
    key = Column(
        name="key",
        type=pa.int64(),
        description="Id, surface plus 1, hash of a post and a surface, or 0 for all others.",
    )
    description = "One row is what was shown with one key, and what followed."
    return Table("counts", description, (kind, key, *_counted(num_actions)))


def user_counts_table(num_actions: int) -> Table:
    """Returns the table of the counts of users."""
    user = id_column("user_id", "To whom it was shown; 0 for all others.")
    description = "One row is what was shown to one user, and what followed."
    return Table("user_counts", description, (user, *_counted(num_actions)))


def _counted(num_actions: int) -> tuple[Column, ...]:
    return tuple(
        fixed_lists((name,), pa.float32(), num_actions, description)[0]
        for name, description in zip(COUNTED, _DESCRIPTIONS, strict=True)
    )
