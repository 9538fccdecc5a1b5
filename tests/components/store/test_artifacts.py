import hashlib
import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract import ExitCode
from components.errors import BadDataError, TryAgainError
from components.store import formats, leases
from components.store.artifacts import Artifact, Recipe, Ref, Store, Unchanged
from components.store.formats import UnknownFormatError
from components.store.pointers import Pointer

NEWEST = formats.ARTIFACTS["ingest_events"]
RECIPE = Recipe(
    kind="ingest_events",
    partition="2026-01-01",
    inputs=[{"name": "log.csv", "sha256": "ab"}],
    config={"rows": 3},
    code="c0de",
    libraries={"numpy": "2"},
    seed=7,
)
FILES = {"data.bin": bytes(range(256)), "deep/er/note.txt": b"hello"}
WRITER = """
import sys, time
from components.store.artifacts import Recipe, Store
store, files, pause = Store(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
recipe = Recipe(kind="ingest_events", partition="2026-01-01", inputs=[], config={}, code="c",
                libraries={})
with store.write(recipe) as draft:
    print("writing", flush=True)
    for number in range(files):
        (draft.folder / f"{number}.bin").write_bytes(bytes([number]) * 50_000)
    draft.facts["files"] = files
    time.sleep(pause)
"""
NEWEST = formats.ARTIFACTS[RECIPE.kind]


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    is_local = request.param == "local"
    return Store(str(tmp_path / "store") if is_local else f"memory://{uuid.uuid4().hex}")


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def _write(store: Store, recipe: Recipe = RECIPE) -> Artifact:
    with store.write(recipe) as draft:
        for name, data in FILES.items():
            (draft.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (draft.folder / name).write_bytes(data)
        draft.facts["rows"] = 3
    ref = store.head(recipe.kind, recipe.partition)
    assert ref is not None
    return store.read(ref)


@contextmanager
def _writer(
    store: Store, num_files: int = 30, pause_seconds: float = 0.0
) -> Iterator[subprocess.Popen[str]]:
    """A process that has begun to write an artifact; waits for its end."""
    command = [sys.executable, "-c", WRITER, store.storage.url, str(num_files), str(pause_seconds)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process


def test_what_is_read_is_what_was_written(store: Store) -> None:
    artifact = _write(store)
    assert {name: artifact.path(name).read_bytes() for name in FILES} == FILES
    assert artifact.path("deep").is_dir()
    assert artifact.facts == {"rows": 3}
    assert artifact.manifest["recipe"]["inputs"] == [{"name": "log.csv", "sha256": "ab"}]


def test_who_has_just_written_an_artifact_opens_it_unread_and_everybody_else_verified(
    local: Store,
) -> None:
    written = _write(local)
    (written.folder / "data.bin").write_bytes(b"something else")
    assert local.artifact(written.ref) == written
    with pytest.raises(BadDataError, match="is damaged"):
        local.read(written.ref)


def test_one_file_can_be_read_alone(store: Store) -> None:
    ref = _write(store).ref
    assert store.read_file(ref, "deep/er/note.txt").read_bytes() == b"hello"
    with pytest.raises(BadDataError, match=r"no file 'other.txt'; it has \['data.bin'"):
        store.read_file(ref, "other.txt")


def test_the_same_recipe_is_not_made_twice(store: Store) -> None:
    artifact = _write(store)
    with pytest.raises(Unchanged) as caught:
        _write(store)
    assert caught.value.artifact.ref == artifact.ref


def test_equal_work_gives_equal_bytes_in_another_store(tmp_path: Path) -> None:
    refs = [_write(Store(str(tmp_path / name))).ref for name in ("one", "two")]
    assert refs[0] == refs[1]


def test_another_recipe_is_another_artifact_and_both_stay(store: Store) -> None:
    first = _write(store).ref
    second = _write(store, replace(RECIPE, seed=8)).ref
    assert store.head("ingest_events", "2026-01-01") == second
    assert store.read(first).ref == first


def _with_format(store: Store, version: object) -> Ref:
    """Writes an artifact and gives it a manifest that names another format, or none."""
    ref = _write(store).ref
    manifest = dict(store.manifest(ref))
    manifest.pop("format", None)
    data = json.dumps(manifest if version is None else {**manifest, "format": version}).encode()
    store.storage.replace(f"{ref.path}/manifest.json", data)
    ref = replace(ref, digest=hashlib.sha256(data).hexdigest())
    head = store.pointer(f"heads/{ref.kind}/{ref.partition}")
    seen = head.read()
    assert seen is not None
    head.move({**seen.value, "digest": ref.digest}, newest=seen, reason="another format")
    return ref


@pytest.mark.parametrize("version", [0, NEWEST + 1, "1", [1]])
def test_a_manifest_of_an_unknown_format_is_refused_by_name(version: object, store: Store) -> None:
    ref = _with_format(store, version)
    for read in (store.read, store.manifest, lambda ref: store.read_file(ref, "data.bin")):
        with pytest.raises(UnknownFormatError) as caught:
            read(ref)
        assert f"{ref} has format {version}, but" in str(caught.value)
        assert f"reads formats 1 to {NEWEST}:" in str(caught.value)
        assert caught.value.exit_code == ExitCode.BAD_DATA


def test_a_manifest_names_the_format_of_its_kind(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _write(store).manifest["format"] == NEWEST
    monkeypatch.setattr(formats, "ARTIFACTS", {RECIPE.kind: NEWEST + 1})
    later = _write(store, replace(RECIPE, seed=8))
    assert later.manifest["format"] == NEWEST + 1


def test_a_manifest_without_a_format_has_the_first(store: Store) -> None:
    ref = _with_format(store, None)
    assert "format" not in store.manifest(ref)
    assert store.read(ref).path("data.bin").read_bytes() == FILES["data.bin"]


def test_an_artifact_of_a_later_format_is_not_set_aside_as_damaged(store: Store) -> None:
    ref = _with_format(store, NEWEST + 1)
    with pytest.raises(UnknownFormatError):
        _write(store)
    assert store.holds(ref)
    assert store.storage.names("damaged") == []


def test_going_back_to_an_earlier_recipe_moves_the_head_back(store: Store) -> None:
    first = _write(store).ref
    _write(store, replace(RECIPE, seed=8))
    with pytest.raises(Unchanged):
        _write(store)
    assert store.head("ingest_events", "2026-01-01") == first


@given(
    field=st.sampled_from(["kind", "partition", "inputs", "config", "code", "libraries", "seed"]),
)
def test_every_part_of_a_recipe_is_in_the_key(field: str) -> None:
    other = {"inputs": [], "config": {}, "libraries": {}, "seed": None}.get(field, "other")
    assert replace(RECIPE, **{field: other}).key != RECIPE.key


def test_the_order_of_a_configuration_is_not_in_the_key() -> None:
    config = {"a": 1, "b": 2}
    backwards = dict(reversed(config.items()))
    assert replace(RECIPE, config=config).key == replace(RECIPE, config=backwards).key


def test_a_failure_leaves_nothing(store: Store) -> None:
    folders = []

    def fail_half_way() -> None:
        with store.write(RECIPE) as draft:
            folders.append(draft.folder)
            (draft.folder / "half.bin").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert store.head("ingest_events", "2026-01-01") is None
    assert store.storage.names("ingest_events") == []
    assert leases.holders(store.storage) == []
    assert not folders[0].exists()
    _write(store)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_flipped_bit_is_refused_by_the_name_of_the_file_and_mended_by_a_rerun(
    local: Store, name: str
) -> None:
    artifact = _write(local)
    path = artifact.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadDataError, match=f"{name}.* damaged"):
        local.read(artifact.ref)
    rebuilt = _write(local)
    assert rebuilt.ref == artifact.ref
    assert local.storage.names("damaged") == [f"ingest_events-2026-01-01-{RECIPE.key}"]


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_removed_file_is_refused_by_its_name(local: Store, name: str) -> None:
    artifact = _write(local)
    (artifact.folder / name).unlink()
    for check in (local.read, local.check_sizes):
        with pytest.raises(BadDataError, match=f"{name}.* Run the step ingest_events"):
            check(artifact.ref)


def test_a_file_of_another_size_is_told_without_reading_it(store: Store) -> None:
    ref = _write(store).ref
    store.check_sizes(ref)
    name = next(name for name, data in FILES.items() if data)
    store.storage.replace(f"{ref.path}/{name}", FILES[name] + b"!")
    with pytest.raises(BadDataError, match=f"{name} is damaged: its manifest says .* bytes, found"):
        store.check_sizes(ref)


def test_a_partition_that_was_removed_is_built_again_byte_for_byte(local: Store) -> None:
    ref = _write(local).ref
    local.storage.remove("ingest_events/2026-01-01")
    assert local.head("ingest_events", "2026-01-01") is None
    assert local.partitions("ingest_events") == []
    assert local.heads() == local.newest_of("ingest_events") == [ref]
    assert list(local.versions("ingest_events")) == [ref]
    assert _write(local).ref == ref


def test_an_artifact_holds_no_links(local: Store, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"can change")
    with pytest.raises(ValueError, match="'inside' is a link"), local.write(RECIPE) as draft:
        (draft.folder / "inside").symlink_to(tmp_path / "outside")


@pytest.mark.parametrize("name", ["../up", "a/b", "", "Upper", ".hidden"])
def test_kinds_and_partitions_cannot_name_other_places(local: Store, name: str) -> None:
    for recipe in (replace(RECIPE, kind=name), replace(RECIPE, partition=name)):
        with pytest.raises(ValueError, match="kind or partition"), local.write(recipe):
            pass


def test_not_a_number_never_gets_into_a_manifest(local: Store) -> None:
    with pytest.raises(ValueError, match="Out of range float"), local.write(RECIPE) as draft:
        draft.facts["loss"] = float("nan")
    assert local.head("ingest_events", "2026-01-01") is None


def test_of_two_processes_on_one_partition_one_is_told_to_try_again(local: Store) -> None:
    with _writer(local, 3, 60.0) as winner:
        try:
            with pytest.raises(TryAgainError, match=f"process {winner.pid}"):
                _write(local)
        finally:
            winner.kill()
    _write(local)


def test_a_writer_who_lost_the_lease_publishes_nothing(local: Store) -> None:
    lease = Pointer(local.storage, "leases/ingest_events/2026-01-01")
    with pytest.raises(TryAgainError, match="taken over"), local.write(RECIPE):
        lease.move({"held": False}, newest=lease.read(), reason="somebody took over")
    assert local.head("ingest_events", "2026-01-01") is None
    assert local.storage.names("ingest_events") == []


def test_a_head_is_never_moved_back_by_an_older_token(local: Store) -> None:
    ref = _write(local).ref
    head = local.pointer("heads/ingest_events/2026-01-01")
    value = {"key": "newer", "digest": "newer", "token": 1_000}
    head.move(value, newest=head.read(), reason="written")
    with pytest.raises(TryAgainError, match="later holder"):
        _write(local, replace(RECIPE, seed=8))
    assert local.read(ref).ref == ref


def test_killed_at_any_moment_nothing_half_is_visible_and_a_rerun_gives_equal_bytes(
    tmp_path: Path,
) -> None:
    whole = Store(str(tmp_path / "whole"))
    with _writer(whole) as process:
        began = time.monotonic()
        assert process.wait() == 0
        duration = time.monotonic() - began
    expected = whole.head("ingest_events", "2026-01-01")
    assert expected is not None
    moments = random.Random(0)
    for number in range(12):
        store = Store(str(tmp_path / str(number)))
        with _writer(store) as process:
            time.sleep(moments.uniform(0, duration))
            process.kill()
        _assert_nothing_half(store)
        was_finished = store.head("ingest_events", "2026-01-01") is not None
        if not was_finished:
            with _writer(store) as process:
                assert process.wait() == 0
            assert store.storage.drafts() == []
        store.read(expected)
        assert store.head("ingest_events", "2026-01-01") == expected


def _assert_nothing_half(store: Store) -> None:
    for key in store.storage.names("ingest_events/2026-01-01"):
        manifest = store.storage.read(f"ingest_events/2026-01-01/{key}/manifest.json")
        files = json.loads(manifest)["files"]
        there = set(store.storage.names(f"ingest_events/2026-01-01/{key}"))
        assert there == {*files, "manifest.json"}
    head = store.head("ingest_events", "2026-01-01")
    if head is not None:
        store.read(head)


def test_an_artifact_whose_maker_died_before_the_head_moved_is_not_trusted(local: Store) -> None:
    ref = _write(local).ref
    local.storage.remove("pointers/heads/ingest_events")
    assert local.head("ingest_events", "2026-01-01") is None
    assert _write(local).ref == ref


def test_a_reference_reads_as_a_name_for_people() -> None:
    ref = Ref("ingest_events", "2026-01-01", "0123456789abcdef", "d")
    assert str(ref) == "ingest_events of 2026-01-01 (0123456789ab)"
    assert ref.path == "ingest_events/2026-01-01/0123456789abcdef"
