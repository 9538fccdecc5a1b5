import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import BadDataError, TryAgainError
from components.source import byte_streams, raw_files
from components.source.raw_rows import FileFormat, RawRows


def lines_and_cells(path: Path, column: str) -> list[tuple[int, str]]:
    found = []
    for rows in raw_files.read(path, [column]):
        found += zip(rows.lines.tolist(), rows.cells[column].to_pylist(), strict=True)
    return found


def test_rows_know_their_line_across_malformed_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n\n3\n4,5\n6,7,8\n9,9\n0\n")
    assert lines_and_cells(path, "a") == [(2, "1"), (5, "4"), (7, "9")]
    malformed = [line for rows in raw_files.read(path, ["a"]) for line, _ in rows.malformed]
    assert malformed == [4, 6, 8]


def test_lines_stay_right_from_block_to_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_files, "_BLOCK_BYTES", 200)
    path = tmp_path / "a.csv"
    rows = ["x" if n % 7 == 0 else f"{n},{n}" for n in range(2, 500)]
    path.write_text("a,b\n" + "\n".join(rows) + "\n")
    assert lines_and_cells(path, "b") == [(n, str(n)) for n in range(2, 500) if n % 7]


def test_a_quoted_line_break_is_part_of_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n"x\ny",1\n')
    assert lines_and_cells(path, "a") == [(2, "x\ny")]


def test_a_quote_is_a_character_where_the_form_says_so(tmp_path: Path) -> None:
    path = tmp_path / "news.tsv"
    path.write_text('id\t"title"\n1\t"Wheel" of\n2\t"The best\n3\tplain\n')
    (rows,) = raw_files.read(path, ["id", '"title"'], FileFormat(has_quotes=False))
    assert rows.cells['"title"'].to_pylist() == ['"Wheel" of', '"The best', "plain"]
    assert rows.lines.tolist() == [2, 3, 4]


def test_dictionary_columns_of_parquet_are_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array(["x", "y", "x"]).dictionary_encode()}), path)
    assert lines_and_cells(path, "a") == [(1, "x"), (2, "y"), (3, "x")]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_missing_column_or_an_empty_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    with pytest.raises(BadDataError, match=rf"{name}: expected a \w+ file, got an empty file"):
        list(raw_files.read(path, ["a"]))
    if name == "a.csv":
        path.write_text("b,c\n1,2\n")
    else:
        pq.write_table(pa.table({"b": [1], "c": [2]}), path)
    with pytest.raises(BadDataError, match="expected a column 'a', found the columns b, c"):
        list(raw_files.read(path, ["a"]))


def growing(rows: Iterator[RawRows], path: Path) -> Iterator[RawRows]:
    """Yields rows, and adds to their file after the first of them."""
    for n, part in enumerate(rows):
        if not n:
            with path.open("a") as file:
                file.write("8,9\n")
        yield part


def test_a_file_that_grows_while_it_is_read_is_to_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TryAgainError, match=r"a.csv changed while it was read"):
        list(growing(raw_files.read(path, ["a"]), path))
    assert lines_and_cells(path, "a") == [(2, "1"), (3, "8")], "it rests now"


def test_damage_of_a_file_that_is_being_written_is_no_damage_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and nothing yet")
    with pytest.raises(BadDataError, match="expected a whole Parquet file"):
        list(raw_files.read(path, ["a"]))
    monkeypatch.setattr(byte_streams, "check_regular", lambda file: file.write_bytes(b"PAR1 more"))
    with pytest.raises(TryAgainError, match=r"a.parquet changed while it was read"):
        list(raw_files.read(path, ["a"]))


def test_a_file_that_was_moved_away_is_to_be_looked_for_again(tmp_path: Path) -> None:
    with pytest.raises(TryAgainError, match="was there a moment ago and is gone"):
        raw_files.fingerprint(tmp_path / "a.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    with pytest.raises(BadDataError, match=r"link.csv"):
        raw_files.fingerprint(tmp_path / "link.csv")


def test_rows_call_their_file_as_they_are_told(tmp_path: Path) -> None:
    path = tmp_path / "part-0.csv"
    path.write_text("a,b\n1,2\n3\n")
    assert {rows.file for rows in raw_files.read(path, ["a"])} == {"part-0.csv"}
    assert {rows.file for rows in raw_files.read(path, ["a"], name="h=1/part-0.csv")} == {
        "h=1/part-0.csv"
    }


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_files, "_BLOCK_BYTES", 1 << 16)
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "123456789,123456789\n" * 800_000)
    pa.default_memory_pool().release_unused()
    tracemalloc.start()
    before, most = pa.total_allocated_bytes(), 0
    for _ in raw_files.read(path, ["a"]):
        most = max(most, pa.total_allocated_bytes() - before)
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most + traced < path.stat().st_size / 4
