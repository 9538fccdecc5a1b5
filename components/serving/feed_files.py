"""Feeds as Parquet: one row per place, with the reasons for it."""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.tables import bucket_files
from components.tables.bucket_files import BucketWriter
from components.tables.id_texts import IdTexts
from schemas.feeds import TEXT_COLUMNS, feeds_table

FEEDS_FILE = "feeds.parquet"
UNRANKED_FILE = "unranked.parquet"  # of a shard: feeds of users who are not ranked anew
DEFAULT_FILE = "default.parquet"  # the feed of everybody without one of their own
NOBODY = 0  # in the default feed: no user has this id
FRESH, KEPT = "fresh", "kept"  # kinds of feeds; the third is popular, as its source
POPULAR, RETRIEVAL = "popular", "retrieval"
POPULAR_FALLBACK = "popular_fallback"  # the user could not be scored
RETRIEVER_MIXTURE = "retriever_mixture"  # found by model and most popular together
RANKER_MIXTURE = "ranker_mixture"  # the probabilities are of model and most popular together
AUTHOR_DIVERSITY = "author_diversity"  # the author stands above already
BROKEN_PREDICTION = "broken_prediction"  # a probability was no number and counted as 0
# Small groups: a reader who wants one user's feed reads one of them.
_ROWS_PER_GROUP = 20_000


class Origin(NamedTuple):
    """The day on which feeds were made, and of which kind they are."""

    made_on: datetime.date
    kind: str = FRESH


class Feeds(NamedTuple):
    """Feeds with the reasons for each place; what is beyond the end of a feed has post id 0."""

    user_ids: np.ndarray  # [N] int64
    post_ids: np.ndarray  # [N, L] int64
    author_ids: np.ndarray  # [N, L] int64
    scores: np.ndarray  # [N, L] float32
    base_scores: np.ndarray  # [N, L] float32
    multipliers: np.ndarray  # [N, L] float32
    probabilities: np.ndarray  # [N, L, A] float32, NaN where the head was broken
    retrieval_scores: np.ndarray  # [N, L] float32, NaN where there is none
    is_unscored: np.ndarray  # [N] bool
    sources: np.ndarray  # [N, L] int64 places among the names of sources


def schema(actions: Sequence[str], release: str) -> pa.Schema:
    """The schema of a file of feeds of the day of `release`, a digest."""
    return feeds_table(len(actions)).schema(release=release, actions=",".join(actions))


def to_table(
    feeds: Feeds,
    origin: Origin,
    *,
    schema: pa.Schema,
    source_names: Sequence[str] = (RETRIEVAL, POPULAR),
    mixtures: Sequence[str] = (),
) -> pa.Table:
    """Returns feeds as rows, sorted by user and rank if the users are sorted.

    Args:
      feeds: With N users.
      origin: Of all of them; the release is that of the schema.
      schema: From `schema`.
      source_names: Of the sources.
      mixtures: RETRIEVER_MIXTURE and RANKER_MIXTURE, as far as a model is one.
    """
    user, place = np.nonzero(feeds.post_ids)
    probabilities = feeds.probabilities[user, place]
    is_broken = ~np.isfinite(probabilities)
    scores = feeds.retrieval_scores[user, place]
    is_unscored = feeds.is_unscored[user]
    is_retrieved = np.array(source_names)[feeds.sources[user, place]] == RETRIEVAL
    columns: Mapping[str, Any] = {
        "user_id": feeds.user_ids[user],
        "rank": (place + 1).astype(np.int32),
        "post_id": feeds.post_ids[user, place],
        "author_id": feeds.author_ids[user, place],
        "score": feeds.scores[user, place],
        "base_score": feeds.base_scores[user, place],
        "diversity_multiplier": feeds.multipliers[user, place],
        "probabilities": pa.FixedSizeListArray.from_arrays(
            pa.array(np.where(is_broken, 0, probabilities).astype(np.float32).reshape(-1)),
            type=schema.field("probabilities").type,
        ),
        "source": pa.array(source_names).take(pa.array(feeds.sources[user, place])),
        "retrieval_score": pa.array(scores, mask=np.isnan(scores)),
        "rules": _rules(
            {
                POPULAR_FALLBACK: is_unscored,
                RETRIEVER_MIXTURE: is_retrieved & (RETRIEVER_MIXTURE in mixtures),
                RANKER_MIXTURE: ~is_unscored & (RANKER_MIXTURE in mixtures),
                AUTHOR_DIVERSITY: np.less(feeds.multipliers[user, place], 1),
                BROKEN_PREDICTION: np.any(is_broken, axis=1),
            }
        ),
        **_origin_columns(origin, schema.metadata[b"release"].decode(), len(user)),
    }
    return pa.Table.from_arrays([pa.array(columns[name]) for name in schema.names], schema=schema)


