"""Reading an artifact, every byte verified, against the hash alone."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measurement import Result, rates
from components import contract
from components.store.artifacts import Recipe, Store

_NUM_FILES, _FILE_BYTES = 8, 1 << 25


def results() -> Iterator[Result]:
    """Measures `Store.read` of one artifact in the page cache."""
    kind = contract.EXPORT_CORPUS.name  # any one: a store knows the formats of its kinds alone
    recipe = Recipe(kind=kind, partition="2026-01-01", inputs=[], config={}, code="", libraries={})
    content = np.random.default_rng(0).bytes(_FILE_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        with store.write(recipe) as draft:
            for index in range(_NUM_FILES):
                (draft.folder / f"{index}.bin").write_bytes(content)
        ref = store.head(recipe.kind, recipe.partition)
        assert ref is not None
        files = sorted(store.read(ref).folder.glob("*.bin"))
        gigabytes = _NUM_FILES * _FILE_BYTES / 1e9
        ours, peer = rates(
            lambda: store.read(ref), lambda: [_digest(path) for path in files], amount=gigabytes
        )
    note = f"limit: hashlib.file_digest (SHA-256) over the same {_NUM_FILES} files of 34 MB"
    yield Result(name="store_read_verified", ours=ours, peer=peer, unit="GB/s", note=note)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
