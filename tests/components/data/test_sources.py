import datetime
from pathlib import Path

import pytest

from components import raw_files
from components.layouts import Layout
from components.sources import read_day

DAY = datetime.date(2026, 1, 2)
START = 1_767_312_000_000
DAY_MS = 86_400_000


def layout_of(*files: Path) -> Layout:
    return Layout(
        event_files=files,
        post_files=(),
        event_columns={"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"},
        post_columns={},
        action_columns=["like"],
        time_unit="ms",
        dwell_unit="s",
        post_time_unit="ms",
        duration_unit="s",
        clock_skew_ms=0,
    )


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


def test_absurd_numbers_are_read_without_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [f"1,2,3,{START},1"])
    path.write_text(path.read_text().replace("like", "like,d").replace(",1\n", ",1,1e300\n"))
    layout = layout_of(path)
    with_dwell = Layout(
        **{**vars(layout), "event_columns": {**layout.event_columns, "dwell_seconds": "d"}}
    )
    assert read_day(with_dwell, DAY, first_day=DAY).events["dwell_seconds"][0] > 1e29
