"""The artifact store: immutable, content-addressed, verified on every read.

```
<store>/<kind>/<partition>/<content key>/...files, manifest.json     immutable
<store>/pointers/heads/<kind>/<partition>/<number>.json              which key is current
```
The content key is the digest of the *recipe*: inputs, configuration, code, libraries and seed. The
same recipe is the same key, so a finished artifact is never made twice. The manifest also carries
the SHA-256 of every file; the digest of the manifest names the whole artifact, and is what other
manifests refer to. Nothing in a manifest depends on the clock, so equal work gives equal bytes.

A table of rows of users lies in one file or in several (`schemas.buckets`). In the digest of its
manifest a digest of its rows stands for these files, so that another number of them is the same
artifact, and changes no key of what is made of it; the digests of the files verify reading.
"""

import functools
import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.errors import BadDataError, TryAgainError
from components.store import formats, leases, table_digests
from components.store.pointers import Pointer
from components.store.storage import MANIFEST, Storage
from schemas import buckets

logger = logging.getLogger(__name__)

# Lower case alone: some file systems do not tell cases apart.
TABLES = "tables"  # in a manifest: digests of rows by table, where there are such tables
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
DAMAGED = "damaged"  # folder of artifacts that are set aside for inspection


@dataclass(frozen=True)
class Ref:
    """The name of one artifact: where it is and what it must contain."""

    kind: str
    partition: str  # the UTC day, with a suffix for a shard
    key: str  # digest of the recipe
    digest: str  # digest of the manifest

    @property
    def path(self) -> str:
        """The artifact's folder below the root of the store."""
        return f"{self.kind}/{self.partition}/{self.key}"

    def __str__(self) -> str:
        return f"{self.kind} of {self.partition} ({self.key[:12]})"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that determines the content of an artifact."""

    kind: str
    partition: str
    inputs: Sequence[Mapping[str, Any]]  # refs of artifacts, or name, size and digest of sources
    config: Mapping[str, Any]
    code: str  # digest of the source code that makes it
    libraries: Mapping[str, str]  # versions
    seed: int | None = None

    @property
    def key(self) -> str:
        """The content key: the first 32 hex digits of the SHA-256 of the recipe."""
        return _digest(_canonical(asdict(self)))[:32]


@dataclass
class Draft:
    """An artifact in the making: write files into `folder`, facts into `facts`."""

    folder: Path
    key: str  # of the recipe: names what is kept elsewhere for this very artifact
    facts: dict[str, Any] = field(default_factory=dict)  # row counts, metrics, digests, reasons


@dataclass(frozen=True)
class Artifact:
    """An artifact, its manifest verified; `Store.read` verifies the files, too."""

    ref: Ref
    manifest: Mapping[str, Any]
    folder: Path  # local

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts recorded by the step that made it: row counts, metrics, digests, reasons."""
        return self.manifest["facts"]

    def path(self, name: str) -> Path:
        """Returns the local path of a file of the artifact.

        Raises:
          BadDataError: If the manifest does not list it.
        """
        files = self.manifest["files"]
        if name not in files and not any(other.startswith(f"{name}/") for other in files):
            raise BadDataError(f"{self.ref} has no file {name!r}; it has {sorted(files)}.")
        return self.folder / name

    def paths(self, table: str) -> list[Path]:
        """Returns the local paths of the files of a table of rows of users, in their order.

        Raises:
          BadDataError: If the manifest does not list them.
        """
        return [self.folder / name for name in _table_files(self.ref, self.manifest, table)]


class Unchanged(Exception):  # noqa: N818 - the good news that there is nothing to do
    """The artifact exists already, verified."""

    def __init__(self, artifact: Artifact) -> None:
        super().__init__(f"{artifact.ref} is there already.")
        self.artifact = artifact


