"""`features`: the windows of a day, and the log of impressions to which they refer.

A window of S impressions of history and C candidates is a few rows of a log: two windows of a user
share most of them. So the log is kept once, with a mark at the candidates of each window, and a
window says whose it is, when it starts and what was known by then;
`components.features.windows_files` turns both into the fixed shapes that the models read. The log
of a day is also the state from which the next day starts: it holds every impression that may still
enter a history.

Both tables are in order of slots (`schemas.buckets`), and in a slot of user and time. Their pieces
go together: the windows of piece p refer to impressions of piece p, and no user is in two of them.
"""

import pyarrow as pa

from schemas.columns import TIMESTAMP, Column, Table, id_column
from schemas.events import EVENTS

WINDOWS = Table(
    "windows",
    "One row is one window: impressions of one user that follow one another.",
    (
        id_column("window_id", "`event_id` of the first impression.", is_unique=True),
        id_column("user_id", "Whose window it is."),
        Column(
            name="starts_at",
            type=TIMESTAMP,
            description="When the first impression was shown.",
            unit="ms since 1970",
        ),
        Column(
            name="known_until",
            type=TIMESTAMP,
            description="What was shown from then on, or arrived later, is not in the history.",
            unit="ms since 1970",
        ),
    ),
)

IMPRESSIONS = Table(
    "impressions",
    "The impressions of the day, and those of earlier days that may enter a history.",
    (
        *(column for column in EVENTS.columns if column.name != "event_id"),
        Column(
            name="created_at",
            type=TIMESTAMP,
            description="When the post was written, as known on the day; 1970 where nobody says.",
            unit="ms since 1970",
        ),
        Column(
            name="window",
            type=pa.int32(),
            description="Row, in its piece, of the window with this candidate; -1 for history.",
            minimum=-1,
        ),
    ),
    tuple(column for column in EVENTS.optional if column.name == "weight"),
)
