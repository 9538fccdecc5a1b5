"""The states of a training run on disk: written in the background, verified, found by name.

A state holds everything from which training goes on to the same bits: parameters, optimizer, step
(which fixes all random numbers and the place in the data), tables with their accumulators, metrics
so far; and what says which run it is: configuration, action list, hash functions, libraries. The
dense part is kept by orbax, the tables are plain `.npy`, uncompressed: compression would cost far
more time than it saves.

States are found by name: `last`, `best` (by the monitored metric) or `epoch_<number>`. The newest
ones are kept, the best one, and where asked for those at the ends of epochs.

Layout of `step_<number>`:
  checksums.json, state.json, dense/ (orbax), {user,post,author}_{rows,accumulator[,updated_at]}.npy
"""

import json
import logging
import re
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from phoenix.data.hashing import KINDS
from phoenix.embedding import EmbeddingTables
from phoenix.files.array_files import system_errors
from phoenix.files.verified_files import (
    CheckpointError,
    FolderWriter,
    canonical_json,
    publish,
    verify,
)
from phoenix.recommend.checkpoint import read_tables, table_files, write_tables

logger = logging.getLogger(__name__)

_STATE = "state.json"
_DENSE = "dense"
Tree = TypeVar("Tree")


class StateEntry(NamedTuple):
    """One intact state on disk."""

    path: Path
    progress: dict[str, Any]  # What `save` was given.


