import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import BadConfigurationError, BadDataError
from components.source import raw_files


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


def test_files_are_found_in_order_of_their_names(tmp_path: Path) -> None:
    for name in ("log_2.csv", "log_1.csv", "other.csv"):
        (tmp_path / name).touch()
    found = raw_files.find(f"{tmp_path}/log_*.csv", what="events")
    assert [path.name for path in found] == ["log_1.csv", "log_2.csv"]
    with pytest.raises(BadConfigurationError, match="events: expected at least one file"):
        raw_files.find(f"{tmp_path}/none.csv", what="events")
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(BadConfigurationError, match=r"expected files ending in .parquet"):
        raw_files.find(f"{tmp_path}/a.xlsx", what="events")


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
