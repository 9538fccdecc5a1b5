from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.rows.day_parts import held_rows
from components.rows.day_parts.held_rows import HeldRows
from components.tables import bucket_files


@pytest.mark.parametrize("held_bytes", [0, 500, 1 << 20])
def test_rows_come_back_by_bucket_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_bytes: int
) -> None:
    monkeypatch.setattr(held_rows, "_HELD_BYTES", held_bytes)
    table = pa.table({"user_id": np.arange(100) % 17, "place": np.arange(100)})
    rows = HeldRows(tmp_path, 8, table.schema)
    for start in range(0, 100, 9):
        rows.add(table.slice(start, 9))
    assert any(tmp_path.iterdir()) == (held_bytes < 1_000), "what is too much waits in files"
    parts = [rows.take(bucket) for bucket in range(8)]
    assert rows.num_rows == 100
    for bucket, part in enumerate(parts):
        slots = bucket_files.slots_of(part["user_id"].to_numpy())
        assert set(slots) <= set(bucket_files.slots_of_bucket(bucket, 8))
        assert (np.diff(part["place"].to_numpy()) > 0).all()
    assert sorted(pa.concat_tables(parts)["place"].to_pylist()) == list(range(100))
    assert not any(tmp_path.iterdir())


def test_without_rows_every_bucket_has_the_columns_of_none(tmp_path: Path) -> None:
    schema = pa.schema([("user_id", pa.int64())])
    rows = HeldRows(tmp_path, 2, schema)
    assert [rows.take(bucket).schema for bucket in (0, 1)] == [schema, schema]
