from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.store import table_digests
from components.tables import bucket_files

ROWS = pa.table({"user_id": pa.array([1, 2, 3, 1], pa.int64()), "n": [1, 2, 3, 4]})


def digests(folder: Path) -> dict:
    return table_digests.of_folder(folder, [path.name for path in folder.iterdir()])


def test_a_table_has_one_digest_in_any_number_of_files(tmp_path: Path) -> None:
    found = []
    for count in (1, 2, 64):
        folder = tmp_path / str(count)
        folder.mkdir()
        bucket_files.write(folder, "events.parquet", ROWS, num_buckets=count)
        found.append(digests(folder))
    assert found[0] == found[1] == found[2]
    assert found[0]["events.parquet"]["rows"] == 4


def test_the_schema_is_in_the_digest(tmp_path: Path) -> None:
    found = []
    for number, rows in enumerate((ROWS, ROWS.replace_schema_metadata({"release": "a"}))):
        folder = tmp_path / str(number)
        folder.mkdir()
        bucket_files.write(folder, "events.parquet", rows, num_buckets=2)
        found.append(digests(folder)["events.parquet"]["sha256"])
    assert found[0] != found[1]


def test_files_that_know_no_slots_are_no_tables_of_users(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "posts.parquet")
    (tmp_path / "report.json").write_text("{}")
    assert digests(tmp_path) == {}
