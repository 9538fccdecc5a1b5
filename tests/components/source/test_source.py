import datetime
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from components.source import raw_files
from components.source.described_posts import Columns
from components.source.layouts import ActionRule, Layout
from components.source.source import DayReading, Source
from phoenix.data.days import DAY_MS, midnight_ms

DAY = datetime.date(2026, 1, 2)
START = midnight_ms(DAY)


def layout_of(*files: Path) -> Layout:
    return Layout(
        event_files=files,
        event_columns={"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"},
        actions=[ActionRule(column="like")],
        time_unit="ms",
    )


@dataclass(frozen=True, kw_only=True)
class Day(DayReading):
    """What was read of a day, with its rows."""

    events: Columns
    late: Columns


def read_day(layout: Layout, day: datetime.date, *, first_day: datetime.date = DAY) -> Day:
    return rows_of(
        Source(layout, first_day=first_day, work=layout.event_files[0].parent / "work"), day
    )


def rows_of(source: Source, day: datetime.date) -> Day:
    pieces: list[tuple[Columns, Columns]] = []
    reading = source.read_day(day, lambda events, late: pieces.append((events, late)))
    events, late = (joined([piece[number] for piece in pieces]) for number in (0, 1))
    return Day(**vars(reading), events=events, late=late)


def joined(parts: list[Columns]) -> Columns:
    parts = [part for part in parts if len(part["line"])]
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts or [{}])[0]}


def write(path: Path, rows: list[str]) -> Path:
    path.write_text("u,p,a,t,like\n" + "".join(f"{row}\n" for row in rows))
    return path


def test_every_row_of_every_file_is_counted_on_exactly_one_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_files, "_BLOCK_BYTES", 128)  # days and faults cross the blocks
    rows = []
    for n in range(300):
        time = START + (n % 3 - 1) * DAY_MS + n
        good = f"{n + 1},7,8,{time},{n % 2}"
        rows.append(
            {5: "broken", 6: f"{n + 1},7,8,never,0", 7: f"?,7,8,{time},1"}.get(n % 10, good)
        )
    one = write(tmp_path / "one.csv", rows[:150])
    two = write(tmp_path / "two.csv", rows[150:])
    days = [
        read_day(layout_of(one, two), DAY + datetime.timedelta(days=n), first_day=DAY)
        for n in (-1, 0, 1)
    ]
    assert sum(day.num_rows for day in days) == 300
    assert sum(len(day.rejections.rows) for day in days) == 90
    assert sorted(u for day in days for u in day.events["user_id"].tolist()) == [
        n + 1 for n in range(300) if n % 10 not in (5, 6, 7)
    ]
    assert (days[0].first_day, days[0].last_day) == (
        DAY - datetime.timedelta(days=1),
        DAY + datetime.timedelta(days=1),
    )


def test_files_by_day_hold_what_arrived_and_what_is_of_an_earlier_day_is_late(
    tmp_path: Path,
) -> None:
    for n, day in enumerate(("2026-01-01", "2026-01-02", "2026-01-03", "not-a-day")):
        (tmp_path / day).mkdir()
        times = [START + (n + shift - 1) * DAY_MS for shift in (0, -1, 1)]
        rows = [f"{10 * n + k},{n + 7},8,{time},1" for k, time in enumerate(times, 1)]
        write(tmp_path / day / "a.csv", [*rows, f"{10 * n + 4},7,8,never,1", "short"])
    files = sorted(tmp_path.glob("*/a.csv"))
    layout = replace(layout_of(*files), day_pattern=str(tmp_path / "{day}" / "*.csv"))
    day = read_day(layout, DAY, first_day=DAY)
    assert day.events["user_id"].tolist() == [11, 13], "the day's own, and one from the future"
    assert day.late["user_id"].tolist() == [12]
    assert (day.late["file"][0], day.late["line"][0]) == ("a.csv", 3)
    assert day.late["ingested_at"][0] == START + DAY_MS - 1, "known when the file was complete"
    assert [row["rule"] for row in day.rejections.rows] == ["unreadable_time", "malformed_row"]
    assert day.num_rows == 5
    assert (str(day.first_day), str(day.last_day)) == ("2026-01-01", "2026-01-03")
    assert len(day.posts["post_id"]) == 0
    assert not day.are_posts_described, "rows tell of posts"


