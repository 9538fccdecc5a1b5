"""Posts that may be recommended at the moment for which feeds are made."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.settings.config import Config
from phoenix.recommend.baselines import Collection


def feed_moment(day: datetime.date) -> datetime.datetime:
    """The moment for which the feeds of `day` are made: its end, when all of it is known."""
    return datetime.datetime.combine(
        day + datetime.timedelta(days=1), datetime.time(), datetime.UTC
    )


def collection_of(posts: Path, config: Config, day: datetime.date) -> Collection:
    """Returns the posts of a day, sorted by id, and which may be recommended at its end.

    Args:
      posts: The snapshot that validate_events keeps.
      config: `export_corpus.max_age_days` makes older posts ineligible.
      day: The day.
    """
    table = pq.read_table(posts, columns=["post_id", "author_id", "created_at", "eligible"])
    post_ids = table["post_id"].to_numpy()
    is_eligible = np.asarray(table["eligible"].to_numpy(), bool)
    if config.export_corpus.max_age_days is not None:
        oldest = feed_moment(day) - datetime.timedelta(days=config.export_corpus.max_age_days)
        created_at = table["created_at"].cast(pa.int64()).to_numpy()
        is_eligible = is_eligible & (created_at >= oldest.timestamp() * 1000)
    order = np.argsort(post_ids, kind="stable")
    return Collection(post_ids[order], table["author_id"].to_numpy()[order], is_eligible[order])
