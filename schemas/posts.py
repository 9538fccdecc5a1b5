"""`posts`: what could be recommended at the end of a day, and what is said of it."""

from dataclasses import replace

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

DESCRIBED_POSTS = replace(
    POSTS,
    name="described_posts",
    description="One row is one post of the source's files of posts, with what they say of it.",
    columns=(
        POSTS["post_id"],
        replace(POSTS["author_id"], minimum=None, description="Who wrote it; 0: nobody says."),
        replace(POSTS["created_at"], description="When it was written; 0: nobody says."),
        *POSTS.columns[3:],
    ),
)

SHOWN_POSTS = Table(
    "shown_posts",
    "One row is one post that accepted rows show, by the end of a day.",
    (
        POSTS["post_id"],
        replace(POSTS["author_id"], description="Who wrote it, by the first impression."),
        Column(
            name="shown_at",
            type=TIMESTAMP,
            description="Its first impression.",
            unit="ms since 1970",
        ),
    ),
)
