"""The first rows of a source as the pipeline understands them."""

import datetime
from pathlib import Path

import pytest

from components.profiling.preview import covered_days, preview
from components.settings.config import Config
from components.settings.source import SyntheticSource
from components.source.layouts import Layout, layout


def _layout(log: Path, pattern: str = "log.csv", **settings: object) -> Layout:
    columns = {"user_id": "user", "post_id": "item", "author_id": "item", "shown_at": "at"}
    source = {"layout": "columns", "events": str(log / pattern), "event_columns": columns}
    config = Config.model_validate(
        {
            "store": "store",
            "first_day": "2000-01-01",
            "ingest_events": {"source": source | {"time_unit": "s"} | settings},
            "actions": [{"name": "click", "is_positive": True}],
        }
    )
    assert not isinstance(config.ingest_events.source, SyntheticSource)
    return layout(config.ingest_events.source, config)


def _write(log: Path, *times: int, name: str = "log.csv") -> None:
    rows = "".join(f"{n + 1},5,{time},1\n" for n, time in enumerate(times))
    log.joinpath(name).parent.mkdir(exist_ok=True)
    log.joinpath(name).write_text("user,item,at,click\n" + rows)


_DAY = 86_400


def test_no_more_rows_are_read_than_asked_for(tmp_path: Path) -> None:
    _write(tmp_path, *range(1_600_000_000, 1_600_000_100))
    result = preview(_layout(tmp_path), num_rows=10, num_shown=3)
    assert (result.num_rows, [row.user for row in result.rows]) == (10, ["1", "2", "3"])


def test_of_several_files_the_newest_is_shown_and_all_are_counted(tmp_path: Path) -> None:
    for day in (13, 14, 15):
        _write(tmp_path, 5 if day == 13 else 1_600_000_000, name=f"2020-09-{day}.csv")
    layout = _layout(tmp_path, "{day}.csv")
    result = preview(layout, num_rows=30, num_files=3)
    assert (result.num_rows, result.num_rejected, len(result.rows)) == (3, 1, 2)
    assert "2020-09-13.csv:2" in result.reasons[0][2]
    assert preview(layout, num_rows=30).num_rows == 1


def test_what_would_be_refused_is_counted_with_an_example_of_each_rule(tmp_path: Path) -> None:
    _write(tmp_path, 5, 1_600_000_000, 6)
    result = preview(_layout(tmp_path), num_rows=10)
    assert result.num_rejected == 2
    ((rule, count, example),) = result.reasons
    assert (rule, count) == ("unreadable_time", 2)
    assert example.startswith("log.csv:2: at: expected a time")


@pytest.mark.parametrize("num_alone", [1, 30])
def test_a_first_or_last_day_is_no_clock_that_was_wrong(num_alone: int, tmp_path: Path) -> None:
    start = 1_600_000_000 // _DAY * _DAY
    times = [start - 900 * _DAY] * num_alone + [start + n % 1_000 for n in range(20_000)]
    _write(tmp_path, *times, *[start + 900 * _DAY] * num_alone)
    expected = start - (900 * _DAY if num_alone == 30 else 0)
    last = start + (900 * _DAY if num_alone == 30 else 0)
    days = [datetime.datetime.fromtimestamp(each, datetime.UTC).date() for each in (expected, last)]
    assert covered_days(_layout(tmp_path)) == tuple(days)


def test_the_first_day_of_files_by_day_is_that_of_a_path(tmp_path: Path) -> None:
    _write(tmp_path, 1_600_000_000, name="2020-09-14/log.csv")
    pattern, day = "{day}/log.csv", datetime.date(2020, 9, 14)
    assert covered_days(_layout(tmp_path, pattern)) == (day, day)


def test_ids_are_shown_as_people_know_them(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,at,click\n7.0,5.0,1600000000,1\n")
    assert [(r.user, r.post) for r in preview(_layout(tmp_path), num_rows=9).rows] == [("7", "5")]
