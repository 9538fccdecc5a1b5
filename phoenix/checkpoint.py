"""Trained models and training states on disk: verified before use, replaced whole or not at all.

A saved model is byte-identical when saved twice. Orbax cannot promise that (its metadata holds
times, its OCDBT file names are random), so a model's dense parameters are an uncompressed `.npz`
with keys `module/path/parameter`, as in the public artifacts, and its tables are `.npy` files.
The state of a training run, which nobody compares, keeps its dense part in orbax.

Every directory carries `checksums.json` with the SHA-256 and size of each file, checked before
anything is restored: neither NumPy nor orbax notices a flipped bit.

Layout of a model:
  checksums.json, model.json, params.npz, {user,post,author}_{rows,accumulator}.npy
Layout of a training state, in `step_<number>`:
  checksums.json, state.json, dense/ (orbax), {user,post,author}_{rows,accumulator}.npy
"""

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from phoenix.embedding import EmbeddingTables, tables_from_arrays
from phoenix.hashing import KINDS, HashSpec
from phoenix.optimizer import Tree
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.trained import RankingTransformer, TrainedModel, TwoTower, trained_model

logger = logging.getLogger(__name__)

_CHECKSUMS = "checksums.json"
_MODEL = "model.json"
_PARAMS = "params.npz"
_STATE = "state.json"
_DENSE = "dense"
_FORMAT_VERSION = 1
_CONFIGS: dict[str, type[PhoenixModelConfig] | type[PhoenixRetrievalModelConfig]] = {
    RankingTransformer.name: PhoenixModelConfig,
    TwoTower.name: PhoenixRetrievalModelConfig,
}
_LIBRARIES = ("jax", "jaxlib", "dm-haiku", "optax", "numpy")
_KEPT_STATES = 2
_CHUNK_BYTES = 1 << 20


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged or of another kind; the message names the file."""


def save_model(directory: Path, model: TrainedModel) -> None:
    """Writes `model` to `directory`, which appears complete or not at all.

    Args:
      directory: Must not exist, or be an empty directory; its parent must exist.
      model: A `TwoTower` or a `RankingTransformer`.

    Raises:
      FileExistsError: If something is there already.
    """

    def write(into: Path) -> None:
        description = {
            "format_version": _FORMAT_VERSION,
            "kind": model.name,
            "config": model.config.to_dict(),
            "actions": list(model.actions),
            "hash_spec": model.hash_spec.to_dict(),
            "seed": model.seed,
            "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        }
        (into / _MODEL).write_text(_canonical_json(description))
        np.savez(into / _PARAMS, allow_pickle=False, **_flat_params(model.params))
        _write_tables(into, model.tables)

    _publish(directory, write)


def load_model(directory: Path, *, kind: str | None = None) -> TrainedModel:
    """Reads a model after verifying every file.

    Args:
      directory: Written by `save_model`.
      kind: `TwoTower.name` or `RankingTransformer.name` to insist on; None takes either.

    Raises:
      CheckpointError: If a file is missing or damaged, or the model is of another kind or format.
    """
    verify(directory, required=(_MODEL, _PARAMS, *_table_files()))
    description = json.loads((directory / _MODEL).read_text())
    found = description.get("kind")
    if description.get("format_version") != _FORMAT_VERSION or found not in _CONFIGS:
        raise CheckpointError(
            f"{directory / _MODEL}: expected format {_FORMAT_VERSION} of one of "
            f"{sorted(_CONFIGS)}, got format {description.get('format_version')} of {found!r}."
        )
    if kind is not None and kind != found:
        raise CheckpointError(f"{directory / _MODEL}: expected a {kind!r}, got a {found!r}.")
    with np.load(directory / _PARAMS, allow_pickle=False) as arrays:
        params = _nested_params({name: arrays[name] for name in arrays.files})
    return trained_model(
        _CONFIGS[found].from_dict(description["config"]),
        params,
        _read_tables(directory),
        actions=tuple(description["actions"]),
        hash_spec=HashSpec.from_dict(description["hash_spec"]),
        seed=description["seed"],
    )


def save_training_state(
    directory: Path,
    step: int,
    *,
    dense: object,
    tables: EmbeddingTables,
    progress: Mapping[str, Any],
) -> None:
    """Writes the state after `step` and then drops all but the newest two.

    Args:
      directory: Holds the states of one training run; created when missing.
      step: Steps done.
      dense: Pytree of arrays: parameters and optimizer state.
      tables: Rows and accumulators.
      progress: JSON values: the identity of the run, the data cursor, the metrics so far.
    """
    import orbax.checkpoint as ocp  # Slow to import; serving does not need it.

    def write(into: Path) -> None:
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save((into / _DENSE).absolute(), dense)
        (into / _STATE).write_text(_canonical_json(progress))
        _write_tables(into, tables)

    directory.mkdir(parents=True, exist_ok=True)
    for abandoned in directory.glob(".*.partial"):
        shutil.rmtree(abandoned)
    target = directory / f"step_{step:010d}"
    if target.exists():  # Only a damaged one, from which this run did not resume.
        shutil.rmtree(target)
    _publish(target, write)
    for old in _states(directory)[:-_KEPT_STATES]:
        shutil.rmtree(old)


def load_training_progress(directory: Path) -> tuple[Path, dict[str, Any]] | None:
    """Returns the newest intact state and its `progress`, or None when there is no state.

    A damaged state is reported in the log and passed over for the one before it.

    Raises:
      CheckpointError: If there are states and all of them are damaged.
    """
    states = _states(directory)
    for state in reversed(states):
        try:
            verify(state, required=(_STATE, *_table_files()))
        except CheckpointError as error:
            logger.warning("Passing over a damaged training state: %s", error)
            continue
        return state, json.loads((state / _STATE).read_text())
    if states:
        raise CheckpointError(f"{directory}: all {len(states)} training states are damaged.")
    return None


def load_training_state(state: Path, dense: Tree) -> tuple[Tree, EmbeddingTables]:
    """Restores what `load_training_progress` found and verified.

    Args:
      state: The directory of one step.
      dense: Pytree of arrays or shapes with the structure that was saved.

    Returns:
      The dense pytree and the tables.
    """
    import orbax.checkpoint as ocp

    target = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), dense)
    with ocp.StandardCheckpointer() as checkpointer:
        restored = checkpointer.restore((state / _DENSE).absolute(), target)
    # Own buffers: the training step donates them.
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), restored), _read_tables(state)


def verify(directory: Path, *, required: tuple[str, ...] = ()) -> None:
    """Compares every file with the checksum that was written with it.

    Args:
      directory: Written by this module.
      required: Names that the checksums must cover.

    Raises:
      CheckpointError: Naming the first file that is missing, damaged or not covered.
    """
    path = directory / _CHECKSUMS
    if not path.is_file():
        raise CheckpointError(f"{path}: missing; there is no complete checkpoint here.")
    try:
        files = json.loads(path.read_text())["files"]
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
        if file.stat().st_size != size:
            raise CheckpointError(
                f"{file}: damaged, expected {size} bytes, got {file.stat().st_size}."
            )
        if (actual := _sha256(file)) != digest:
            raise CheckpointError(f"{file}: damaged, expected SHA-256 {digest}, got {actual}.")


def _publish(directory: Path, write: Callable[[Path], None]) -> None:
    """Calls `write` on a hidden sibling, adds checksums, syncs, and renames it to `directory`."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise FileExistsError(f"{directory} exists already.")
    partial = directory.parent / f".{directory.name}.partial"
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir()
    write(partial)
    files = sorted(path for path in partial.rglob("*") if path.is_file())
    checksums = {
        "files": {
            path.relative_to(partial).as_posix(): {
                "sha256": _sha256(path),
                "size": path.stat().st_size,
            }
            for path in files
        }
    }
    (partial / _CHECKSUMS).write_text(_canonical_json(checksums))
    for path in [*files, partial / _CHECKSUMS]:
        _sync(path)
    for path in [*(path for path in partial.rglob("*") if path.is_dir()), partial]:
        _sync(path)
    partial.rename(directory)
    _sync(directory.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _canonical_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n"


def _states(directory: Path) -> list[Path]:
    """The states in `directory`, oldest first."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if re.fullmatch(r"step_\d{10}", path.name))


def _table_files() -> tuple[str, ...]:
    return tuple(f"{kind}_{part}.npy" for kind in KINDS for part in ("rows", "accumulator"))


def _write_tables(directory: Path, tables: EmbeddingTables) -> None:
    for kind in KINDS:
        table = getattr(tables, kind)
        np.save(directory / f"{kind}_rows.npy", np.asarray(table.rows), allow_pickle=False)
        accumulator = np.asarray(table.accumulator)
        np.save(directory / f"{kind}_accumulator.npy", accumulator, allow_pickle=False)


def _read_tables(directory: Path) -> EmbeddingTables:
    arrays = {
        part: {
            kind: np.load(directory / f"{kind}_{part}.npy", allow_pickle=False) for kind in KINDS
        }
        for part in ("rows", "accumulator")
    }
    return tables_from_arrays(arrays["rows"], arrays["accumulator"])


def _flat_params(params: hk.Params) -> dict[str, np.ndarray]:
    return {
        f"{module}/{name}": np.asarray(params[module][name])
        for module in sorted(params)
        for name in sorted(params[module])
    }


def _nested_params(arrays: Mapping[str, np.ndarray]) -> hk.Params:
    params: dict[str, dict[str, jax.Array]] = {}
    for key, array in arrays.items():
        module, name = key.rsplit("/", 1)
        params.setdefault(module, {})[name] = jnp.asarray(array)
    return params
