"""Features of a day from the state of the day before: at size, and late in a log against Polars.

A day is read, cut and written as by the step, without the checksums of the store.
"""

import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measurement import Result, peak_gigabytes
from components.features import day_windows, shapes
from components.features.day_windows import DayFiles
from components.features.impression_facts import ImpressionFacts
from components.features.state import State
from components.features.windows_files import FeaturesWriter
from components.settings.steps import FeaturesConfig
from components.tables import bucket_files, data_files
from components.tables.data_files import IMPRESSIONS_FILE
from phoenix.data import days
from schemas.events import EVENTS
from schemas.posts import POSTS

_FIRST = datetime.date(2026, 1, 1)
_CONFIG = FeaturesConfig(history_length=128, num_candidates=32, history_days=30)
_SESSION = 5  # impressions within a quarter of an hour, at the start of one of the day's hours
_PER_DAY = 25  # impressions per user
_USERS, _SMALL_USERS, _NUM_POSTS = 200_000, 10_000, 1_000_000


def results() -> Iterator[Result]:
    """Measures one day of two sizes, and day 30 against Polars."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _sizes(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from _long_log(Path(folder))


def _sizes(root: Path) -> Iterator[Result]:
    # The day before brings every user to a full history.
    _write(root, 0, num_users=_USERS, per_user=_CONFIG.history_length)
    _measured(root, 0)
    million, found = _USERS * _PER_DAY / 1e6, {}
    for times in (1, 2):
        _write(root, 1, num_users=_USERS, per_user=times * _PER_DAY)
        found[times] = _measured(root, 1)
    (once, gigabytes), (twice, more_gigabytes) = found[1], found[2]
    note = (
        f"{million:.0f} M impressions of {_USERS:,} users, S {_CONFIG.history_length}: "
        f"{once:.1f} s and {gigabytes:.2f} GB; peer: half of the minute that ingesting, validating "
        "and building may take"
    )
    yield Result(name="features_day", ours=million / once, peer=million / 30, unit="M/s", note=note)
    note = (
        f"{2 * million:.0f} M impressions: {twice:.1f} s and {more_gigabytes:.2f} GB; peer: "
        f"{million:.0f} M; the goal is 2 / 2.2"
    )
    yield Result(
        name="features_day_twice_the_size",
        ours=2 * million / twice,
        peer=million / once,
        unit="M/s",
        note=note,
    )


def _long_log(folder: Path) -> Iterator[Result]:
    last = 29
    for number in range(last):
        _write(folder, number, num_users=_SMALL_USERS, per_user=_PER_DAY)
        build(folder, number)  # a day needs the state of the one before
    _write(folder, last, num_users=_SMALL_USERS, per_user=_PER_DAY)
    seconds = min(build(folder, last)["seconds"] for _ in range(3))
    yield _against_polars(folder, seconds)


def _write(root: Path, number: int, *, num_users: int, per_user: int) -> None:
    day = _FIRST + datetime.timedelta(days=number)
    write_events(root / f"events{number}.parquet", day, num_users=num_users, per_user=per_user)


def _against_polars(folder: Path, ours: float) -> Result:
    script = [sys.executable, "-m", "benchmarks.plain_features", str(folder), "29"]
    report = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    peer = json.loads(report)["seconds"]
    thousands = _SMALL_USERS * _PER_DAY / 1e3
    note = (
        f"day 30, {thousands:.0f} k impressions a day: {ours:.2f} s; peer: Polars over the whole "
        f"log, {peer:.2f} s; the goal is 3"
    )
    return Result(
        name="features_polars", ours=thousands / ours, peer=thousands / peer, unit="k/s", note=note
    )


def events(day: datetime.date, *, num_users: int, per_user: int) -> dict[str, np.ndarray]:
    """Returns a day of accepted events in sessions, in the order in which they arrive."""
    generator = np.random.default_rng((day - _FIRST).days)
    sessions = -(-per_user // _SESSION)
    hours = generator.permuted(np.tile(np.arange(24), (num_users, 2)), axis=1)[:, :sessions]
    starts = np.repeat(hours, _SESSION, axis=1)[:, :per_user] * 3_600_000
    within = generator.integers(0, 900_000, starts.shape)
    shown_at = (days.midnight_ms(day) + starts + within).reshape(-1)
    order = np.argsort(shown_at)
    posts = generator.zipf(1.3, len(order)) % _NUM_POSTS + 1
    return {
        "event_id": generator.permutation(len(order)) + 1,
        "user_id": np.repeat(np.arange(1, num_users + 1) * 7919, per_user)[order],
        "post_id": posts,
        "author_id": posts % 50_000 + 1,
        "shown_at": shown_at[order],
        "ingested_at": shown_at[order],
        "surface": generator.integers(0, 5, len(order)).astype(np.int32),
        "actions": (generator.random(len(order)) < 0.1).astype(np.uint64),
        "dwell_seconds": generator.exponential(10, len(order)).astype(np.float32),
    }


def write_events(path: Path, day: datetime.date, *, num_users: int, per_user: int) -> None:
    """Writes such a day as `validate_events` does."""
    path.parent.mkdir(exist_ok=True)
    columns = events(day, num_users=num_users, per_user=per_user)
    rows = data_files.arrow_table(EVENTS, columns).sort_by(
        [("user_id", "ascending"), ("shown_at", "ascending"), ("event_id", "ascending")]
    )
    bucket_files.write(path.parent, path.name, rows, num_buckets=1)


def write_posts(root: Path) -> Path:
    """Writes every post of the log as a day knows it, unless they are there; returns the path."""
    path, post_ids = root / data_files.POSTS_FILE, np.arange(1, _NUM_POSTS + 1)
    if not path.exists():
        columns = {
            "post_id": post_ids,
            "author_id": post_ids % 50_000 + 1,
            "created_at": np.full(len(post_ids), days.midnight_ms(_FIRST)) - post_ids,
            "eligible": np.ones(len(post_ids), bool),
            "duration_seconds": np.full(len(post_ids), np.nan, np.float32),
            "tag": np.full(len(post_ids), None, object),
        }
        data_files.write(path, data_files.arrow_table(POSTS, columns))
    return path


def _measured(root: Path, day: int) -> tuple[float, float]:
    script = [sys.executable, "-m", "benchmarks.features", str(root), str(day)]
    report = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    found = json.loads(report)
    return found["seconds"], found["gigabytes"]


def build(root: Path, day: int) -> dict[str, float]:
    """Builds one day in this process; returns its seconds and its peak memory in GB."""
    start = time.perf_counter()
    files = ([root / str(day - 1) / IMPRESSIONS_FILE],) if day else ()
    state = State((), files, not files, _FIRST + datetime.timedelta(days=day), _CONFIG)
    posts = ImpressionFacts({state.day: write_posts(root).parent})
    (root / str(day)).mkdir(exist_ok=True)
    with FeaturesWriter(root / str(day), shapes.shape_metadata(_CONFIG)) as writer:
        events = [root / f"events{day}.parquet"]
        for block in day_windows.day_blocks(state, DayFiles(events), _CONFIG, posts):
            writer.write(block)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "gigabytes": peak_gigabytes()}


if __name__ == "__main__":
    print(json.dumps(build(Path(sys.argv[1]), int(sys.argv[2]))))
