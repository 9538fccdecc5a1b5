import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import BadConfigurationError
from components.store import processes
from components.store.storage import MANIFEST, Storage


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    is_local = request.param == "local"
    return Storage(str(tmp_path / "store") if is_local else f"memory://{uuid.uuid4().hex}")


def _folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def test_a_url_that_nothing_here_can_open_is_a_configuration_error() -> None:
    with pytest.raises(BadConfigurationError, match="store: s33://bucket cannot be opened"):
        Storage("s33://bucket")


def test_create_never_overwrites(storage: Storage) -> None:
    assert storage.create("a/b.json", b"first")
    assert not storage.create("a/b.json", b"second")
    assert storage.read("a/b.json") == b"first"


def test_replace_overwrites(storage: Storage) -> None:
    storage.replace("a/b.json", b"first")
    storage.replace("a/b.json", b"second")
    assert storage.read("a/b.json") == b"second"


def test_names_are_those_directly_below_and_sorted(storage: Storage) -> None:
    for path in ("k/b/1", "k/a/1", "k/c"):
        storage.replace(path, b"")
    assert storage.names("k") == ["a", "b", "c"]
    assert storage.names("nothing") == []


def test_files_are_those_at_any_depth_by_their_path_below_a_folder(storage: Storage) -> None:
    for name in ("a/c.json", "a/b/d.json", "e.json"):
        storage.create(name, b"")
    assert storage.files("a") == ["b/d.json", "c.json"]
    assert storage.files("missing") == []


def test_sizes_are_those_of_all_files_below_a_folder(storage: Storage) -> None:
    storage.create("a/b/one", b"12")
    storage.create("a/two", b"")
    assert storage.sizes("a") == {"b/one": 2, "two": 0}
    assert storage.sizes("nowhere") == {}


def test_a_published_folder_is_the_same_when_fetched(storage: Storage, tmp_path: Path) -> None:
    files = {"x.bin": b"\x00\x01", "deep/er/y.txt": b"y", MANIFEST: b"{}"}
    storage.publish_folder(_folder(tmp_path / "draft", files), "kind/day/key")
    fetched = storage.fetch("kind/day/key")
    found = {
        path.relative_to(fetched).as_posix(): path.read_bytes()
        for path in fetched.rglob("*")
        if path.is_file()
    }
    assert found == files


def test_publishing_again_changes_nothing(storage: Storage, tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        draft = _folder(tmp_path / content.decode(), {"x": content, MANIFEST: b"{}"})
        storage.publish_folder(draft, "kind/day/key")
    assert storage.read("kind/day/key/x") == b"old"


def test_a_folder_moved_aside_is_kept(storage: Storage, tmp_path: Path) -> None:
    storage.publish_folder(_folder(tmp_path / "d", {"x": b"x", MANIFEST: b"{}"}), "kind/day/key")
    storage.move_aside("kind/day/key", "damaged/key")
    assert not storage.exists("kind/day/key")
    assert storage.read("damaged/key/x") == b"x"


def test_removing_what_is_not_there_is_fine(storage: Storage) -> None:
    storage.remove("never/was")


segments = st.sampled_from(["..", ".", "a", "b.json", "", "...", " "])


@given(parts=st.lists(segments, max_size=6), absolute=st.booleans())
def test_no_path_leaves_the_root(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], absolute: bool
) -> None:
    root = tmp_path_factory.getbasetemp() / "root"
    path = ("/" if absolute else "") + "/".join(parts)
    address = _address(Storage(str(root)), path)
    if address is not None:
        resolved = Path(os.path.normpath(address))
        assert resolved.is_relative_to(root)
        assert resolved != root


def _address(storage: Storage, path: str) -> str | None:
    try:
        return storage.uri(path)
    except ValueError:
        return None


@pytest.mark.parametrize("path", ["", ".", "..", "a/../../b", "/etc/passwd"])
def test_a_path_outside_is_refused_by_name(storage: Storage, path: str) -> None:
    with pytest.raises(ValueError, match="relative and stays in it"):
        storage.read(path)


def test_copies_from_a_bucket_go_with_the_object() -> None:
    storage = Storage(f"memory://{uuid.uuid4().hex}")
    storage.replace("a/b", b"x")
    copy = storage.fetch("a/b")
    assert copy.read_bytes() == b"x"
    del storage
    assert not copy.exists()


def test_drafts_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    mine = storage.scratch_folder()
    code = (
        "import os, signal; from components.store.storage import Storage;"
        f"print(Storage({str(tmp_path)!r}).scratch_folder(), flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    theirs = Path(run.stdout.strip())
    assert run.returncode == -signal.SIGKILL
    assert theirs.is_dir()
    assert storage.remove_dead_drafts() == 1
    assert mine.is_dir()
    assert not theirs.exists()
    assert storage.drafts() == [(mine, True)]
    assert processes.machine() in mine.name
