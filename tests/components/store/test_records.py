import json
from pathlib import Path

import pytest

from components.errors import BadDataError
from components.store import records
from components.store.artifacts import Store
from components.store.formats import UnknownFormatError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def _record(step: str, status: str = "done", **more: object) -> dict:
    return {
        "step": step,
        "day": "2026-01-01",
        "options": {},
        "started_at": "2026-01-02T00:00:00",
        "seconds": 5.0,
        "exit_code": 0,
        "status": status,
    } | more


def test_records_come_back_in_the_order_of_their_start(store: Store) -> None:
    records.write(store, _record("b", started_at="2026-01-02T00:00:02"))
    records.write(store, _record("a", started_at="2026-01-02T00:00:03"))
    records.write(store, _record("c", started_at="2026-01-02T00:00:01"))
    assert [record["step"] for record in records.read(store, "2026-01-01")] == ["c", "b", "a"]
    assert records.days(store) == ["2026-01-01"]


def _shard(shard: int, num_shards: int, status: str = "done") -> dict:
    return _record("feeds", status, options={"shard": shard, "num_shards": num_shards})


def test_every_shard_has_its_own_record(store: Store) -> None:
    for shard in (0, 1, 11):
        records.write(store, _shard(shard, 12))
    assert len(records.read(store, "2026-01-01")) == 3


def test_shards_of_another_cut_are_forgotten_once_a_shard_succeeds(store: Store) -> None:
    records.write(store, _record("train"))
    for shard in range(4):
        records.write(store, _shard(shard, 4))
    records.write(store, _shard(2, 2, "failed"))
    assert len(records.read(store, "2026-01-01")) == 5
    records.write(store, _shard(0, 2))
    left = [record["options"] for record in records.read(store, "2026-01-01")]
    assert sorted(left, key=str) == [{"shard": 0, "num_shards": 2}, {}]


def test_a_run_with_nothing_to_do_does_not_forget_how_long_the_work_took(store: Store) -> None:
    records.write(store, _record("a"))
    later = _record("a", "unchanged", seconds=0.1, started_at="2026-01-03T00:00:00")
    records.write(store, later)
    (record,) = records.read(store, "2026-01-01")
    assert record["status"] == "unchanged"
    assert record["made"] == {"started_at": "2026-01-02T00:00:00", "seconds": 5.0}


def test_a_record_changes_the_fingerprint_of_its_day_alone(store: Store) -> None:
    days = ("2026-01-01", "2026-01-02")
    before = [records.fingerprint(store, day) for day in days]
    records.write(store, _record("a"))
    after = [records.fingerprint(store, day) for day in days]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True]


def test_a_record_without_a_format_has_the_first_and_another_is_refused(store: Store) -> None:
    records.write(store, _record("a"))
    (record,) = records.read(store, "2026-01-01")
    assert record["format"] == 1
    path = "records/2026-01-01/a.json"
    store.storage.replace(path, json.dumps(_record("a")).encode())
    assert records.read(store, "2026-01-01") == [_record("a")]
    store.storage.replace(path, json.dumps(_record("a", format=2)).encode())
    with pytest.raises(UnknownFormatError, match=f"{path} has format 2, but"):
        records.read(store, "2026-01-01")


@pytest.mark.parametrize("content", ["{", "[]", "3", "{}", '{"step": "a", "day": 3}'])
def test_a_damaged_record_is_refused_by_name_and_replaced_by_the_next_run(
    content: str, store: Store
) -> None:
    records.write(store, _record("a"))
    (path,) = Path(store.storage.uri("records/2026-01-01")).iterdir()
    path.write_text(content)
    with pytest.raises(BadDataError, match=r"a\.json is damaged: .* Remove it"):
        records.read(store, "2026-01-01")
    records.write(store, _record("a", status="unchanged"))
    assert [record["status"] for record in records.read(store, "2026-01-01")] == ["unchanged"]