class TrainStates:
    """The states of one run. One writer at a time; `wait` before leaving."""

    def __init__(self, directory: Path, *, keep: int = 2) -> None:
        """Takes the directory, made when missing, and how many of the newest states to keep."""
        self.directory = directory
        self._keep = keep
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._copies: Any = None  # Reused, so that a save touches no new memory.

    def save(
        self, step: int, *, dense: object, tables: EmbeddingTables, progress: Mapping[str, Any]
    ) -> None:
        """Copies the arrays and starts to write them; returns as soon as they may change again.

        Args:
          step: Steps done.
          dense: Pytree of arrays: parameters and optimizer state.
          tables: Rows, accumulators and times of updates, in the memory of this host.
          progress: JSON values; `metric` (or None) is what `best` goes by, smaller is better, and
            `finished_epoch` (or None) the number under which the state is found and kept.

        Raises:
          OSError: If this or the state before could not be written; older states are untouched.
        """
        self.wait()
        saved_tables = EmbeddingTables(*(table._replace(slots=None) for table in tables))
        self._copies = _copies_of((dense, saved_tables), self._copies)
        copies, text = self._copies, canonical_json(dict(progress))
        self._thread = threading.Thread(target=self._write, args=(step, copies, text))
        self._thread.start()

    def wait(self) -> None:
        """Waits until the last state is written.

        Raises:
          OSError: If it could not be written.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def find(self, name: str = "last") -> StateEntry | None:
        """Returns the state of a name, verified, or None when there are no states.

        A damaged newest state is reported in the log and passed over for the one before it.

        Args:
          name: `last`, `best` or `epoch_<number>`.

        Raises:
          CheckpointError: If all states are damaged, or there is none of that name; it says which
            there are.
        """
        entries = [StateEntry(path, _progress(path)) for path in self._paths()]
        if not entries:
            return None
        candidates = _entries_named(entries, name)
        for entry in reversed(candidates):
            try:
                verify(entry.path, required=(_STATE, *table_files()))
            except CheckpointError as error:
                if name != "last":
                    raise
                logger.warning("Passing over a damaged training state: %s", error)
                continue
            return entry
        if candidates:
            raise CheckpointError(
                f"{self.directory}: all {len(entries)} training states are damaged."
            )
        raise CheckpointError(
            f"{self.directory}: expected a checkpoint {name!r}; there are {_names(entries)}."
        )

    def _write(self, step: int, copies: tuple[Any, EmbeddingTables], text: str) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for abandoned in self.directory.glob(".*.partial"):
                shutil.rmtree(abandoned)
            target = self.directory / f"step_{step:010d}"
            if target.exists():  # Only a damaged one, from which this run did not resume.
                shutil.rmtree(target)
            publish(target, lambda into: _write_state(into, copies, text))
            self._remove_old()
        except BaseException as error:
            self._error = error

    def _remove_old(self) -> None:
        entries = [StateEntry(path, _progress(path)) for path in self._paths()]
        kept_paths = {entry.path for entry in entries[-self._keep :]}
        kept_paths |= {entry.path for entry in _entries_named(entries, "best")}
        kept_paths |= {e.path for e in entries if e.progress.get("finished_epoch") is not None}
        for entry in entries:
            if entry.path not in kept_paths:
                shutil.rmtree(entry.path)

    def _paths(self) -> list[Path]:
        """The states, oldest first."""
        if not self.directory.is_dir():
            return []
        paths = self.directory.iterdir()
        return sorted(path for path in paths if re.fullmatch(r"step_\d{10}", path.name))


def restore(state: Path, dense: Tree) -> tuple[Tree, EmbeddingTables]:
    """Reads what `TrainStates.find` verified.

    Args:
      state: The directory of one step.
      dense: Pytree of arrays or shapes with the structure that was saved.

    Returns:
      The dense pytree and the tables, on the default device.
    """
    target = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), dense)
    with _checkpointer() as checkpointer:
        arrays = checkpointer.restore((state / _DENSE).absolute(), target)
    tables = read_tables(state)
    times = {}
    for kind in KINDS:
        path = state / _updated_at(kind)
        if path.exists():
            times[kind] = jnp.asarray(np.load(path, allow_pickle=False))
    tables = EmbeddingTables(
        *(getattr(tables, kind)._replace(updated_at=times.get(kind)) for kind in KINDS)
    )
    # Own buffers: the training step donates them.
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), arrays), tables


def _write_state(into: FolderWriter, copies: tuple[Any, EmbeddingTables], text: str) -> None:
    dense, tables = copies
    with ThreadPoolExecutor(1) as pool:
        dense_write = pool.submit(_save_dense, into.folder / _DENSE, dense)
        write_tables(into, tables)
        dense_write.result()
    for path in sorted((into.folder / _DENSE).rglob("*")):
        if path.is_file():
            into.add(path)
    for kind in KINDS:
        if (times := getattr(tables, kind).updated_at) is not None:
            into.write_array(_updated_at(kind), times)
    into.write_text(_STATE, text)


def _save_dense(folder: Path, dense: object) -> None:
    with system_errors(), _checkpointer() as checkpointer:
        checkpointer.save(folder.absolute(), dense)


def _checkpointer() -> Any:  # noqa: ANN401 - imported late, like its type
    """Orbax for this process alone: only one writes, and others need not wait for it."""
    import orbax.checkpoint as ocp  # Slow to import; serving and short runs do not need it.

    this = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=this, active_processes={this})
    return ocp.StandardCheckpointer(multiprocessing_options=alone)


def _copies_of(arrays: Tree, buffers: Tree | None) -> Tree:
    """Copies of all arrays, in the buffers of the last copy where there is one."""
    if buffers is None:
        return jax.tree.map(lambda leaf: np.array(leaf, copy=True), arrays)

    def copy(leaf: jax.Array, buffer: np.ndarray) -> np.ndarray:
        """The buffer, filled."""
        np.copyto(buffer, np.asarray(leaf))
        return buffer

    return jax.tree.map(copy, arrays, buffers)


def _entries_named(entries: list[StateEntry], name: str) -> list[StateEntry]:
    """The states that a name means, the most wanted one last."""
    if name == "last":
        return entries
    if name == "best":
        validated = [entry for entry in entries if entry.progress.get("metric") is not None]
        return sorted(validated, key=lambda entry: entry.progress["metric"], reverse=True)[-1:]
    number = name.removeprefix("epoch_")
    return [e for e in entries if str(e.progress.get("finished_epoch")) == number]


def _names(entries: list[StateEntry]) -> str:
    names = ["last"] + ["best"] * bool(_entries_named(entries, "best"))
    epochs = [entry.progress.get("finished_epoch") for entry in entries]
    return ", ".join(names + [f"epoch_{epoch}" for epoch in epochs if epoch is not None])


def _progress(path: Path) -> dict[str, Any]:
    """The facts of a state; none where they cannot be read, which `verify` then tells."""
    try:
        return json.loads((path / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _updated_at(kind: str) -> str:
    return f"{kind}_updated_at.npy"
