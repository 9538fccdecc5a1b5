"""Reading a day of five million events into the canonical schema, and a day out of many."""

import datetime
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from benchmarks.measurement import Result
from components.source.layouts import ActionRule, Layout
from components.source.source import Source

_NUM_ROWS, _NUM_USERS, _NUM_POSTS = 5_000_000, 200_000, 100_000
_NUM_DAYS, _ROWS_PER_DAY = 100, 50_000
_LIMIT_SECONDS = 20.0
_DAY = datetime.date(2026, 1, 2)
_START, _DAY_MS = 1_767_312_000_000, 86_400_000
_FLAGS = ("like", "click", "share", "hide")
_COLUMNS = {
    "user_id": "user",
    "post_id": "post",
    "author_id": "author",
    "shown_at": "time",
    "surface": "tab",
    "dwell_seconds": "seconds",
}


def results() -> Iterator[Result]:
    """Measures a day of each kind of file, and the last day of a long log against an early one."""
    for kind in ("csv", "parquet"):
        with tempfile.TemporaryDirectory() as name:
            _write(Path(name) / f"2026-01-02.{kind}", _log(_NUM_ROWS, num_days=1))
            layout = _layout(Path(name), f"{name}/{{day}}.{kind}")
            seconds = _seconds(Source(layout, first_day=_DAY, work=Path(name) / "work"), _DAY)
        note = f"{_NUM_ROWS:,} rows of {kind}, parsed; peer: all of it in {_LIMIT_SECONDS:g} s"
        yield Result(
            name=f"ingest_{kind}",
            ours=_NUM_ROWS / seconds / 1e6,
            peer=_NUM_ROWS / _LIMIT_SECONDS / 1e6,
            unit="M rows/s",
            note=note,
        )
    yield _late_day()


def _late_day() -> Result:
    with tempfile.TemporaryDirectory() as name:
        _write(Path(name) / "log.csv", _log(_NUM_DAYS * _ROWS_PER_DAY, num_days=_NUM_DAYS))
        layout = _layout(Path(name), None)
        sorting = Source(layout, first_day=_DAY, work=Path(name) / "work")
        sorting.event_inputs(_DAY)  # sorts the file
        best = {5: float("inf"), _NUM_DAYS: float("inf")}
        for _ in range(5):
            for number in best:
                source = Source(layout, first_day=_DAY, work=Path(name) / "work")
                day = _DAY + datetime.timedelta(days=number - 1)
                best[number] = min(best[number], _seconds(source, day))
    return Result(
        name="ingest_late_day",
        ours=1 / best[_NUM_DAYS],
        peer=1 / best[5],
        unit="days/s",
        note=f"day {_NUM_DAYS} of one CSV file of {_NUM_DAYS} days; peer: its day 5",
    )


def _seconds(source: Source, day: datetime.date) -> float:
    start = time.perf_counter()
    source.event_inputs(day)
    source.post_inputs()
    source.read_day(day, lambda *_: None)
    return time.perf_counter() - start


def _layout(folder: Path, pattern: str | None) -> Layout:
    return Layout(
        event_files=sorted(path for path in folder.iterdir() if path.is_file()),
        day_pattern=pattern,
        event_columns=_COLUMNS,
        actions=[ActionRule(column=name) for name in _FLAGS],
        time_unit="ms",
    )


def _log(count: int, *, num_days: int) -> pa.Table:
    chance = np.random.default_rng(0)
    times = np.sort(chance.integers(0, num_days * _DAY_MS, count)) + _START
    posts = chance.integers(1, _NUM_POSTS, count)
    columns = {
        "user": chance.integers(1, _NUM_USERS, count),
        "post": posts,
        "author": posts % 5_000 + 1,
        "time": times,
        "tab": chance.integers(0, 5, count),
        "seconds": np.round(chance.exponential(9, count), 3),
    }
    return pa.table(columns | {name: chance.integers(0, 2, count) for name in _FLAGS})


def _write(path: Path, table: pa.Table) -> None:
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