def test_a_row_that_arrived_a_day_later_is_late_on_the_day_of_its_arrival(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [(1, START, START + 5), (2, START, START + DAY_MS), (3, START + DAY_MS, START)]
    path.write_text("u,p,a,t,like,at\n" + "".join(f"{u},3,4,{t},1,{at}\n" for u, t, at in rows))
    columns = {**layout_of().event_columns, "ingested_at": "at"}
    layout = replace(layout_of(path), event_columns=columns)
    first, second = (
        read_day(layout, DAY + datetime.timedelta(days=n), first_day=DAY) for n in (0, 1)
    )
    assert first.events["user_id"].tolist() == [1, 3], "3 claims to be from the future"
    assert (first.late, second.events) == ({}, {})
    assert second.late["user_id"].tolist() == [2]


def test_absurd_numbers_are_read_without_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [f"1,2,3,{START},1"])
    path.write_text(path.read_text().replace("like", "like,d").replace(",1\n", ",1,1e300\n"))
    layout = layout_of(path)
    with_dwell = Layout(
        **{**vars(layout), "event_columns": {**layout.event_columns, "dwell_seconds": "d"}}
    )
    assert read_day(with_dwell, DAY, first_day=DAY).events["dwell_seconds"][0] > 1e29


READING = """
import datetime, resource, sys
from dataclasses import replace
from pathlib import Path
from components.source import day_archive, line_files, raw_files
from components.source.layouts import ActionRule, Layout
from components.source.source import Source
day_archive._NUM_POSTS = 1 << 12
day_archive._RUN_BYTES, raw_files._BLOCK_BYTES, line_files._BLOCK_BYTES = 1 << 21, 1 << 18, 1 << 18
file, day = Path(sys.argv[1]), datetime.date(2026, 1, 2)
columns = {"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"}
layout = Layout(
    event_files=[file], event_columns=columns, actions=[ActionRule(column="like")], time_unit="ms"
)
if len(sys.argv) > 2:
    layout = replace(layout, day_pattern=str(file.parent / sys.argv[2]))
source = Source(layout, first_day=day, work=file.parent / file.stem)
rows = source.read_day(day, lambda events, late: None)
print(rows.num_rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_of_reading(path: Path, expected_rows: int, *pattern: str) -> int:
    run = subprocess.run(
        [sys.executable, "-c", READING, str(path), *pattern],
        env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"},  # keeps no spare memory
        capture_output=True,
        text=True,
        check=True,
    )
    num_rows, kilobytes = map(int, run.stdout.split())
    assert num_rows == expected_rows
    return kilobytes


@pytest.mark.parametrize("kind", ["csv", pytest.param("jsonl", marks=pytest.mark.slow)])
def test_memory_depends_on_the_day_and_not_on_the_file(tmp_path: Path, kind: str) -> None:
    most = []
    for num_days in (16, 64):
        path = tmp_path / f"{num_days}.{kind}"
        with path.open("w") as file:
            file.write("" if kind == "jsonl" else "u,p,a,t,like\n")
            for n in range(num_days * 20_000):
                time = START + n // 20_000 * DAY_MS
                file.write(
                    f"{n},{n % 999 + 1},8,{time},1\n"
                    if kind == "csv"
                    else f'{{"u": {n}, "p": {n % 999 + 1}, "a": 8, "t": {time}, "like": 1}}\n'
                )
        most.append(peak_of_reading(path, 20_000))
    assert most[1] < most[0] + 10_000, "the file has 35,000 more"


def test_rows_of_a_day_are_handed_on_and_not_held(tmp_path: Path) -> None:
    most = []
    for num_rows in (50_000, 350_000):
        path = tmp_path / f"{num_rows} rows 2026-01-02.csv"
        with path.open("w") as file:  # line by line: the memory of this process counts, too
            file.write("u,p,a,t,like\n")
            file.writelines(f"{n},{n % 999 + 1},8,{START + n},1\n" for n in range(num_rows))
        most.append(peak_of_reading(path, num_rows, f"{num_rows} rows {{day}}.csv"))
    assert most[1] < most[0] + 10_000, "the rows more would take 18 MB"


def test_a_day_depends_on_its_own_rows_alone(tmp_path: Path) -> None:
    def inputs(rows: list[str], number: int = 0) -> list[dict]:
        layout = layout_of(write(tmp_path / "log.csv", rows))
        source = Source(layout, first_day=DAY, work=tmp_path / "work")
        day = DAY + datetime.timedelta(days=number)
        return [*source.event_inputs(day), *source.post_inputs()]

    rows = [f"{n},7,8,{START + n * DAY_MS // 2},1" for n in range(1, 5)]
    first = inputs(rows)
    assert inputs([*rows, f"9,7,8,{START + 5 * DAY_MS},1"]) == first, "the file grew"
    assert inputs([rows[0].replace(",1", ",0"), *rows[1:]]) != first
    assert inputs([*rows, f"1,6,8,{START},1"], 1) == inputs(rows, 1), "a row of the day before"