class Store:
    """All artifacts and pointers of one deployment."""

    def __init__(self, url: str) -> None:
        self.storage = Storage(url)

    def pointer(self, name: str) -> Pointer:
        """Returns the pointer called `name`."""
        return Pointer(self.storage, name)

    def partitions(self, kind: str) -> list[str]:
        """Returns the partitions of `kind` that have a current artifact, sorted."""
        names = self.storage.names(f"pointers/heads/{kind}")
        return [name for name in names if self.head(kind, name) is not None]

    def heads(self) -> list[Ref]:
        """Returns the newest artifact that was ever written in every partition, there or not."""
        kinds = self.storage.names("pointers/heads")
        return [ref for kind in kinds for ref in self.newest_of(kind)]

    def newest_of(self, kind: str) -> list[Ref]:
        """Returns the newest artifact of `kind` of every partition, sorted, there or not."""
        names = self.storage.names(f"pointers/heads/{kind}")
        refs = [self.newest(kind, name) for name in names]
        return [ref for ref in refs if ref is not None]

    def versions(self, kind: str, *, before: str | None = None) -> Iterator[Ref]:
        """Yields every artifact of `kind` that was ever current, the newest first, there or not.

        A partition is read when its turn has come, so whoever stops early has read few of them.

        Args:
          kind: The step that made them.
          before: Only of partitions before this one; None means of all.
        """
        for partition in reversed(self.storage.names(f"pointers/heads/{kind}")):
            if before is None or partition < before:
                for entry in reversed(self._head_pointer(kind, partition).log()):
                    yield Ref(kind, partition, entry.value["key"], entry.value["digest"])

    def head(self, kind: str, partition: str) -> Ref | None:
        """Returns the current artifact of a partition, or None if there is none (any more)."""
        ref = self.newest(kind, partition)
        return ref if ref is not None and self.holds(ref) else None

    def newest(self, kind: str, partition: str) -> Ref | None:
        """Returns the newest artifact that was ever written in a partition, there or not."""
        entry = self._head_pointer(kind, partition).read()
        if entry is None:
            return None
        return Ref(kind, partition, entry.value["key"], entry.value["digest"])

    def holds(self, ref: Ref) -> bool:
        """Whether the artifact is still in the store; what is old may have been removed."""
        return self.storage.exists(f"{ref.path}/{MANIFEST}")

    def manifest(self, ref: Ref) -> Mapping[str, Any]:
        """Returns the verified manifest of an artifact, without looking at its files.

        Raises:
          BadDataError: If it is missing, has other bytes, or is of a format unknown here.
        """
        try:
            data = self.storage.read(f"{ref.path}/{MANIFEST}")
        except FileNotFoundError as error:
            raise BadDataError(
                f"{ref} is missing: {self.storage.uri(ref.path)} has no {MANIFEST}. "
                f"Run the step {ref.kind} for this day again."
            ) from error
        manifest, digest = _read_manifest(data)
        if digest != ref.digest:
            raise _damaged(
                ref,
                f"the manifest {self.storage.uri(f'{ref.path}/{MANIFEST}')}",
                f"expected SHA-256 {ref.digest[:16]}…, found {digest[:16]}…",
            )
        version = manifest.get("format", formats.FIRST)
        formats.check(str(ref), version, newest=formats.ARTIFACTS[ref.kind])
        return manifest

    def check_sizes(self, ref: Ref) -> None:
        """Checks the manifest of an artifact, and that its files have their sizes; reads none.

        Raises:
          BadDataError: If it is missing, or a file is missing or has another size.
        """
        manifest = self.manifest(ref)
        sizes = self.storage.sizes(ref.path)
        for name, entry in manifest["files"].items():
            path = self.storage.uri(f"{ref.path}/{name}")
            if name not in sizes:
                raise _missing(ref, path)
            if sizes[name] != entry["bytes"]:
                evidence = f"its manifest says {entry['bytes']} bytes, found {sizes[name]}"
                raise _damaged(ref, f"the file {path}", evidence)

    def artifact(self, ref: Ref) -> Artifact:
        """Opens an artifact without a look at its files: for who has just written them.

        Raises:
          BadDataError: If it is missing, or its manifest has other bytes.
        """
        return Artifact(ref, self.manifest(ref), self.storage.fetch(ref.path))

    def read(self, ref: Ref) -> Artifact:
        """Opens an artifact after verifying its manifest and every file.

        Raises:
          BadDataError: If it is missing, or a file is missing, has another size or other bytes.
        """
        artifact = self.artifact(ref)
        for name, entry in artifact.manifest["files"].items():
            _verify_file(ref, artifact.folder / name, entry)
        return artifact

    def read_file(self, ref: Ref, name: str) -> Path:
        """Returns the local path of one file of an artifact, verified; for quick looks at big ones.

        Raises:
          BadDataError: If the artifact or the file is missing or damaged.
        """
        files = self.manifest(ref)["files"]
        if name not in files:
            raise BadDataError(f"{ref} has no file {name!r}; it has {sorted(files)}.")
        path = self.storage.fetch(f"{ref.path}/{name}")
        _verify_file(ref, path, files[name])
        return path

    def read_files(self, ref: Ref, table: str) -> list[Path]:
        """Returns the local paths of the files of a table of rows of users, verified, in order.

        Raises:
          BadDataError: If the artifact or a file is missing or damaged.
        """
        names = _table_files(ref, self.manifest(ref), table)
        return [self.read_file(ref, name) for name in names]

    @contextmanager
    def write(self, recipe: Recipe) -> Iterator[Draft]:
        """Makes one artifact: visible when the block ends, gone without a trace if it fails.

        Holds the lease of the partition meanwhile.

        Raises:
          Unchanged: Instead of running the block, if the artifact exists and is whole.
          TryAgainError: If another process writes the partition.
        """
        for name in (recipe.kind, recipe.partition):
            if not _NAME.fullmatch(name):
                raise ValueError(f"A kind or partition is lower case, got {name!r}.")
        with leases.hold(self.storage, f"{recipe.kind}/{recipe.partition}") as lease:
            # A process that was killed could not remove its own.
            self.storage.remove_dead_drafts()
            existing = self._existing_artifact(recipe)
            if existing is not None:
                self._move_head(existing.ref, lease)
                raise Unchanged(existing)
            draft = Draft(self.storage.scratch_folder(), recipe.key)
            try:
                yield draft
                ref = self._seal(recipe, draft)
                # Who lost the lease meanwhile must not publish; who loses it from here on is
                # fenced by the token, when the head moves.
                lease.check()
                # In this order: a head never names an artifact that is not there.
                self.storage.publish_folder(draft.folder, ref.path)
                self._move_head(ref, lease)
            finally:
                shutil.rmtree(draft.folder, ignore_errors=True)

    def _existing_artifact(self, recipe: Recipe) -> Artifact | None:
        path = f"{recipe.kind}/{recipe.partition}/{recipe.key}"
        if not self.storage.exists(path):
            return None
        # Only a digest that a head once had vouches for what is in the folder.
        for entry in reversed(self._head_pointer(recipe.kind, recipe.partition).log()):
            if entry.value["key"] == recipe.key:
                ref = Ref(recipe.kind, recipe.partition, recipe.key, entry.value["digest"])
                try:
                    return self.read(ref)
                except formats.UnknownFormatError:  # whole, and not ours to set aside
                    raise
                except BadDataError as error:
                    logger.warning("%s It is set aside and made again.", error)
                    break
        # Damaged, or its maker died before the head was moved: nobody vouches for it.
        aside = f"{DAMAGED}/{recipe.kind}-{recipe.partition}-{recipe.key}"
        self.storage.remove(aside)
        self.storage.move_aside(path, aside)
        return None

    def _seal(self, recipe: Recipe, draft: Draft) -> Ref:
        links = [path for path in draft.folder.rglob("*") if path.is_symlink()]
        if links:  # what a link points to is not in the artifact and can change
            raise ValueError(f"An artifact holds plain files, {links[0].name!r} is a link.")
        files = {
            path.relative_to(draft.folder).as_posix(): {
                "bytes": path.stat().st_size,
                "sha256": _file_digest(path),
                **_schema(path),
            }
            for path in sorted(draft.folder.rglob("*"))
            if path.is_file()
        }
        tables = table_digests.of_folder(draft.folder, list(files))
        manifest = {
            "format": formats.ARTIFACTS[recipe.kind],
            "key": recipe.key,
            "recipe": asdict(recipe),
            "files": files,
            "facts": draft.facts,
            **({TABLES: tables} if tables else {}),
        }
        data = _canonical(manifest)
        (draft.folder / MANIFEST).write_bytes(data)
        return Ref(recipe.kind, recipe.partition, recipe.key, _read_manifest(data)[1])

    def _move_head(self, ref: Ref, lease: leases.Lease) -> None:
        pointer = self._head_pointer(ref.kind, ref.partition)
        newest = pointer.read()
        if newest is not None:
            if (newest.value["key"], newest.value["digest"]) == (ref.key, ref.digest):
                return
            if newest.value["token"] > lease.token:
                raise TryAgainError(f"{pointer.name} was written by a later holder of the lease.")
        value = {"key": ref.key, "digest": ref.digest, "token": lease.token}
        pointer.move(value, newest=newest, reason="written")

    def _head_pointer(self, kind: str, partition: str) -> Pointer:
        return self.pointer(f"heads/{kind}/{partition}")


