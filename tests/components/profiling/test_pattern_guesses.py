"""Paths and globs of the files of a log."""

from pathlib import Path

import pyarrow as pa
import pytest

from components.errors import BadConfigurationError
from components.profiling.pattern_guesses import pattern
from components.profiling.samples import Sample


def _sample(*files: str) -> Sample:
    return Sample(files=tuple(map(Path, sorted(files))), rows=pa.table({}))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["/log/a.csv"], "/log/a.csv"),
        (["/log/2026-03-01/a.csv", "/log/2026-03-02/b.csv"], "/log/{day}/*.csv"),
        (["/log/x-2026-03-01.csv", "/log/x-2026-03-02.csv"], "/log/x-{day}.csv"),
        (["/log/20260301.csv", "/log/20260302.csv"], "/log/{day:%Y%m%d}.csv"),
        (
            ["/l/year=2026/month=03/day=01/a.parquet", "/l/year=2026/month=03/day=02/b.parquet"],
            "/l/year={day:%Y}/month={day:%m}/day={day:%d}/*.parquet",
        ),
        (["/log/part-1.jsonl.gz", "/log/part-2.jsonl.gz"], "/log/part-*.jsonl.gz"),
        (["/log/2026-03-01.csv.gz", "/log/2026-03-02.csv.zst"], "/log/{day}.csv*"),
        (["/log/part-1.csv", "/log/part-2.csv.gz"], "/log/part-*.csv*"),
    ],
)
def test_files_are_named_by_a_pattern(files: list[str], expected: str) -> None:
    sample = _sample(*files)
    assert pattern(sample, [sample]) == expected


def test_of_a_folder_for_each_day_no_other_files_are_taken() -> None:
    events, posts = (
        _sample(*(f"/log/2026-03-0{day}/{name}.csv" for day in (1, 2)))
        for name in ("events", "items")
    )
    assert pattern(events, [events, posts]) == "/log/{day}/events.csv"
    assert pattern(posts, [events, posts]) == "/log/{day}/items.csv"


def test_a_pattern_that_takes_other_files_is_refused() -> None:
    events, posts = _sample("/log/a1.csv", "/log/a2.csv"), _sample("/log/attributes.csv")
    with pytest.raises(BadConfigurationError, match="a folder of their own"):
        pattern(events, [events, posts])
