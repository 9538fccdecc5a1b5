import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from components.errors import BadDataError, TryAgainError
from components.store.formats import UnknownFormatError
from components.store.pointers import Pointer, default_actor
from components.store.storage import Storage

NUM_PROCESSES = 8
MOVES_EACH = 12


@pytest.fixture(params=["local", "memory"])
def pointer(request: pytest.FixtureRequest, tmp_path: Path) -> Pointer:
    url = str(tmp_path) if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    return Pointer(Storage(url), "live")


def test_a_pointer_that_was_never_moved_has_no_value(pointer: Pointer) -> None:
    assert pointer.read() is None
    assert pointer.log() == []


def test_the_log_keeps_every_value_with_who_and_why(pointer: Pointer) -> None:
    first = pointer.move({"day": 1}, newest=None, reason="begin", actor="ann")
    second = pointer.move({"day": 2}, newest=first, reason="go on", actor="bob")
    assert pointer.read() == second
    assert [(e.value["day"], e.actor, e.reason) for e in pointer.log()] == [
        (1, "ann", "begin"),
        (2, "bob", "go on"),
    ]


def test_a_move_on_stale_knowledge_is_refused_and_changes_nothing(pointer: Pointer) -> None:
    first = pointer.move({"day": 1}, newest=None, reason="begin")
    second = pointer.move({"day": 2}, newest=first, reason="go on")
    for stale in (None, first):
        with pytest.raises(TryAgainError, match="moved by somebody else"):
            pointer.move({"day": 3}, newest=stale, reason="late")
    assert pointer.read() == second


@pytest.mark.parametrize("damage", [b"", b'{"number": 1, "val', b"{}", b"[1]", b"\xff"])
def test_a_damaged_entry_is_refused_by_name_and_counts_no_more_when_removed(
    pointer: Pointer, damage: bytes
) -> None:
    first = pointer.move({"day": 1}, newest=None, reason="begin")
    pointer.move({"day": 2}, newest=first, reason="go on")
    pointer._storage.replace("pointers/live/00000002.json", damage)
    with pytest.raises(BadDataError, match=r"pointers/live/00000002.json .* is damaged"):
        pointer.read()
    pointer._storage.remove("pointers/live/00000002.json")
    assert pointer.read() == first


def test_an_entry_of_an_unknown_format_is_refused_by_name(pointer: Pointer) -> None:
    entry = pointer.move({"day": 1}, newest=None, reason="begin")
    path = "pointers/live/00000001.json"
    pointer._storage.replace(path, json.dumps({**vars(entry), "format": 1}).encode())
    assert pointer.read() == entry
    pointer._storage.replace(path, json.dumps({**vars(entry), "format": 2, "new": 0}).encode())
    with pytest.raises(UnknownFormatError, match=f"{path} has format 2, but"):
        pointer.read()


def test_a_foreign_file_beside_the_entries_is_ignored(pointer: Pointer) -> None:
    first = pointer.move({"day": 1}, newest=None, reason="begin")
    pointer._storage.replace("pointers/live/notes.json", b"{}")
    assert pointer.log() == [first]


def test_forgetting_keeps_the_value_and_the_numbering(pointer: Pointer) -> None:
    entry = None
    for day in range(5):
        entry = pointer.move({"day": day}, newest=entry, reason="go on")
    assert entry is not None
    pointer.forget_before(entry.number)
    assert pointer.log() == [entry]
    assert pointer.move({"day": 5}, newest=entry, reason="go on").number == entry.number + 1


def test_more_than_ten_entries_stay_in_order(pointer: Pointer) -> None:
    entry = None
    for day in range(12):
        entry = pointer.move({"day": day}, newest=entry, reason="go on")
    assert [e.value["day"] for e in pointer.log()] == list(range(12))


def test_eight_processes_lose_no_move(tmp_path: Path) -> None:
    code = f"""
import sys
from components.errors import BadDataError, TryAgainError
from components.store.pointers import Pointer
from components.store.storage import Storage
pointer = Pointer(Storage({str(tmp_path)!r}), "live")
sys.stdin.read(1)
done = 0
while done < {MOVES_EACH}:
    seen = pointer.read()
    count = seen.value["count"] if seen else 0
    try:
        pointer.move({{"count": count + 1}}, newest=seen, reason="count")
        done += 1
    except TryAgainError:
        pass
"""
    workers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
        for _ in range(NUM_PROCESSES)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"g")
        worker.stdin.close()
    assert [worker.wait() for worker in workers] == [0] * NUM_PROCESSES
    log = Pointer(Storage(str(tmp_path)), "live").log()
    expected = list(range(1, NUM_PROCESSES * MOVES_EACH + 1))
    assert [entry.value["count"] for entry in log] == expected


def test_an_entry_is_readable_json_for_people(tmp_path: Path) -> None:
    Pointer(Storage(str(tmp_path)), "live").move({"day": 1}, newest=None, reason="begin")
    entry = json.loads((tmp_path / "pointers/live/00000001.json").read_text())
    assert entry["reason"] == "begin"
    assert entry["moved_at"].endswith("+00:00")


def test_the_default_actor_names_the_airflow_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "@" in default_actor()
    monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "backfill__7")
    assert default_actor().endswith("(backfill__7)")
