import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.errors import TryAgainError
from components.store import leases, processes
from components.store.pointers import Pointer
from components.store.storage import Storage

NAME = "events/2026-01-01"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path))


def _other_process(storage: Storage, then: str) -> subprocess.Popen[str]:
    """A process that takes the lease, says so, and goes on with `then`."""
    code = f"""
import os, signal, time
from components.store import leases
from components.store.storage import Storage
with leases.hold(Storage({storage.url!r}), {NAME!r}) as lease:
    print(lease.token, flush=True)
    {then}
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_tokens_grow_with_every_holder(storage: Storage) -> None:
    tokens = []
    for _ in range(3):
        with leases.hold(storage, NAME) as lease:
            tokens.append(lease.token)
    assert tokens == sorted(set(tokens))


def test_a_held_lease_is_refused_with_the_name_of_the_holder(storage: Storage) -> None:
    with _other_process(storage, "time.sleep(60)") as process:
        try:
            with (
                pytest.raises(TryAgainError, match=f"{NAME} .* process {process.pid}"),
                leases.hold(storage, NAME),
            ):
                pass
            assert [(name, alive) for name, _, alive in leases.holders(storage)] == [(NAME, True)]
        finally:
            process.kill()


def test_of_two_who_come_at_one_moment_the_second_hears_of_a_writer(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, ends = storage.create, []

    def create_after_another(path: str, data: bytes) -> bool:
        if not ends:
            ends.append(create(path, data))  # the other one was first
        return create(path, data)

    monkeypatch.setattr(storage, "create", create_after_another)
    message = f"^{NAME} is being written by another process"
    with pytest.raises(TryAgainError, match=message), leases.hold(storage, NAME):
        pass


def test_the_lease_of_a_dead_process_is_taken_over_at_once(storage: Storage) -> None:
    with _other_process(storage, "os.kill(os.getpid(), signal.SIGKILL)") as process:
        assert process.wait() == -signal.SIGKILL
    assert [(name, alive) for name, _, alive in leases.holders(storage)] == [(NAME, False)]
    began = time.monotonic()
    with leases.hold(storage, NAME) as lease:
        assert lease.token > 1
    assert time.monotonic() - began < 2


def test_a_recycled_process_number_is_not_the_holder(storage: Storage) -> None:
    value = {
        "held": True,
        "pid": os.getpid(),
        "started": "a time at which this process did not start",
        "machine": processes.machine(),
    }
    Pointer(storage, f"leases/{NAME}").move(value, newest=None, reason="take the lease")
    with leases.hold(storage, NAME):
        pass


def _held_elsewhere(storage: Storage, *, age_seconds: float) -> None:
    value = {"held": True, "pid": 1, "started": "1", "machine": "another-machine"}
    Pointer(storage, f"leases/{NAME}").move(value, newest=None, reason="take the lease")
    beat = Path(storage.uri(f"pointers/leases/{NAME}/00000001.beat"))
    beat.write_bytes(b"")
    os.utime(beat, (time.time() - age_seconds,) * 2)


def test_another_machine_is_alive_while_its_heart_beats(storage: Storage) -> None:
    _held_elsewhere(storage, age_seconds=leases.LIFETIME_SECONDS / 2)
    with pytest.raises(TryAgainError, match="another-machine"), leases.hold(storage, NAME):
        pass


def test_another_machine_without_a_heartbeat_is_taken_over(storage: Storage) -> None:
    _held_elsewhere(storage, age_seconds=leases.LIFETIME_SECONDS + 1)
    with leases.hold(storage, NAME):
        pass


def test_a_holder_who_lost_the_lease_is_fenced(storage: Storage) -> None:
    with leases.hold(storage, NAME) as lease:
        lease.check()
        pointer = Pointer(storage, f"leases/{NAME}")
        pointer.move({"held": False}, newest=pointer.read(), reason="somebody took over")
        with pytest.raises(TryAgainError, match="taken over"):
            lease.check()


def test_the_heart_beats_while_the_lease_is_held(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.01)
    with leases.hold(storage, NAME) as lease:
        beat = f"pointers/leases/{NAME}/{lease.token:08d}.beat"
        before = storage.modified_at(beat)
        deadline = time.monotonic() + 10
        while storage.modified_at(beat) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert storage.modified_at(beat) > before
    assert not storage.exists(beat)


def test_released_leases_leave_one_small_entry(storage: Storage) -> None:
    for _ in range(5):
        with leases.hold(storage, NAME):
            pass
    assert len(storage.names(f"pointers/leases/{NAME}")) == 1
    assert leases.holders(storage) == []
