"""Checking a day of 10 M rows: expectations, statistics and drift, on pandas."""

import datetime
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from benchmarks.measurement import Result
from components.quality import day_checks
from components.settings.config import Config
from components.tables import data_files
from schemas.events import EVENTS, LABELS

_NUM_ROWS, _LIMIT_SECONDS = 10_000_000, 12.0
_DAY = datetime.date(2026, 1, 2)
_START = 1_767_312_000_000
_CONFIG = Config.model_validate(
    {
        "store": "unused",
        "first_day": "2026-01-01",
        "actions": [{"name": name, "is_positive": True} for name in ("favorite", "reply", "click")],
        "ingest_events": {"source": {"layout": "synthetic"}},
    }
)


def results() -> Iterator[Result]:
    """Measures rows per second; what is imported late is imported by a small day before."""
    _check(_rows(1_000), None)
    rows = _rows(_NUM_ROWS)
    known = pa.table({"post_id": np.arange(1, 80_001), "author_id": np.arange(1, 80_001) % 999 + 1})
    start = time.perf_counter()
    _check(rows, known)
    seconds = time.perf_counter() - start
    note = f"limit: {_NUM_ROWS:,} rows in {_LIMIT_SECONDS:g} s; 200,000 users, 100,000 posts"
    yield Result(
        name="validation",
        ours=_NUM_ROWS / seconds / 1e6,
        peer=_NUM_ROWS / _LIMIT_SECONDS / 1e6,
        unit="M rows/s",
        note=note,
    )


def _check(rows: pa.Table, known: pa.Table | None) -> None:
    labels = LABELS.schema().empty_table()
    checks = day_checks.check_rows(rows, labels, _CONFIG, _DAY)
    day_checks.check(checks, known, [], _CONFIG, _DAY)


def _rows(number: int) -> pa.Table:
    generator = np.random.default_rng(0)
    shown_at = np.sort(generator.integers(_START, _START + 86_400_000, number))
    posts = generator.integers(1, 100_001, number)
    columns = {
        "event_id": np.arange(1, number + 1),
        "user_id": generator.integers(1, 200_001, number),
        "post_id": posts,
        "author_id": posts % 999 + 1,
        "shown_at": shown_at,
        "ingested_at": shown_at + 4_000,
        "surface": generator.integers(0, 3, number).astype(np.int32),
        "actions": generator.integers(0, 8, number).astype(np.uint64),
        "dwell_seconds": generator.exponential(5, number).astype(np.float32),
    }
    return data_files.arrow_table(EVENTS, columns)
