"""The first rows of files of every kind, told apart by their columns."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import BadConfigurationError, BadDataError
from components.profiling.samples import read_samples


def test_files_of_one_form_are_one_sample_whatever_their_names_count(tmp_path: Path) -> None:
    for day in ("2026-03-01", "2026-03-02"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "part-0.csv").write_text("user,item\n1,2\n")
    (tmp_path / "items.csv").write_text("item,title\n2,A\n")
    samples = read_samples(tmp_path)
    assert sorted(len(sample.files) for sample in samples) == [1, 2]
    assert {tuple(sample.rows.column_names) for sample in samples} == {
        ("user", "item"),
        ("item", "title"),
    }


def test_of_many_files_the_oldest_the_newest_and_some_between_are_looked_at(tmp_path: Path) -> None:
    for day in range(1, 31):
        (tmp_path / f"2026-03-{day:02d}.csv").write_text(f"user,item\n{day},2\n")
    (sample,) = read_samples(tmp_path, num_files=3)
    assert len(sample.files) == 30
    assert sample.rows["user"].to_pylist() == ["1", "15", "30"]
    assert [file.name for file in sample.parts] == [
        "2026-03-01.csv",
        "2026-03-15.csv",
        "2026-03-30.csv",
    ]


def test_a_first_file_without_rows_says_nothing_of_the_others(tmp_path: Path) -> None:
    for day, rows in enumerate(("", "user;item\n", "user;item\n1;2\n", "user;item;feed\n3;4;a\n")):
        (tmp_path / f"2026-03-0{day + 1}.csv").write_text(rows)
    (sample,) = read_samples(tmp_path)
    assert sample.form.delimiter == ";"
    assert sample.rows.to_pydict() == {"user": ["1", "3"], "item": ["2", "4"], "feed": [None, "a"]}
    assert [file.name for file in sample.lacks("feed")] == ["2026-03-02.csv", "2026-03-03.csv"]


def test_columns_of_two_types_become_text(tmp_path: Path) -> None:
    for day, ids in enumerate(([1], ["u-2"])):
        table = pa.table({"user": ids, "at": pa.array([5], pa.timestamp("ms"))})
        pq.write_table(table, tmp_path / f"2026-03-0{day + 1}.parquet")
    (sample,) = read_samples(tmp_path)
    assert sample.rows["user"].to_pylist() == ["1", "u-2"]
    assert pa.types.is_timestamp(sample.rows["at"].type)


def test_quotes_in_text_between_tabs_are_characters_where_no_line_needs_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "news.tsv").write_text('id\ttitle\n1\t"Wheel" of fortune\n2\t"The best\n')
    (sample,) = read_samples(tmp_path)
    assert (sample.form.has_quotes, len(sample.rows)) == (False, 2)
    (tmp_path / "news.tsv").write_text('id\ttitle\n1\t"Wheel\tof fortune"\n2\tThe best\n')
    (sample,) = read_samples(tmp_path)
    assert (sample.form.has_quotes, len(sample.rows)) == (True, 2)


def test_hidden_and_unfinished_files_are_no_part_of_a_log(tmp_path: Path) -> None:
    (tmp_path / "_temporary").mkdir()
    for name in ("a.csv", ".b.csv", "_c.csv", "_temporary/d.csv", "e.csv.tmp"):
        (tmp_path / name).write_text("user,item\n1,2\n")
    (sample,) = read_samples(tmp_path)
    assert [file.name for file in sample.files] == ["a.csv"]


@pytest.mark.parametrize(
    ("text", "delimiter", "names"),
    [
        ("user,item\n1,2\n3,4\n", ",", ["user", "item"]),
        ("user;item\n1;2\n3;4\n", ";", ["user", "item"]),
        ("1|2|view\n3|4|view\n", "|", ["0", "1", "2"]),
        ("1::2::5\n3::4::4\n", "::", ["0", "1", "2"]),
        ("who,what\nann,bob\n", ",", ["who", "what"]),
        ("\ufeffuser,item\r\n1,2\n3,4\r\n", ",", ["user", "item"]),
        ("user,item\r1,2\r3,4\r", ",", ["user", "item"]),
        ('user,text\n1,"a,b\n""c"";\n"\n3,d\n', ",", ["user", "text"]),
        ("user,note,item,note\n1,a,2,b\n", ",", ["user", "item"]),
    ],
)
def test_delimiter_and_header_are_seen(
    text: str, delimiter: str, names: list[str], tmp_path: Path
) -> None:
    (tmp_path / "log.csv").write_bytes(text.encode())
    (sample,) = read_samples(tmp_path / "log.csv")
    assert sample.form.delimiter == delimiter
    assert sample.rows.column_names == names
    assert sample.form.has_header == (names[0] != "0")


def test_names_of_folders_are_no_columns_and_marks_of_whole_folders_no_rows(tmp_path: Path) -> None:
    for day in ("2026-03-01", "2026-03-02"):
        (tmp_path / f"dt={day}").mkdir()
        (tmp_path / f"dt={day}" / "_SUCCESS").write_text("")
        (tmp_path / f"dt={day}" / "part-0.csv").write_text("user,item\n1,2\n")
    (sample,) = read_samples(tmp_path)
    assert (len(sample.files), sample.rows.column_names) == (2, ["user", "item"])


def test_what_no_reader_takes_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text('[{"user": 1},\n {"user": 2}]\n')
    with pytest.raises(BadConfigurationError, match=r"found one list\. Write its members"):
        read_samples(tmp_path)
    (tmp_path / "log.json").unlink()
    (tmp_path / "log.csv").write_bytes("user,item\n1,2\n".encode("utf-16"))
    with pytest.raises(BadDataError, match=r"expected UTF-8, got UTF-16\."):
        read_samples(tmp_path)


def test_members_of_json_are_columns(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "log.jsonl.gz", "wt") as file:
        file.write('{"user": {"id": 7}, "liked": true}\nno json\n{"user": {"id": 8}, "x": "y"}\n')
    (sample,) = read_samples(tmp_path)
    assert sample.rows.to_pydict() == {
        "user.id": ["7", "8"],
        "liked": ["true", None],
        "x": [None, "y"],
    }


def test_columns_of_parquet_keep_their_types_and_structures_are_opened(tmp_path: Path) -> None:
    table = pa.table({"user": [{"id": 7}], "at": pa.array([5], pa.timestamp("ms"))})
    pq.write_table(table, tmp_path / "log.parquet")
    (sample,) = read_samples(tmp_path)
    assert sample.rows.column_names == ["user.id", "at"]
    assert pa.types.is_timestamp(sample.rows["at"].type)


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("No log.")
    with pytest.raises(BadConfigurationError, match=r"expected files ending in .*found none"):
        read_samples(tmp_path)
    (tmp_path / "log.xlsx").write_text("")
    with pytest.raises(BadConfigurationError, match=r"found others: \.xlsx"):
        read_samples(tmp_path)
    with pytest.raises(BadConfigurationError, match="found nothing"):
        read_samples(tmp_path / "nowhere")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(BadConfigurationError, match=r"log\.parquet: expected a whole"):
        read_samples(tmp_path)
