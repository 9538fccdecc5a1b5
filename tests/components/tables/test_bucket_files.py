from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import BadDataError
from components.store import table_digests
from components.tables import bucket_files, data_files
from components.tables.bucket_files import BucketFiles, BucketWriter
from schemas.buckets import NUM_SLOTS
from schemas.columns import TEXT_CODES, Column, Table, id_column

users = st.lists(st.integers(1, 60) | st.integers(1, 2**62), max_size=80)


def rows_of(user_ids: list[int]) -> pa.Table:
    """Rows that know their place in the source."""
    count = len(user_ids)
    return pa.table(
        {
            "place": pa.array(range(count), pa.int64()),
            "user_id": pa.array(user_ids, pa.int64()),
            "text": pa.array([f"row {n}" if n % 3 else None for n in range(count)], pa.string()),
        }
    )


def by_definition(rows: pa.Table, slots: range) -> list[dict]:
    """The rows of some slots: slot by slot, and in a slot as in the source."""
    listed = rows.to_pylist()
    slot_of = dict(zip(rows["user_id"].to_pylist(), slots_of(rows), strict=True))
    return [row for slot in slots for row in listed if slot_of[row["user_id"]] == slot]


def slots_of(rows: pa.Table) -> list[int]:
    return bucket_files.slots_of(rows["user_id"].to_numpy()).tolist()


def digest(folder: Path) -> dict:
    return table_digests.of_folder(folder, [path.name for path in folder.iterdir()])


@settings(deadline=None, max_examples=25)
@given(users, st.sampled_from([1, 2, 8, 64]), st.integers(0, 64), st.integers(0, 64))
def test_rows_are_read_by_slots_whatever_the_number_of_files(
    tmp_path_factory: pytest.TempPathFactory, users: list[int], count: int, one: int, other: int
) -> None:
    folder, rows = tmp_path_factory.mktemp("table"), rows_of(users)
    bucket_files.write(folder, "t.parquet", rows, num_buckets=count, most=7)
    paths = bucket_files.paths(folder, "t.parquet")
    assert len(paths) == count
    files = BucketFiles(paths)
    slots = range(*sorted((one, other)))
    assert files.of_slots(slots).to_pylist() == by_definition(rows, slots)
    assert files.read().to_pylist() == by_definition(rows, range(NUM_SLOTS))
    assert files.slot_sizes().tolist() == np.bincount(slots_of(rows), minlength=64).tolist()
    # The same rows in one file, and in the one of an earlier format, which knows no slots.
    alone, old = folder / "alone", folder / "old.parquet"
    alone.mkdir()
    bucket_files.write(alone, "t.parquet", rows, num_buckets=1, most=7)
    assert digest(alone)["t.parquet"] == digest(folder)["t.parquet"]
    pq.write_table(rows, old)
    assert BucketFiles([old]).of_slots(slots).to_pylist() == by_definition(rows, slots)
    assert BucketFiles([old]).read(["place"]).column_names == ["place"]


@settings(deadline=None, max_examples=25)
@given(users, st.sampled_from([1, 2, 8, 64]))
def test_rows_of_a_user_are_found_where_users_are_in_order(
    tmp_path_factory: pytest.TempPathFactory, users: list[int], count: int
) -> None:
    folder, users = tmp_path_factory.mktemp("table"), sorted(users)
    bucket_files.write(folder, "t.parquet", rows_of(users), num_buckets=count, most=7)
    files = BucketFiles(bucket_files.paths(folder, "t.parquet"))
    for user in users[:3]:
        rows = files.of_user(user)["place"].to_pylist()
        assert rows == [n for n, each in enumerate(users) if each == user]


def test_ids_in_steps_spread_over_the_slots() -> None:
    for step in (1, 2, 64, 1000, 1 << 20, 1 << 40):
        sizes = np.bincount(bucket_files.slots_of(np.arange(1, 64_001) * step), minlength=NUM_SLOTS)
        assert sizes.min() > 800
        assert sizes.max() < 1200


def test_other_rows_or_another_order_have_another_digest(tmp_path: Path) -> None:
    found = []
    for number, rows in enumerate(
        (rows_of([1, 1, 2]), rows_of([1, 2, 2]), rows_of([1, 1, 2]).take([1, 0, 2]))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        bucket_files.write(folder, "t.parquet", rows, num_buckets=2)
        found.append(digest(folder)["t.parquet"]["sha256"])
    assert len(set(found)) == 3


def test_a_slot_that_was_closed_is_not_opened_again(tmp_path: Path) -> None:
    rows = rows_of([1])
    with BucketWriter(tmp_path, "t.parquet", rows.schema, num_buckets=1) as writer:
        writer.write([(45, rows)])
        with pytest.raises(ValueError, match="Slot 3 comes after slot 45"):
            writer.write([(3, rows)])


def test_a_slot_with_many_rows_is_read_in_parts(tmp_path: Path) -> None:
    rows = rows_of([5] * 20 + [7])
    bucket_files.write(tmp_path, "t.parquet", rows, num_buckets=1, most=8)
    paths = bucket_files.paths(tmp_path, "t.parquet")
    assert sorted(BucketFiles(paths).piece_sizes.tolist()) == [1, 4, 8, 8]
    assert BucketFiles(paths).of_user(5)["place"].to_pylist() == list(range(20))


def test_a_table_of_which_a_file_is_missing_is_refused(tmp_path: Path) -> None:
    bucket_files.write(tmp_path, "t.parquet", rows_of([1, 2, 3]), num_buckets=4)
    (tmp_path / "t-00002-of-00004.parquet").unlink()
    with pytest.raises(BadDataError, match=r"expected t.parquet, in one file or in all of several"):
        bucket_files.paths(tmp_path, "t.parquet")
    with pytest.raises(ValueError, match=r"The files of t.parquet are not whole"):
        digest(tmp_path)


def test_texts_of_which_there_are_few_are_codes_until_a_whole_table_is_asked_for(
    tmp_path: Path,
) -> None:
    columns = (
        id_column("user_id", "Who."),
        Column(name="file", type=pa.string(), description="Where.", is_nullable=True),
    )
    table = Table("rows", "Rows.", columns)
    files = ["a.csv", None, "b.csv", "a.csv"]
    rows = pa.Table.from_pydict({"user_id": [1, 2, 3, 4], "file": files}, schema=table.schema())
    bucket_files.write(tmp_path, "t.parquet", rows, num_buckets=2)
    paths = bucket_files.paths(tmp_path, "t.parquet")
    codes = BucketFiles.of_contract(paths, table).of_slots(range(NUM_SLOTS))
    assert codes.schema.field("file").type == TEXT_CODES
    whole = bucket_files.read(paths, table)
    assert whole.schema == table.schema()
    assert whole.to_pylist() == codes.to_pylist() == by_definition(rows, range(NUM_SLOTS))
    # Beside texts, of a day that was corrected, say, they stay codes.
    joined = data_files.concatenate(table, [whole, codes])
    assert joined.schema.field("file").type == TEXT_CODES
    assert joined.to_pylist() == whole.to_pylist() * 2
