"""`events`: one row per impression, and the rows that could not become one.

What was served, and how much a row counts, are optional columns: they are in a file only where the
source says them, so that a log without them costs nothing more, and files from before they were
declared stay what they are.
"""

from dataclasses import replace

import pyarrow as pa

from schemas.columns import TIMESTAMP, Column, Table, id_column

_SERVED = (
    Column(
        name="position",
        type=pa.int32(),
        description="Rank at which it was shown, as the source counts, from 0 or from 1.",
        minimum=0,
        is_nullable=True,
    ),
    Column(
        name="feed",
        type=pa.string(),
        description="Id of the published feed, or of its release, that showed it.",
        is_nullable=True,
    ),
    Column(
        name="propensity",
        type=pa.float32(),
        description="Probability with which what served it chose this post for this place.",
        minimum=0.0,
        maximum=1.0,
        is_nullable=True,
    ),
    Column(
        name="request_id",
        type=pa.string(),
        description="What was served together has the same.",
        is_nullable=True,
    ),
    Column(
        name="weight",
        type=pa.float32(),
        description="How many impressions the row stands for: 1 / the rate at which rows like it "
        "were kept.",
        minimum=0.0,
        default=1.0,
    ),
    Column(
        name="source_event_id",
        type=pa.string(),
        description="The event's own id in the source, as text.",
        is_nullable=True,
    ),
)

EVENTS = Table(
    "events",
    "One row is one impression: a post was shown to a user, who did something with it or nothing.",
    (
        id_column("event_id", "Derived from user, post and time; stable.", is_unique=True),
        id_column("user_id", "Who was shown the post."),
        id_column("post_id", "What was shown."),
        id_column("author_id", "Who wrote the post."),
        Column(
            name="shown_at", type=TIMESTAMP, description="When it was shown.", unit="ms since 1970"
        ),
        Column(
            name="ingested_at",
            type=TIMESTAMP,
            description="When it became known; `shown_at` where the source does not say.",
            unit="ms since 1970",
        ),
        Column(
            name="surface",
            type=pa.int32(),
            description="Where it was shown: home, search, profile, ...",
            minimum=0,
        ),
        Column(
            name="actions",
            type=pa.uint64(),
            description="Bit a is set if the user did configured action a; 0 is a negative.",
            minimum=0,
        ),
        Column(
            name="dwell_seconds",
            type=pa.float32(),
            description="How long the user stayed; 0 where the source does not say.",
            unit="s",
            minimum=0.0,
        ),
    ),
    _SERVED,
)

LABELS = Table(
    "labels",
    "One row is a later state of an impression: all that had become known of it by an arrival.",
    tuple(
        EVENTS[name]
        for name in (
            "user_id", "post_id", "shown_at", "ingested_at", "actions", "dwell_seconds",
        )
    ),
)  # fmt: skip

_PLACE = (
    Column(
        name="file",
        type=pa.string(),
        description="Source file by its path below the folder that all files share.",
        is_nullable=True,
    ),
    Column(
        name="line",
        type=pa.int64(),
        description="Line of a text file, the header being 1; row of a Parquet file, from 1.",
        is_nullable=True,
    ),
)
_ENTRY = (
    Column(
        name="entry",
        type=pa.int32(),
        description="Place in the list of the line, from 1, where a line holds several posts.",
        is_nullable=True,
    ),
)
_REASON = (
    Column(name="rule", type=pa.string(), description="Name of the broken rule."),
    Column(name="detail", type=pa.string(), description="What was expected and what came."),
)

INGESTED = Table(
    "ingested",
    "Events as they came, not yet held against any rule, with their place in the source.",
    (*(replace(column, minimum=None, is_unique=False) for column in EVENTS.columns), *_PLACE),
    (*(replace(column, minimum=None, maximum=None) for column in _SERVED), *_ENTRY),
)

SOURCE_IDS = Table(
    "source_ids",
    "One row is an id that the source gave to an event that arrived on the day; sorted.",
    (
        Column(
            name="id",
            type=pa.int64(),
            description="The first 63 bits of a hash of the text.",
            is_unique=True,
        ),
    ),
)

REJECTED = Table(
    "rejected",
    "Rows of a source that could not be read as an event or a post.",
    (
        Column(name="table", type=pa.string(), description="events or posts."),
        *_PLACE,
        *_REASON,
        Column(name="raw", type=pa.string(), description="The row as it came."),
    ),
    _ENTRY,
)

QUARANTINED = Table(
    "quarantined",
    "Rows that broke a rule, with all that is known of them, to be replayed after a fix.",
    (
        *_REASON,
        *_PLACE,
        Column(name="raw", type=pa.string(), description="The row as it came.", is_nullable=True),
        *(replace(column, minimum=None, is_nullable=True) for column in EVENTS.columns),
    ),
    (
        *(
            replace(column, minimum=None, maximum=None, is_nullable=True, default=None)
            for column in _SERVED
        ),
        *_ENTRY,
    ),
)
