"""The posts of a day, and which of them may be recommended at its end."""

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.release import eligible_posts


def test_old_posts_leave_the_collection_by_the_configured_age(three_days, tmp_path: Path) -> None:
    config = three_days.config
    limit = config.export_corpus.model_copy(update={"max_age_days": 1})
    config = config.model_copy(update={"export_corpus": limit})
    midnight = datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC)
    created = [midnight, midnight - datetime.timedelta(milliseconds=1), midnight]
    pq.write_table(
        pa.table(
            {
                "post_id": [30, 20, 10],
                "author_id": [3, 2, 1],
                "created_at": pa.array(created, pa.timestamp("ms", tz="UTC")),
                "eligible": [True, True, False],
            }
        ),
        tmp_path / "posts.parquet",
    )
    collection = eligible_posts.collection_of(
        tmp_path / "posts.parquet", config, datetime.date(2026, 1, 3)
    )
    assert collection.post_ids.tolist() == [10, 20, 30]
    assert collection.author_ids.tolist() == [1, 2, 3]
    assert collection.is_eligible.tolist() == [False, False, True]
