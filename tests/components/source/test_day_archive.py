import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.errors import BadDataError
from components.source import day_archive
from components.source.day_archive import DayArchive
from components.source.layouts import ActionRule, Layout
from components.store import formats
from phoenix.data.days import DAY_MS, day_number, midnight_ms

DAY = datetime.date(2026, 1, 2)
NUMBER, START = day_number(DAY), midnight_ms(DAY)


def rows_text(count: int) -> Iterator[str]:
    """Rows whose days go up and down, and some that are broken."""
    for n in range(count):
        shift = (n * 7) % 5 + n // 40
        yield "broken" if n % 11 == 3 else f"{n},{n % 9 + 1},{n % 4 + 1},{START + shift * DAY_MS},1"


def layout_of(path: Path, count: int = 200) -> Layout:
    path.write_text("u,p,a,t,like\n" + "".join(f"{row}\n" for row in rows_text(count)))
    return Layout(
        event_files=[path],
        event_columns={"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"},
        actions=[ActionRule(column="like")],
        time_unit="ms",
    )


def opened(layout: Layout) -> DayArchive:
    path = layout.event_files[0]
    return day_archive.open_archive(path, layout, first_day=DAY, work=path.parent / "work")


@pytest.mark.parametrize("run_bytes", [1, 1 << 26])
def test_every_line_is_in_one_day_in_the_order_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_bytes: int
) -> None:
    monkeypatch.setattr(day_archive, "_RUN_BYTES", run_bytes)
    archive = opened(layout_of(tmp_path / "a.csv"))
    lines, malformed = [], []
    for day in archive.days:
        of_day = [line for rows in archive.rows(day) for line in rows.lines.tolist()]
        assert of_day == sorted(of_day)
        lines += of_day
        malformed += [line for rows in archive.rows(day) for line, _ in rows.malformed]
        for rows in archive.rows(day):
            times = map(int, rows.cells["t"].to_pylist())
            assert {time // DAY_MS for time in times} <= {day}
    assert sorted(lines + malformed) == list(range(2, 202))
    assert len(malformed) == len([row for row in rows_text(200) if row == "broken"])
    assert list(archive.rows(7)) == []


def test_a_day_keeps_its_digest_when_the_file_grows_and_however_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = opened(layout_of(tmp_path / "a.csv"))
    digests = {day: day_archive.content_digest(before.rows(day)) for day in before.days}
    monkeypatch.setattr(day_archive, "_RUN_BYTES", 1)
    after = opened(layout_of(tmp_path / "a.csv", 230))
    same = [d for d in digests if day_archive.content_digest(after.rows(d)) == digests[d]]
    assert same == [day for day in before.days if day < NUMBER + 5], "later rows are of later days"
    assert len(list((tmp_path / "work").glob("archive-*/"))) == 1, "the old one is gone"


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "a.csv")
    opened(layout)
    (folder,) = (tmp_path / "work").glob("archive-*/")
    made = folder.stat().st_ino
    opened(layout)
    assert folder.stat().st_ino == made
    os.utime(tmp_path / "a.csv", (1, 1))
    opened(layout)
    assert not folder.exists()


def test_an_archive_of_another_format_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = layout_of(tmp_path / "a.csv")
    opened(layout)
    (folder,) = (tmp_path / "work").glob("archive-*/")
    monkeypatch.setattr(formats, "SORTED_SOURCE", formats.SORTED_SOURCE + 1)
    opened(layout)
    assert not folder.exists()
    assert len(list((tmp_path / "work").glob("archive-*/"))) == 1


def test_a_damaged_file_leaves_nothing_behind(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("u,p,a,t\n1,2,3,4\n")
    with pytest.raises(BadDataError, match=r"a.csv: expected a column 'like'"):
        opened(layout)
    assert list((tmp_path / "work").glob("*archive-*/")) == []
    (tmp_path / "a.csv").unlink()
    with pytest.raises(BadDataError, match=r"a.csv: expected a file"):
        opened(layout)
