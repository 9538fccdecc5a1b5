import datetime
import os
from dataclasses import replace
from pathlib import Path

import pytest

from components.source.by_day import earlier_posts
from components.source.by_day.day_files import DayFiles
from components.source.layouts import ActionRule, Layout
from components.store import formats
from phoenix.data.days import DAY_MS, midnight_ms

DAY = datetime.date(2026, 1, 2)
START = midnight_ms(DAY)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Four days, of which each shows one more post."""
    for n in range(4):
        path = tmp_path / f"{DAY + datetime.timedelta(days=n)}.csv"
        path.write_text(f"u,p,a,t,like\n1,{n + 1},8,{START + n * DAY_MS},1\n")
    return Layout(
        event_files=sorted(tmp_path.glob("*.csv")),
        event_columns={"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"},
        actions=[ActionRule(column="like")],
        time_unit="ms",
        day_pattern=f"{tmp_path}/{{day}}.csv",
    )


def posts_before(layout: Layout, work: Path, number: int) -> list[int]:
    day = DAY + datetime.timedelta(days=number)
    return earlier_posts.load(DayFiles(layout, work), day).post_ids.tolist()


def test_posts_of_earlier_file_days_are_read_once(layout: Layout, tmp_path: Path) -> None:
    work = tmp_path / "work"
    assert posts_before(layout, tmp_path / "none", 3) == [1, 2, 3]
    for n in range(3):
        assert posts_before(layout, work, n) == list(range(1, n + 1))
    first = Path(layout.event_files[0])
    content, stat = first.read_bytes(), first.stat()
    first.write_bytes(bytes(len(content)))  # nobody may look into it again
    os.utime(first, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert posts_before(layout, work, 3) == [1, 2, 3]


def test_another_file_or_setting_or_format_begins_anew(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, names = tmp_path / "work", set[str]()

    def num_new() -> int:
        posts_before(layout, work, 1)
        before = len(names)
        names.update(path.name for path in work.glob("shown-*.npy"))
        return len(names) - before

    assert (num_new(), num_new()) == (1, 0)
    monkeypatch.setattr(formats, "SORTED_SOURCE", formats.SORTED_SOURCE + 1)
    assert num_new() == 1
    layout = replace(layout, null_words=("nobody",))
    assert num_new() == 1
    Path(layout.event_files[0]).write_text(f"u,p,a,t,like\n1,9,8,{START},1\n")
    assert num_new() == 1
    assert posts_before(layout, work, 1) == [9]
