"""`feeds`: what every user gets, in order, with the reasons."""

from collections.abc import Mapping

import pyarrow as pa

from schemas.columns import Column, Table, id_column

TEXT_COLUMNS: Mapping[str, str] = {"user_id": "user", "post_id": "post", "author_id": "author"}
_TEXT = pa.string()


_TEXTS = (
    *(
        Column(name=text, type=_TEXT, description=f"`{name}` as the source writes it.")
        for name, text in TEXT_COLUMNS.items()
    ),
    Column(name="title", type=_TEXT, description="Title of the post.", is_nullable=True),
)


def feeds_table(num_actions: int) -> Table:
    """Returns the table of feeds for a model of `num_actions` actions.

    The file's metadata carry `release`, the digest of the release of the day, and `actions`, the
    names in the order of `probabilities`: `feeds_table(A).schema(release=..., actions="a,b")`. The
    optional columns are there where ids are text, and where posts have titles.
    """
    return Table(
        "feeds",
        "One row is one post in the feed of one user; sorted by user and rank.",
        (
            id_column("user_id", "Whose feed it is."),
            Column(
                name="rank", type=pa.int32(), description="Place in the feed, from 1.", minimum=1
            ),
            id_column("post_id", "The post."),
            id_column("author_id", "Who wrote it."),
            Column(
                name="score",
                type=pa.float32(),
                description="`base_score` after author diversity; the feed is sorted by it.",
            ),
            Column(
                name="base_score",
                type=pa.float32(),
                description="Weighted sum of the probabilities, before author diversity.",
            ),
            Column(
                name="diversity_multiplier",
                type=pa.float32(),
                description="By what author diversity multiplied the score.",
                minimum=0.0,
                maximum=1.0,
            ),
            Column(
                name="probabilities",
                type=pa.list_(pa.float32(), num_actions),
                description="Predicted probability of each action; 0 where nothing was predicted.",
                minimum=0.0,
                maximum=1.0,
            ),
            Column(
                name="source",
                type=pa.string(),
                description="Where the post came from: retrieval, popular (also as a fallback), or "
                "another of `materialize_feeds.sources`.",
            ),
            Column(
                name="retrieval_score",
                type=pa.float32(),
                description="Inner product of retrieval; null where retrieval did not find it.",
                is_nullable=True,
            ),
            Column(
                name="rules",
                type=pa.list_(pa.string()),
                description="Names of the rules that shaped this place, in order.",
            ),
            Column(
                name="kind",
                type=pa.string(),
                description="Of the whole feed: fresh, ranked on this day; kept from an earlier "
                "one, less what may not be shown any more; or popular, for want of both.",
            ),
            Column(name="made_on", type=pa.date32(), description="UTC day of the ranking."),
            Column(
                name="release",
                type=pa.string(),
                description="Digest of the release that ranked it.",
            ),
        ),
        _TEXTS,
    )