def with_texts(table: pa.Table, texts: Mapping[str, IdTexts]) -> pa.Table:
    """Returns feeds with ids as the source writes them, and titles, in columns of their own.

    There each text is kept once, until a `writer` puts the whole of them into the file.

    Args:
      table: Feeds with a schema from `schema`.
      texts: By the id that they are texts of; `title` for the titles of posts.
    """
    columns = {
        TEXT_COLUMNS[name]: part.column_of(table[name].to_numpy())
        for name, part in texts.items()
        if name in TEXT_COLUMNS
    }
    if "title" in texts:
        posts = table["post_id"].to_numpy()
        columns["title"] = texts["title"].column_of(posts, has_digits=False)
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    whose = {name: metadata[name] for name in ("release", "actions")}
    num_actions = table.schema.field("probabilities").type.list_size
    schema = feeds_table(num_actions).with_optional(columns).schema(**whose)
    for place, name in enumerate(schema.names):
        if name in columns:
            field = schema.field(place).with_type(columns[name].type)
            schema = schema.set(place, field)
    return pa.Table.from_arrays(
        [columns[name] if name in columns else table[name] for name in schema.names], schema=schema
    )


def with_origin(rows: pa.Table, day: str) -> pa.Table:
    """Returns rows that say when and how each feed was made; before format 4 all were fresh.

    Args:
      rows: Of a file of published feeds, with its metadata.
      day: Of the publication, YYYY-MM-DD.
    """
    if "kind" in rows.column_names:
        return rows
    metadata, origin = rows.schema.metadata, Origin(datetime.date.fromisoformat(day))
    columns = _origin_columns(origin, metadata[b"release"].decode(), len(rows))
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    return rows.replace_schema_metadata(metadata)


def _origin_columns(origin: Origin, release: str, count: int) -> dict[str, pa.Array]:
    return {
        "kind": pa.repeat(origin.kind, count),
        "made_on": pa.repeat(origin.made_on, count),
        "release": pa.repeat(release, count),
    }


def read(paths: Sequence[Path]) -> pa.Table:
    """Reads feeds from all files of their table; each text is kept once, as `with_texts` does."""
    names = pq.read_schema(paths[0]).names
    texts = [name for name in (*TEXT_COLUMNS.values(), "title") if name in names]
    # A part of a file has texts of its own, which would be other codes in each.
    tables = [pq.read_table(path, read_dictionary=texts) for path in paths]
    return pa.concat_tables(tables).unify_dictionaries()


def write_default(folder: Path, feed: pa.Table) -> None:
    """Writes the default feed: rows of `NOBODY`."""
    pq.write_table(feed.cast(bucket_files.plain_schema(feed.schema)), folder / DEFAULT_FILE)


def writer(
    folder: Path, schema: pa.Schema, *, num_buckets: int, table: str = FEEDS_FILE
) -> BucketWriter:
    """Opens the files of feeds, for rows of a user together and in order of rank.

    Args:
      folder: Must exist; the files in it must not.
      schema: Of the rows; texts may be codes of a dictionary in them, and are plain in the files:
        else each group would be written with the texts of all.
      num_buckets: Files.
      table: Which of the tables of feeds.
    """
    plain = bucket_files.plain_schema(schema)
    return BucketWriter(folder, table, plain, num_buckets=num_buckets, most=_ROWS_PER_GROUP)


def _rules(is_applied: Mapping[str, np.ndarray]) -> pa.Array:
    """`[R]` lists of the names of the rules that applied to each row.

    Args:
      is_applied: `[R]` bool by the name of the rule.
    """
    flags = np.stack(list(is_applied.values()), axis=1)  # [R, number of rules]
    offsets = np.concatenate([[0], np.cumsum(flags.sum(axis=1))]).astype(np.int32)
    names = pa.array(list(is_applied)).take(pa.array(np.nonzero(flags)[1]))
    return pa.ListArray.from_arrays(pa.array(offsets), names)
