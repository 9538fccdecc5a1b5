import datetime
from dataclasses import replace
from pathlib import Path

from components.source import arrivals
from components.source.layouts import ActionRule, Layout

DAY = datetime.date(2026, 1, 2)
NUMBER = 20_455  # of the day since 1970


def layout_of(file: Path, text: str) -> Layout:
    file.write_text("u,p,a,t,at,like\n" + text)
    return Layout(
        event_files=[file],
        event_columns={"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"},
        actions=[ActionRule(column="like")],
        time_unit="iso",
    )


def test_a_row_without_a_time_arrived_with_the_row_before_it(tmp_path: Path) -> None:
    text = "1,2,3,?,,0\n1,2,3,2026-01-03,,0\nbad\n1,2,3,,,0\n1,2,3,2026-01-02T23:59:59.999,,0\n"
    layout = layout_of(tmp_path / "a.csv", text)
    (block,) = arrivals.read_arrivals(layout, layout.event_files[0], first_day=DAY)
    assert (block.days - NUMBER).tolist() == [1, 1, 1, 0]
    assert block.malformed_days == [NUMBER + 1]


def test_without_any_time_rows_belong_to_the_first_day(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "a.csv", "bad\n1,2,3,?,,0\n")
    (block,) = arrivals.read_arrivals(layout, layout.event_files[0], first_day=DAY)
    assert (block.days.tolist(), block.malformed_days) == ([NUMBER], [NUMBER])


def test_late_rows_and_rows_from_the_future_belong_to_the_day_of_their_arrival(
    tmp_path: Path,
) -> None:
    text = (
        "1,2,3,2026-01-01,2026-01-02,0\n1,2,3,2026-01-09,2026-01-02,0\n1,2,3,2026-01-02T00:00:01,"
        "2026-01-01T23:59:59,0\n1,2,3,2026-01-01,?,0\n1,2,3,?,2026-01-02,0\n"
    )
    layout = layout_of(tmp_path / "a.csv", text)
    columns = {**layout.event_columns, "ingested_at": "at"}
    layout = replace(layout, event_columns=columns, clock_skew_ms=60_000)
    (block,) = arrivals.read_arrivals(layout, layout.event_files[0], first_day=DAY)
    assert (block.days - NUMBER).tolist() == [0, 0, 0, -1, 0]
