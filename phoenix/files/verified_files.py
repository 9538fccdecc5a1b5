"""Folders of files that are verified before use, and appear whole or not at all.

Every folder carries `checksums.json` with the SHA-256 and size of each file, checked before
anything is restored: neither NumPy nor orbax notices a flipped bit.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

_CHECKSUMS = "checksums.json"
_CHUNK_BYTES = 1 << 22


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged or of another kind; the message names the file."""


class FolderWriter:
    """Writes files into a folder and knows their checksums, so that nothing is read again."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder, which must exist."""
        self.folder = folder
        self._checksums: dict[str, dict[str, Any]] = {}

    def write_array(self, name: str, array: np.ndarray) -> None:
        """Writes an array as NumPy's `save` does, hashed and synced on the way."""
        # The header as `save` writes it, so that any NumPy reads the file.
        header, digest = io.BytesIO(), hashlib.sha256()
        description = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(header, description)
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        content = memoryview(flat.data)
        with (self.folder / name).open("wb", buffering=0) as file:
            # Piece by piece: what was just hashed is still in the processor's cache.
            starts = range(0, len(content), _CHUNK_BYTES)
            pieces = [content[start : start + _CHUNK_BYTES] for start in starts]
            for piece in [memoryview(header.getvalue()), *pieces]:
                digest.update(piece)
                num_bytes = 0
                while num_bytes < len(piece):  # Unbuffered files may take less than they are given.
                    num_bytes += file.write(piece[num_bytes:])
                _start_writing(file.fileno())
            os.fsync(file.fileno())
        size = header.tell() + len(content)
        self._checksums[name] = {"sha256": digest.hexdigest(), "size": size}

    def write_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes arrays side by side: one is hashed while the disk is busy with another.

        Args:
          arrays: By the name of their file.
        """
        with ThreadPoolExecutor(max(len(arrays), 1)) as pool:
            list(pool.map(self.write_array, arrays.keys(), arrays.values()))

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file, hashed and synced."""
        (self.folder / name).write_text(text, encoding="utf-8")
        self.add(self.folder / name)

    def add(self, path: Path) -> None:
        """Hashes and syncs a file that another library wrote into the folder."""
        name = path.relative_to(self.folder).as_posix()
        self._checksums[name] = {"sha256": sha256(path), "size": path.stat().st_size}
        sync(path)

    def finish(self) -> None:
        """Writes the checksums and syncs the folders."""
        text = canonical_json({"files": self._checksums})
        (self.folder / _CHECKSUMS).write_text(text, encoding="utf-8")
        folders = [path for path in self.folder.rglob("*") if path.is_dir()]
        # Names are content of their folder: without its sync a file may be there without a name.
        for path in [self.folder / _CHECKSUMS, *folders, self.folder]:
            sync(path)


def publish(directory: Path, write: Callable[[FolderWriter], None]) -> None:
    """Calls `write` on a hidden sibling, adds checksums, syncs, and renames it to `directory`.

    Raises:
      FileExistsError: If something is there already; an empty folder is nothing.
      OSError: If the system refuses, e.g. because the disk is full.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise FileExistsError(f"{directory} exists already.")
    partial = directory.parent / f".{directory.name}.partial"
    if partial.exists():  # Left behind by a process that was killed.
        shutil.rmtree(partial)
    partial.mkdir()
    try:
        writer = FolderWriter(partial)
        write(writer)
        writer.finish()
    except OSError:  # A full disk: what is there is of no use and takes room.
        shutil.rmtree(partial, ignore_errors=True)
        raise
    # Everything is on the disk by now, and a rename is one step: there is no half of a folder.
    partial.rename(directory)
    sync(directory.parent)


def verify(directory: Path, *, required: tuple[str, ...] = ()) -> None:
    """Compares every file with the checksum that was written with it.

    Args:
      directory: Written by `publish`.
      required: Names that the checksums must cover.

    Raises:
      CheckpointError: Naming the first file that is missing, damaged or not covered.
    """
    path = directory / _CHECKSUMS
    if not path.is_file():
        raise CheckpointError(f"{path}: missing; there is no complete checkpoint here.")
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        expected = {name: (entry["sha256"], entry["size"]) for name, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged, {error!r}.") from error
    for name in required:
        if name not in expected:
            raise CheckpointError(f"{path}: does not cover {name}; another kind of checkpoint?")
    for name, (digest, size) in expected.items():
        file = directory / name
        if not file.is_file():
            raise CheckpointError(f"{file}: missing.")
        if file.stat().st_size != size:  # First, because it is free: most damage cuts a file short.
            raise CheckpointError(
                f"{file}: damaged, expected {size} bytes, got {file.stat().st_size}."
            )
        if (actual := sha256(file)) != digest:
            raise CheckpointError(f"{file}: damaged, expected SHA-256 {digest}, got {actual}.")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: Mapping[str, Any]) -> str:
    """The text of a value, equal for equal values.

    >>> canonical_json({"b": 1, "a": [0.5]}) == canonical_json({"a": [0.5], "b": 1})
    True

    Raises:
      ValueError: If a number is not finite: JSON has none.
    """
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n"


def _start_writing(descriptor: int) -> None:
    """Lets the disk begin with what was written so far, instead of when the file is synced."""
    if hasattr(os, "posix_fadvise"):  # Not on macOS.
        # Advice to forget pages makes Linux write them out first.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, would outlive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