def parse_damaged(name: str) -> tuple[str, str, str]:
    """Returns kind, partition and key of an artifact by its name in the folder `DAMAGED`.

    >>> parse_damaged("materialize_feeds-2026-01-02-shard-1-of-2-00ff")
    ('materialize_feeds', '2026-01-02-shard-1-of-2', '00ff')
    """
    kind, _, rest = name.partition("-")
    partition, _, key = rest.rpartition("-")
    return kind, partition, key


def table_files(manifest: Mapping[str, Any], table: str) -> list[str]:
    """Returns the files of a table of rows of users, in their order; none if it is not there.

    Args:
      manifest: Of the artifact.
      table: The name of the table's only file, where it has one.
    """
    return buckets.names_of_table(table, manifest["files"])


def _table_files(ref: Ref, manifest: Mapping[str, Any], table: str) -> list[str]:
    names = table_files(manifest, table)
    if not names:
        raise BadDataError(f"{ref} has no file {table!r}; it has {sorted(manifest['files'])}.")
    return names


def _read_manifest(data: bytes) -> tuple[Mapping[str, Any], str]:
    """Returns a manifest and its digest, in which rows stand for the files that they lie in."""
    try:
        manifest = json.loads(data)
    except ValueError:
        return {}, _digest(data)
    return manifest, _manifest_digest(data)


