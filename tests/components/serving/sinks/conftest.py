"""Feeds for the sinks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.serving import feed_files
from components.store.artifacts import Artifact
from components.tables.id_texts import IdTexts


@pytest.fixture
def titled_feeds(three_days, tmp_path: Path) -> Artifact:
    """Feeds whose ids are text, with titles of all posts but one."""
    feeds = three_days.artifact("publish_feeds", "2026-01-03")
    table = feed_files.read([feeds.path("feeds.parquet")])
    texts = {
        name: IdTexts.of(name, ids, pa.array([f"{name[0]}-{n}" for n in ids]))
        for name in ("user_id", "post_id", "author_id")
        for ids in [np.unique(table[name].to_numpy())]
    }
    posts = texts["post_id"].ids[1:]
    texts["title"] = IdTexts.of("post_id", posts, pa.array([f'Post {n}, "red"' for n in posts]))
    folder = tmp_path / "titled"
    folder.mkdir()
    table = feed_files.with_texts(table, texts)
    with feed_files.writer(folder, table.schema, num_buckets=1) as writer:
        writer.write_rows(table)
    default = feed_files.with_texts(pq.read_table(feeds.path("default.parquet")), texts)
    feed_files.write_default(folder, default)
    return replace(feeds, folder=folder)
