"""The files of a store, in a local folder or a bucket, with the three atomic writes that it needs.

A store is named by an fsspec URL.

The whole store rests on three operations that are atomic on a local disk and on object stores
alike: create a small object only if it is absent, replace a small object, and make a folder of
files visible in one switch (a rename locally; elsewhere, the manifest is written last and a folder
without one does not exist).
"""

import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import fsspec
from fsspec.implementations.local import LocalFileSystem

from components.errors import BadConfigurationError
from components.store import processes
from phoenix.files.verified_files import sync

MANIFEST = "manifest.json"


class Storage:
    """Files below one root. Paths are relative POSIX paths and cannot leave the root."""

    def __init__(self, url: str) -> None:
        """Opens the store at `url`.

        Raises:
          BadConfigurationError: If nothing installed here can read such a URL.
        """
        self.url = url
        try:
            # Another process may write after we listed, so listings are not remembered.
            self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:  # an unknown protocol, or one without its driver
            raise BadConfigurationError(f"store: {url} cannot be opened: {error}") from error
        self._root = PurePosixPath(root)
        self.is_local = isinstance(self._fs, LocalFileSystem)
        self._copies: Path | None = None

    def _full_path(self, path: str) -> str:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts:
            raise ValueError(f"A path in the store is relative and stays in it, got {path!r}.")
        return str(self._root / path)

    def uri(self, path: str) -> str:
        """Returns the full address of `path`, for people and manifests."""
        return (
            self._full_path(path)
            if self.is_local
            else self._fs.unstrip_protocol(self._full_path(path))
        )

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        return self._fs.exists(self._full_path(path))

    def names(self, path: str) -> list[str]:
        """Returns the sorted names directly below `path`; none if it does not exist."""
        try:
            entries = self._fs.ls(self._full_path(path), detail=False)
        except FileNotFoundError:
            return []
        return sorted(PurePosixPath(entry).name for entry in entries)

    def files(self, path: str) -> list[str]:
        """Returns the sorted paths of all files below `path`, relative to it; none without it."""
        root = PurePosixPath(self._full_path(path))
        names = [PurePosixPath(file) for file in self._fs.find(str(root))]
        return sorted(name.relative_to(root).as_posix() for name in names)

    def sizes(self, path: str) -> dict[str, int]:
        """Returns the bytes of all files below `path` by their paths relative to it."""
        root = PurePosixPath(self._full_path(path))
        entries = self._fs.find(str(root), detail=True)
        return {
            PurePosixPath(name).relative_to(root).as_posix(): int(entry["size"])
            for name, entry in entries.items()
        }

    def read(self, path: str) -> bytes:
        """Returns the bytes of a file.

        Raises:
          FileNotFoundError: If there is none.
        """
        return self._fs.cat_file(self._full_path(path))

    def modified_at(self, path: str) -> float:
        """Returns when a file was last written, in seconds since 1970 by the store's clock."""
        return self._fs.modified(self._full_path(path)).timestamp()

    def create(self, path: str, data: bytes) -> bool:
        """Writes `data` if `path` is absent, whole or not at all; returns whether it did."""
        target = self._full_path(path)
        if not self.is_local:
            try:
                self._fs.pipe_file(target, data, mode="create")
            except FileExistsError:
                return False
            return True
        with self._synced_temporary(target, data) as temporary:
            try:
                Path(target).hardlink_to(temporary)  # checks and creates in one system call
            except FileExistsError:
                return False
            finally:
                sync(Path(target).parent)
        return True

    def replace(self, path: str, data: bytes) -> None:
        """Writes `data` over whatever is at `path`, whole or not at all."""
        target = self._full_path(path)
        if not self.is_local:
            self._fs.pipe_file(target, data)
            return
        with self._synced_temporary(target, data) as temporary:
            temporary.replace(target)
            sync(Path(target).parent)

    @contextmanager
    def _synced_temporary(self, target: str, data: bytes) -> Iterator[Path]:
        folder = Path(target).parent
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".tmp-{uuid.uuid4().hex}"
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def scratch_folder(self) -> Path:
        """Returns a new local folder, on the store's own disk where there is one."""
        # On the disk of the store, publishing is a rename.
        base = Path(self._full_path("tmp")) if self.is_local else Path(tempfile.gettempdir())
        folder = base / f"draft-{processes.machine()}-{os.getpid()}-{uuid.uuid4().hex}"
        folder.mkdir(parents=True)
        return folder

    def publish_folder(self, folder: Path, path: str) -> None:
        """Makes a finished local folder, manifest included, visible at `path` in one switch.

        Does nothing if `path` holds a manifest already: the same path means the same content.
        """
        if self.exists(f"{path}/{MANIFEST}"):
            return
        if not self.is_local:
            # The manifest comes last: a folder without one does not exist.
            for file in sorted(folder.rglob("*")):
                if file.is_file() and file.name != MANIFEST:
                    name = file.relative_to(folder).as_posix()
                    self._fs.put_file(str(file), self._full_path(f"{path}/{name}"))
            self._fs.put_file(str(folder / MANIFEST), self._full_path(f"{path}/{MANIFEST}"))
            return
        # What is in the folder must be on the disk before its name is: a crash of the machine may
        # leave no folder, never half of one.
        for entry in [*sorted(folder.rglob("*")), folder]:
            sync(entry)
        target = Path(self._full_path(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        sync(target.parent)

    def fetch(self, path: str) -> Path:
        """Returns a local path with the content of the file or folder `path`.

        Locally this is the file itself; from a bucket it is a copy that lives as long as this
        object.
        """
        if self.is_local:
            return Path(self._full_path(path))
        if self._copies is None:
            self._copies = Path(tempfile.mkdtemp(prefix="phoenix-"))
            weakref.finalize(self, shutil.rmtree, self._copies, ignore_errors=True)
        # A folder for every copy: files of different artifacts have the same names.
        target = self._copies / uuid.uuid4().hex / PurePosixPath(path).name
        target.parent.mkdir()
        self._fs.get(
            self._full_path(path), str(target), recursive=self._fs.isdir(self._full_path(path))
        )
        return target

    def move_aside(self, path: str, to: str) -> None:
        """Renames a folder; used to keep a damaged artifact for inspection."""
        if self.is_local:
            Path(self._full_path(to)).parent.mkdir(parents=True, exist_ok=True)
        self._fs.mv(self._full_path(path), self._full_path(to), recursive=True)

    def remove(self, path: str) -> None:
        """Removes a file or a folder; a missing one is fine."""
        if self._fs.exists(self._full_path(path)):
            self._fs.rm(self._full_path(path), recursive=True)

    def remove_dead_drafts(self) -> int:
        """Removes the drafts of processes of this machine that no longer live; returns how many."""
        dead = [folder for folder, is_alive in self.drafts() if not is_alive]
        for folder in dead:
            shutil.rmtree(folder, ignore_errors=True)
        return len(dead)

    def drafts(self) -> list[tuple[Path, bool]]:
        """Returns the drafts of this machine on the store's disk, and whether their maker lives."""
        if not self.is_local:
            return []
        folders = Path(self._full_path("tmp")).glob(f"draft-{processes.machine()}-*")
        return [
            (folder, processes.start_time(int(folder.name.split("-")[-2])) is not None)
            for folder in sorted(folders)
        ]
