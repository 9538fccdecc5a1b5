"""The differences between the files of a log, in words."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.profiling.file_differences import (
    incomplete_columns,
    notes_on_columns,
    notes_on_other_files,
    notes_on_unreadable_files,
)
from components.profiling.samples import Sample, read_samples


def _sample(folder: Path, *headers: str) -> Sample:
    for number, header in enumerate(headers, start=1):
        row = ",".join("5" for _ in header.split(","))
        (folder / f"log-{number}.csv").write_text(f"{header}\n{row}\n" if header else "")
    (sample,) = read_samples(folder)
    return sample


def test_a_column_that_comes_and_stays_is_complete_where_files_are_by_day(tmp_path: Path) -> None:
    sample = _sample(tmp_path, "user,item,old", "user,item,feed,odd", "user,item,feed")
    assert incomplete_columns(sample, is_by_day=True) == ["old", "odd"]
    assert incomplete_columns(sample, is_by_day=False) == ["old", "feed", "odd"]


def test_a_column_that_was_called_otherwise_did_not_come(tmp_path: Path) -> None:
    sample = _sample(tmp_path, "user,item,likes", "user,item,liked")
    assert incomplete_columns(sample, is_by_day=True) == ["likes", "liked"]


def test_rows_of_json_have_the_columns_that_they_name(tmp_path: Path) -> None:
    for number, more in enumerate(("", ', "feed": "a"'), start=1):
        (tmp_path / f"log-{number}.jsonl").write_text(f'{{"user": 1{more}}}\n')
    (sample,) = read_samples(tmp_path)
    assert incomplete_columns(sample, is_by_day=True) == []


@pytest.mark.parametrize(
    ("role", "told"),
    [
        ("left out", "nothing is made of it"),
        ("needed", "their days will be refused"),
        ("action", "nobody knows whether users did so"),
        ("optional", "their rows are without it"),
    ],
)
def test_what_a_missing_column_means_is_told_by_what_it_is_for(
    role: str, told: str, tmp_path: Path
) -> None:
    sample = _sample(tmp_path, "user,item", "user,item,feed")
    (note,) = notes_on_columns(sample, {"feed": role})
    assert note.startswith(f"`feed` is not in {tmp_path.name}/log-1.csv: ")
    assert told in note


def test_columns_of_no_use_and_files_of_no_byte_are_told_by_name(tmp_path: Path) -> None:
    sample = _sample(tmp_path, "user,item", "user,item,colour", "")
    others, empty = notes_on_columns(sample, {})
    assert others == "Not all files have colour; nothing is made of them."
    assert f"{tmp_path.name}/log-3.csv: without a row or a header" in empty


def test_a_type_that_the_day_of_the_change_is_refused_for_is_told(tmp_path: Path) -> None:
    for number, values in enumerate(([None], [5], ["5"]), start=1):
        pq.write_table(pa.table({"user": [1], "feed": values}), tmp_path / f"log-{number}.parquet")
    (sample,) = read_samples(tmp_path)
    (note,) = notes_on_columns(sample, {"feed": "optional", "user": "needed"})
    assert "`feed` is retyped from int64 to string in" in note


def test_files_that_are_not_read_are_told_by_name_and_number(tmp_path: Path) -> None:
    events = _sample(tmp_path, "user,item,time")
    for number in (1, 2):
        (tmp_path / f"log-{number}.jsonl").write_text('{"user": 1, "item": 2, "time": 3}\n')
    (tmp_path / "prices.csv").write_text("sku,price\n1,2\n")
    (tmp_path / "old.avro").write_text("x")
    samples = read_samples(tmp_path)
    of_events, of_others = sorted(notes_on_other_files(samples, [samples[0]]))
    assert samples[0].files == events.files
    assert of_events.startswith(f"Not read: 2 files such as {tmp_path.name}/log-1.jsonl, with col")
    assert "Write them as .csv" in of_events
    assert "prices.csv, with other columns (sku, price)" in of_others
    assert "Not read: what ends in .avro (1 in all)" in notes_on_unreadable_files(tmp_path)[0]
