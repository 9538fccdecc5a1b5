"""The windows of one day as one would write them down in Polars: the whole log, sorted and grouped.

Two things are left out in Polars' favour: arrivals, which are immediate in this log, and the rule
of the longest window, which its sessions never reach.
"""

import json
import sys
import time
from pathlib import Path

import polars as pl

_KEPT = ["post_id", "author_id", "shown_at", "surface", "actions", "dwell_seconds"]
_HISTORY_LENGTH = 128


def windows(folder: Path, day: int) -> pl.DataFrame:
    """Returns one row per user and hour of the day, with history and candidates as lists."""
    log = pl.concat([pl.scan_parquet(folder / f"events{n}.parquet") for n in range(day + 1)])
    ordered = log.sort("user_id", "shown_at", "event_id").with_columns(
        place=pl.int_range(pl.len()).over("user_id"), hour=pl.col("shown_at").dt.truncate("1h")
    )
    users = ordered.group_by("user_id").agg(*_KEPT)
    start = pl.scan_parquet(folder / f"events{day}.parquet").select(pl.col("shown_at").min())
    today = ordered.filter(pl.col("hour") >= start.collect().item().replace(minute=0, second=0))
    cut = today.group_by("user_id", "hour").agg(
        pl.col("shown_at").first().alias("starts_at"),
        pl.col("place").first(),
        *(pl.col(name).alias(f"candidate_{name}") for name in _KEPT),
    )
    begin = pl.max_horizontal(pl.col("place") - _HISTORY_LENGTH, 0)
    histories = [
        pl.col(name).list.slice(begin, pl.col("place") - begin).alias(f"history_{name}")
        for name in _KEPT
    ]
    found = cut.join(users, on="user_id").select(
        "user_id", "starts_at", *histories, *(f"candidate_{name}" for name in _KEPT)
    )
    return found.collect()


if __name__ == "__main__":
    begun = time.perf_counter()
    made = windows(Path(sys.argv[1]), int(sys.argv[2]))
    made.write_parquet(Path(sys.argv[1]) / "plain.parquet", compression="lz4")
    print(json.dumps({"seconds": time.perf_counter() - begun, "windows": len(made)}))