@functools.lru_cache(maxsize=256)  # a range of days reads those of a fortnight every day
def _manifest_digest(data: bytes) -> str:
    manifest = json.loads(data)
    if TABLES not in manifest or _canonical(manifest) != data:
        return _digest(data)
    files = {
        name: entry
        for name, entry in manifest["files"].items()
        if buckets.table_of(name) not in manifest[TABLES]
    }
    return _digest(_canonical({**manifest, "files": files}))


def _verify_file(ref: Ref, path: Path, entry: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise _missing(ref, str(path))
    # The size first: a file that was cut short need not be read.
    if path.stat().st_size != entry["bytes"] or _file_digest(path) != entry["sha256"]:
        raise _damaged(
            ref,
            f"the file {path}",
            f"its manifest says {entry['bytes']} bytes with SHA-256 {entry['sha256'][:16]}…, found "
            f"{path.stat().st_size} bytes with {_file_digest(path)[:16]}…",
        )


def _missing(ref: Ref, path: str) -> BadDataError:
    return BadDataError(
        f"{ref}: the file {path} is missing. Run the step {ref.kind} for this day again to rebuild "
        "it."
    )


def _damaged(ref: Ref, what: str, evidence: str) -> BadDataError:
    return BadDataError(
        f"{ref}: {what} is damaged: {evidence}. Run the step {ref.kind} for this day again to "
        "rebuild it."
    )


def _schema(path: Path) -> dict[str, str]:
    """Returns the digest of the contract by which a table was written; nothing for other files."""
    if path.suffix != ".parquet":
        return {}
    import pyarrow.parquet as pq  # takes long, and not every step writes tables

    notes = pq.read_schema(path).metadata or {}
    digest = notes.get(b"schema_digest")
    return {"schema": digest.decode()} if digest else {}


def _canonical(value: Mapping[str, Any]) -> bytes:
    # Sorted, so that equal content has one digest; NaN is no JSON, and other readers refuse it.
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
