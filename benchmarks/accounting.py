"""Rules and account of a day of five million events, from the files of one step to the next."""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measurement import Result
from components.contract import parse_day
from components.rows import settlement
from components.rows.day_parts.day_arrivals import Arrivals
from components.settings.config import Config
from components.tables import data_files
from components.tables.event_ids import event_ids
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.events import INGESTED, REJECTED

_NUM_ROWS, _NUM_USERS, _NUM_POSTS = 5_000_000, 200_000, 500_000
_LIMIT_SECONDS, _LIMIT_BYTES = 10.0, 3 * 2**30
_DAY = parse_day("2026-01-02")
_CONFIG = Config.model_validate(
    {
        "store": "store",
        "first_day": "2026-01-01",
        "ingest_events": {"source": {"layout": "synthetic"}},
        "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
    }
)


def results() -> Iterator[Result]:
    """Measures reading, judging, merging, counting by file and writing, once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / data_files.EVENTS_FILE
        data_files.write(path, data_files.arrow_table(INGESTED, _columns()))
        started = time.perf_counter()
        arrivals = Arrivals(
            events=data_files.read(path, INGESTED),
            rejected=REJECTED.schema().empty_table(),
            late=INGESTED.schema().empty_table(),
        )
        settled = settlement.settle(arrivals, _CONFIG, _DAY)
        data_files.write(Path(folder) / data_files.ACCEPTED_FILE, settled.accepted)
        data_files.write(Path(folder) / data_files.QUARANTINED_FILE, settled.quarantined)
        seconds = time.perf_counter() - started
    scale = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    fates = ", ".join(f"{number:,} {name}" for name, number in settled.account.items())
    yield Result(
        name="account_of_rows",
        ours=_NUM_ROWS / seconds,
        peer=_NUM_ROWS / _LIMIT_SECONDS,
        unit="rows/s",
        note=f"limit: {_LIMIT_SECONDS:g} s; {fates}; Parquet in and out included",
    )
    yield Result(
        name="account_of_rows_memory",
        ours=_LIMIT_BYTES / peak,
        peer=1.0,
        unit="of the limit's inverse",
        note=f"limit: 3 GiB; the peak of the process is {peak / 2**30:.2f} GiB",
    )


def _columns() -> dict[str, np.ndarray]:
    """Rows in the order of time from eight files; 1 % break a rule and 1 % are there twice."""
    generator = np.random.default_rng(0)
    start = midnight_ms(_DAY)
    columns = {
        "user_id": generator.integers(1, _NUM_USERS + 1, _NUM_ROWS),
        "post_id": generator.integers(1, _NUM_POSTS + 1, _NUM_ROWS),
        "author_id": generator.integers(1, 50_000, _NUM_ROWS),
        "shown_at": start + np.sort(generator.integers(0, DAY_MS, _NUM_ROWS)),
        "surface": generator.integers(0, 4, _NUM_ROWS).astype(np.int32),
        "actions": generator.integers(0, 4, _NUM_ROWS).astype(np.uint64),
        "dwell_seconds": generator.exponential(10, _NUM_ROWS).astype(np.float32),
        "line": np.arange(2, _NUM_ROWS + 2),
    }
    bad, again = (generator.choice(_NUM_ROWS - 1, _NUM_ROWS // 100, replace=False) for _ in "12")
    columns["user_id"][bad] = 0
    for values in columns.values():
        values[again + 1] = values[again]
    columns["ingested_at"] = columns["shown_at"] + 1_000
    names = np.array([f"part-{number}.parquet" for number in range(8)], object)
    columns["file"] = names[np.arange(_NUM_ROWS) * 8 // _NUM_ROWS]
    ids = event_ids(columns["user_id"], columns["post_id"], columns["shown_at"])
    return columns | {"event_id": ids}
