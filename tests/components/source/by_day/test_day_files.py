import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.errors import BadDataError
from components.source import raw_files
from components.source.by_day.day_files import DayFiles
from components.source.layouts import ActionRule, Layout
from components.source.raw_rows import RawRows
from phoenix.data.days import DAY_MS, midnight_ms

DAY = datetime.date(2026, 1, 2)
NEXT, AFTER = (DAY + datetime.timedelta(days=n) for n in (1, 2))
START = midnight_ms(DAY)


def layout_of(root: Path, rows: dict[datetime.date, Sequence[tuple[int, int]]]) -> Layout:
    """Files of days, of users and of ms since the start of the first."""
    for day, cells in rows.items():
        lines = [f"{user},7,8,{START + time},1\n" for user, time in cells]
        (root / f"{day}.csv").write_text("u,p,a,t,like\n" + "".join(lines))
    return Layout(
        event_files=sorted(root.glob("*.csv")),
        event_columns={"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"},
        actions=[ActionRule(column="like")],
        time_unit="ms",
        day_pattern=f"{root}/{{day}}.csv",
        overrun_ms=60_000,
    )


def users(files: DayFiles, day: datetime.date) -> list[str]:
    return [user for rows in files.rows(day) for user in rows.cells["u"].to_pylist()]


def test_a_row_after_midnight_is_of_its_own_day_in_whatever_order_days_are_read(
    tmp_path: Path,
) -> None:
    layout = layout_of(
        tmp_path, {DAY: [(1, 5), (2, DAY_MS + 5), (3, 6)], NEXT: [(4, DAY_MS + 9)], AFTER: []}
    )
    for days in ((DAY, NEXT), (NEXT, DAY)):
        files = DayFiles(layout, tmp_path / f"work-{days[0]}")
        rows = {day: users(files, day) for day in days}
        assert rows == {DAY: ["1", "3"], NEXT: ["2", "4"]}
        assert (files.num_next(DAY), files.num_next(NEXT)) == (1, 0)


def test_the_next_day_reads_no_file_of_the_day_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = layout_of(tmp_path, {DAY: [(1, 5), (2, DAY_MS + 5)], NEXT: [(4, DAY_MS + 9)]})
    assert users(DayFiles(layout, tmp_path / "work"), DAY) == ["1"]
    read, names = raw_files.read, []

    def read_and_tell(file: Path, *args: Any, **options: Any) -> Iterator[RawRows]:
        names.append(file.name)
        return read(file, *args, **options)

    monkeypatch.setattr(raw_files, "read", read_and_tell)
    assert users(DayFiles(layout, tmp_path / "work"), NEXT) == ["2", "4"]
    assert names == [f"{NEXT}.csv"]


def test_a_file_of_yesterday_under_other_names_is_refused_with_what_to_do(tmp_path: Path) -> None:
    layout = layout_of(tmp_path, {DAY: [(1, 5)], NEXT: [(4, DAY_MS + 9)]})
    file = tmp_path / f"{DAY}.csv"
    file.write_text(file.read_text().replace("like", "liked"))
    with pytest.raises(BadDataError, match="expected a column 'like'") as caught:
        users(DayFiles(layout, tmp_path / "work"), NEXT)
    assert f"It is a file of {DAY}" in str(caught.value)
    assert "`ingest_events.source.overrun_minutes: 0`" in str(caught.value)
    assert "`formerly`" in str(caught.value)
    without = replace(layout, overrun_ms=0)
    assert users(DayFiles(without, tmp_path / "work"), NEXT) == ["4"]


def test_a_file_of_yesterday_is_read_by_a_former_name_of_its_column(tmp_path: Path) -> None:
    layout = layout_of(tmp_path, {DAY: [(1, 5), (2, DAY_MS + 5)], NEXT: [(4, DAY_MS + 9)]})
    file = tmp_path / f"{DAY}.csv"
    file.write_text(file.read_text().replace("like", "liked"))
    rule = ActionRule(column="like", former_columns=("loved", "liked"))
    files = DayFiles(replace(layout, actions=[rule]), tmp_path / "work")
    assert users(files, NEXT) == ["2", "4"]
    assert [rows.cells["like"].to_pylist() for rows in files.rows(NEXT)] == [["1"], ["1"]]


def test_each_line_of_json_is_read_by_the_name_that_it_has(tmp_path: Path) -> None:
    rule = ActionRule(column="like", former_columns=("loved", "liked"))
    layout = replace(layout_of(tmp_path, {NEXT: [(4, DAY_MS + 9)]}), actions=[rule])
    names = ({"loved": True}, {"liked": False}, {"like": True, "liked": False}, {})
    rows = [
        {"u": user, "p": 7, "a": 8, "t": START + DAY_MS + user, **flags}
        for user, flags in enumerate(names, start=1)
    ]
    for file, of_file in ((DAY, rows), (NEXT, rows[2:])):
        text = "".join(json.dumps(row) + "\n" for row in of_file)
        (tmp_path / f"{file}.jsonl").write_text(text)
    lines = replace(
        layout,
        event_files=sorted(tmp_path.glob("*.jsonl")),
        day_pattern=f"{tmp_path}/{{day}}.jsonl",
    )
    files = DayFiles(lines, tmp_path / "work")
    flags = [rows.cells["like"].to_pylist() for rows in files.rows(NEXT)]
    # Today's file has the name of today; of yesterday's, rows may have any.
    assert flags == [["true", "false", "true", None], ["true", None]]


def test_rows_of_a_day_without_files_are_no_day(tmp_path: Path) -> None:
    files = DayFiles(layout_of(tmp_path, {DAY: [(2, DAY_MS + 5)]}), tmp_path / "work")
    assert files.overrun(DAY) == []
    assert (files.days, list(files.of(NEXT))) == ([DAY], [])
