"""Columns that files by day have from some day on."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.errors import BadDataError
from components.source.by_day import coming_columns
from components.source.layouts import ActionRule, Layout


def layout_of(root: Path, *headers: str) -> Layout:
    """A file of one row for each header, day by day."""
    for number, header in enumerate(headers, start=1):
        row = ",".join("1" for _ in header.split(","))
        (root / f"2026-01-0{number}.csv").write_text(f"{header}\n{row}\n")
    return Layout(
        event_files=sorted(root.glob("*.csv")),
        event_columns={"user_id": "u", "post_id": "p", "shown_at": "t", "feed": "feed"},
        actions=[ActionRule(column="like", former_columns=("fav",))],
        time_unit="s",
        day_pattern=f"{root}/{{day}}.csv",
    )


def test_a_file_may_lack_what_the_newest_one_has(tmp_path: Path) -> None:
    layout = layout_of(tmp_path, "u,p,t", "u,p,t,feed", "u,p,t,feed,like")
    lacking = [coming_columns.lacking(layout, file) for file in layout.event_files]
    assert lacking == [["feed", "like"], ["like"], []]
    (rows,) = coming_columns.read(layout, layout.event_files[0], layout.source_columns, "a")
    assert rows.cells["feed"].to_pylist() == [None]
    assert rows.cells["u"].to_pylist() == ["1"]


@pytest.mark.parametrize(
    ("old", "newest"),
    [
        ("u,p,t", "u,p,t,like"),  # the newest does not have it either
        ("u,p,t,feeds,like", "u,p,t,feed,like"),  # it was called otherwise
        ("u,p,t,feed,fav", "u,p,t,feed,like"),  # it is known by a former name
        ("u,feed,like,t", "u,p,t,feed,like"),  # no row is whole without it
    ],
)
def test_any_other_column_that_is_not_there_is_refused(
    old: str, newest: str, tmp_path: Path
) -> None:
    layout = layout_of(tmp_path, old, newest)
    file = layout.event_files[0]
    with pytest.raises(BadDataError, match="expected a column"):
        list(coming_columns.read(layout, file, layout.source_columns, file.name))


def test_where_a_file_holds_many_days_nothing_comes(tmp_path: Path) -> None:
    layout = replace(layout_of(tmp_path, "u,p,t", "u,p,t,feed,like"), day_pattern=None)
    assert coming_columns.lacking(layout, layout.event_files[0]) == []
