import datetime
from pathlib import Path

import pytest

from components.errors import BadConfigurationError
from components.source.by_day import path_patterns


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(folder: Path, pattern: str) -> list[str]:
    files = path_patterns.find(f"{folder}/{pattern}", what="events")
    return [file.relative_to(folder).as_posix() for file in files]


def test_files_are_found_in_order_of_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "log_2.csv", "log_1.csv", "other.csv", "a.xlsx")
    assert names(tmp_path, "log_*.csv") == ["log_1.csv", "log_2.csv"]
    with pytest.raises(BadConfigurationError, match="events: expected at least one file"):
        names(tmp_path, "none.csv")
    with pytest.raises(BadConfigurationError, match=r"expected files ending in .parquet"):
        names(tmp_path, "a.xlsx")


@pytest.mark.parametrize(
    "name",
    [
        ".part-0.csv",  # as Hadoop and rsync write
        "_part-0.csv",
        "_SUCCESS",
        ".part-0.csv.crc",
        "part-0.csv.crc",
        "part-0.csv.tmp",
        "part-0.csv._COPYING_",  # as `hdfs dfs -put` writes
        "part-0.csv.inprogress",
        "_temporary/0/part-1.csv",  # as Spark writes
        "_delta_log/0.json",
        ".ipynb_checkpoints/part-0.csv",
        "a/.staging/b/part-0.csv",
    ],
)
def test_hidden_and_unfinished_files_are_not_read(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, "part-0.csv")
    assert names(tmp_path, "**/*") == ["part-0.csv"]
    (tmp_path / "part-0.csv").unlink()
    with pytest.raises(BadConfigurationError, match="found 1 hidden or unfinished ones"):
        names(tmp_path, "**/*")


def test_hidden_files_that_the_pattern_names_are_read(tmp_path: Path) -> None:
    touch(tmp_path, "_export/.logs/_a.csv", "_export/.logs/b.csv", "_export/.logs/.c.csv")
    assert names(tmp_path, "_export/.logs/*.csv") == ["_export/.logs/b.csv"]
    assert names(tmp_path, "_export/.logs/_*.csv") == ["_export/.logs/_a.csv"]
    assert names(tmp_path / "_export" / ".logs", "*.csv") == ["b.csv"]


@pytest.mark.parametrize(
    "pattern", ["{day}**.csv", "**{day}.csv", "a**/{day}.csv", "a/**", "a/***/b"]
)
def test_what_is_no_pattern_is_refused_by_every_python(tmp_path: Path, pattern: str) -> None:
    touch(tmp_path, "2026-01-02.csv", "a/2026-01-02.csv")
    with pytest.raises(BadConfigurationError, match=r"`\*\*` stands alone between slashes, got"):
        names(tmp_path, pattern)
    with pytest.raises(BadConfigurationError, match=r"events: expected a path or a pattern"):
        path_patterns.find("/", what="events")


@pytest.mark.parametrize("form", ["%Y%m", "%m-%d", "%y%m%d", "%H", "%Y%m%d%Z"])
def test_a_form_that_says_no_day_is_refused(tmp_path: Path, form: str) -> None:
    touch(tmp_path, "202601.csv")
    with pytest.raises(BadConfigurationError, match="expected a day of %Y, %m and %d, or of %Y"):
        names(tmp_path, f"{{day:{form}}}.csv")


def test_other_words_in_braces_are_told_what_braces_mean(tmp_path: Path) -> None:
    touch(tmp_path, "2026-01-02.csv")
    with pytest.raises(BadConfigurationError, match=r"found none. Of braces, {day} and forms of"):
        names(tmp_path, "{date}.csv")


def test_a_day_is_asked_for_in_its_own_form(tmp_path: Path) -> None:
    touch(tmp_path, "20261301.csv")
    with pytest.raises(BadConfigurationError, match=r"a day like 20260131 in the place of {day:%Y"):
        path_patterns.find_by_day(f"{tmp_path}/{{day:%Y%m%d}}.csv", what="events")


@pytest.mark.parametrize(
    ("pattern", "path", "day"),
    [
        ("/{day}/{day}.csv", "/2026-01-31/2026-01-31.csv", datetime.date(2026, 1, 31)),
        ("/{day}/{day}.csv", "/2026-01-31/2026-01-30.csv", None),
        ("/{day}/{day:%Y%m%d}.csv", "/2026-01-31/20260131.csv", datetime.date(2026, 1, 31)),
        ("/{day:%Y}/{day:%-m}/{day:%m%d}.csv", "/2026/1/0131.csv", datetime.date(2026, 1, 31)),
        ("/{day:%Y}/{day:%-m}/{day:%m%d}.csv", "/2026/2/0131.csv", None),
        ("/{day:%Y-%j}.csv", "/2025-366.csv", None),
        ("/{day:%Y-%j}.csv", "/2024-366.csv", datetime.date(2024, 12, 31)),
        ("/{day}.csv", "/2026-02-30.csv", None),
    ],
)
def test_a_path_is_of_one_day_or_of_none(
    pattern: str, path: str, day: datetime.date | None
) -> None:
    assert path_patterns.day_in(path, pattern) == day
