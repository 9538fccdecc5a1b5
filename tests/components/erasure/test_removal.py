import datetime
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.contract import ExitCode
from components.erasure import removal, search
from components.erasure.removal import OldVersion
from components.settings.loading import load
from components.store import leases
from components.store.artifacts import Recipe, Ref, Store
from tests.components.small_log import Deployment

DAY = "2026-01-02"
SOURCE = "ingest_events: {source: {layout: kuairand, path: source}, erased_users: forget.txt}\n"


@pytest.fixture
def store(deployment: Deployment) -> Store:
    """The store of a deployment in which user 7 is to be forgotten."""
    (deployment.root / "forget.txt").write_text("7\n")
    deployment.configure(SOURCE)
    return deployment.store


def write(store: Store, version: int, users: Sequence[int], partition: str = DAY) -> Ref:
    """Writes a version of an artifact, which is current from then on."""
    recipe = Recipe(
        kind="ingest_events",
        partition=partition,
        inputs=[],
        config={"version": version},
        code="code",
        libraries={},
    )
    with store.write(recipe) as draft:
        pq.write_table(pa.table({"user_id": list(users)}), draft.folder / "events.parquet")
        pq.write_table(pa.table({"user_id": list(users)}), draft.folder / "late.parquet")
    ref = store.head(recipe.kind, partition)
    assert ref is not None
    return ref


def old_versions(deployment: Deployment) -> list[OldVersion]:
    config = load(deployment.root / "phoenix.yaml")
    return removal.old_versions(deployment.store, search.traces(deployment.store, config))


def remove(deployment: Deployment) -> list[OldVersion]:
    return list(removal.remove(deployment.store, old_versions(deployment)))


def test_old_versions_with_forgotten_users_go_and_all_others_stay(
    deployment: Deployment, store: Store
) -> None:
    one, two, three = (write(store, n, users) for n, users in enumerate(([7, 8], [8], [7])))
    (version,) = remove(deployment)
    assert (version.key, version.rows, version.is_removed) == (one.key, 2, True)
    assert not store.storage.exists(one.path)
    assert store.read(two)
    assert store.head("ingest_events", DAY) == three, "what is current is never removed"
    assert old_versions(deployment) == []


def test_what_is_live_stays_and_what_was_says_which_rollback_it_ends(
    deployment: Deployment, store: Store
) -> None:
    once, now, last = (write(store, number, [7]) for number in range(3))
    live, newest = store.pointer("live"), None
    for ref in (once, now):
        value = {"release": asdict(last), "feeds": asdict(ref), "day": ref.partition}
        newest = live.move(value, newest=newest, reason="published")
    by_key = {version.key: version for version in remove(deployment)}
    assert by_key[once.key].is_removed
    assert by_key[once.key].loss == f"a rollback to the release of {DAY}"
    obstacle = by_key[now.key].obstacle or ""
    assert f"phoenix step materialize_feeds --day {DAY}" in obstacle
    assert store.read(now)


@pytest.mark.parametrize("name", [f"ingest_events/{DAY}", f"build_features/{DAY}"])
def test_what_a_running_step_may_read_or_make_again_stays(
    deployment: Deployment, store: Store, name: str
) -> None:
    old = write(store, 1, [7])
    write(store, 2, [8])
    with leases.hold(store.storage, name):
        (version,) = remove(deployment)
        assert f"{name} is being written by process {os.getpid()}" in (version.obstacle or "")
    assert store.read(old)
    (version,) = remove(deployment)
    assert version.is_removed


def test_a_step_that_began_long_after_a_version_was_replaced_does_not_need_it(
    deployment: Deployment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, 1, [7])
    write(store, 2, [8])
    monkeypatch.setattr(removal, "_READING", datetime.timedelta(0))
    with leases.hold(store.storage, "build_features/2026-01-09"):
        (version,) = remove(deployment)
    assert version.is_removed


def test_a_version_that_has_become_current_since_it_was_listed_stays(
    deployment: Deployment, store: Store
) -> None:
    old = write(store, 1, [7])
    write(store, 2, [8])
    listed = old_versions(deployment)
    store.pointer(f"heads/ingest_events/{DAY}").move(
        {"key": old.key, "digest": old.digest, "token": 9},
        newest=store.pointer(f"heads/ingest_events/{DAY}").read(),
        reason="the list was taken back",
    )
    (version,) = removal.remove(store, listed)
    assert "current" in (version.obstacle or "")
    assert store.read(old)


def test_a_version_that_is_set_aside_goes_and_so_does_one_that_nobody_can_read(
    deployment: Deployment, store: Store
) -> None:
    damaged, cut = write(store, 1, [7]), write(store, 2, [8])
    write(store, 3, [8])
    for ref in (damaged, cut):
        store.storage.move_aside(ref.path, f"damaged/ingest_events-{DAY}-{ref.key}")
    file = Path(store.storage.uri(f"damaged/ingest_events-{DAY}-{cut.key}/late.parquet"))
    file.write_bytes(file.read_bytes()[:50])
    versions = {version.key: version for version in remove(deployment)}
    assert (versions[damaged.key].rows, versions[cut.key].unreadable_files) == (2, 1)
    assert store.storage.names("damaged") == []


def test_whoever_is_killed_in_the_middle_is_followed_by_one_who_finishes(
    deployment: Deployment, store: Store
) -> None:
    refs = [write(store, number, [7]) for number in range(3)]
    last = write(store, 9, [8])
    program = """
import os, signal, sys
from pathlib import Path
from components.cli.app import app
from components.store.storage import Storage
remove = Storage.remove
def remove_half(storage, path):
    if path.startswith("ingest_events/") and not path.endswith(".json"):
        Path(storage.uri(path), "events.parquet").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    remove(storage, path)
Storage.remove = remove_half
app(["gc", "--erased", "--remove", "--config", sys.argv[1]])
"""
    path = str(deployment.root / "phoenix.yaml")
    killed = subprocess.run([sys.executable, "-c", program, path], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    rows = sorted(version.rows for version in old_versions(deployment))
    assert rows == [1, 2, 2], "the half that is left is found"
    assert all(version.is_removed for version in remove(deployment))
    assert not any(store.storage.exists(ref.path) for ref in refs)
    assert store.head("ingest_events", DAY) == last


def test_two_at_once_remove_every_version_once(deployment: Deployment, store: Store) -> None:
    for number in range(12):
        write(store, number, [7], partition=f"2026-01-{number % 4 + 1:02d}")
    for number in range(4):
        write(store, 99, [8], partition=f"2026-01-{number + 1:02d}")
    argv = ["gc", "--erased", "--remove", "--config", str(deployment.root / "phoenix.yaml")]
    program = "import sys; from components.cli.app import app; sys.exit(app(sys.argv[1:]))"
    both = [
        subprocess.Popen([sys.executable, "-c", program, *argv], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for each in both:
        _, complaints = each.communicate(timeout=120)
        # Who meets the other at a partition leaves it, and says so.
        assert each.returncode in (ExitCode.DONE, ExitCode.TRY_AGAIN), complaints
        assert b"Traceback" not in complaints
    assert all(version.is_removed for version in remove(deployment))
    assert old_versions(deployment) == []
    assert len(store.partitions("ingest_events")) == 4
