from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.errors import BadDataError
from components.tables import data_files
from schemas.posts import POSTS

COLUMNS = {
    "post_id": np.array([1, 2]),
    "author_id": np.array([3, 4]),
    "created_at": np.array([5, 1_767_312_000_000]),
    "eligible": np.array([True, False]),
    "duration_seconds": np.array([1.5, np.nan], np.float32),
    "tag": np.array(["x", None], object),
}


def test_tables_survive_the_file_and_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    table = data_files.arrow_table(POSTS, COLUMNS)
    for name in ("one", "other"):
        data_files.write(tmp_path / name, table)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    again = data_files.read(tmp_path / "one", POSTS)
    assert again.equals(table)
    assert again.to_pylist()[1]["duration_seconds"] is None
    assert data_files.columns(again)["created_at"].tolist() == COLUMNS["created_at"].tolist()


def test_a_file_that_breaks_the_contract_is_refused_by_name(tmp_path: Path) -> None:
    data_files.write(tmp_path / "posts", pa.table({"post_id": ["x"]}))
    with pytest.raises(BadDataError, match="posts: expected 'post_id' to be int64, got string"):
        data_files.read(tmp_path / "posts", POSTS)


def test_lists_keep_their_width_and_times_their_milliseconds() -> None:
    width = pa.list_(pa.field("element", pa.float32(), nullable=False), 2)
    table = pa.table({"values": pa.array([[1, 2], [3, 4], [5, 6]], width)})
    assert data_files.columns(table)["values"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert data_files.columns(table.slice(1))["values"].tolist() == [[3, 4], [5, 6]]


def test_equal_rows_give_equal_bytes_however_they_are_handed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "_GROUP_ROWS", 3)
    table = pa.concat_tables([data_files.arrow_table(POSTS, COLUMNS)] * 5)
    for size in (1, 2, 7, 10):
        with data_files.TableWriter(tmp_path / f"{size}", POSTS) as file:
            for start in range(0, len(table), size):
                file.write(table.slice(start, size))
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert data_files.read(tmp_path / "7", POSTS).equals(table)
