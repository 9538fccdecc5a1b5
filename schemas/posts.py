"""`posts`: what could be recommended at the end of a day."""

import pyarrow as pa

from schemas.columns import TIMESTAMP, Column, Table, id_column

POSTS = Table(
    "posts",
    "One row is one post that existed by the end of the day.",
    (
        id_column("post_id", "The post.", is_unique=True),
        id_column("author_id", "Who wrote it."),
        Column(
            name="created_at",
            type=TIMESTAMP,
            description="When it was written; the first impression where nobody says.",
            unit="ms since 1970",
        ),
        Column(name="eligible", type=pa.bool_(), description="Whether it may be recommended."),
        Column(
            name="duration_seconds",
            type=pa.float32(),
            description="Length of a video.",
            unit="s",
            minimum=0.0,
            is_nullable=True,
        ),
        Column(
            name="tag", type=pa.string(), description="Topic given by the source.", is_nullable=True
        ),
    ),
    (
        Column(
            name="title",
            type=pa.string(),
            description="Name for people, shown beside the id.",
            is_nullable=True,
        ),
    ),
)
