"""Trained models on disk: verified before use, replaced whole or not at all.

A saved model is byte-identical when saved twice. Orbax cannot promise that (its metadata holds
times, its OCDBT file names are random), so a model's dense parameters are an uncompressed `.npz`
with keys `module/path/parameter`, as in the public artifacts, and its tables are `.npy` files.

The state of its optimizer is there for who goes on with its training, and is read by nobody else.

Layout of a model:
  checksums.json, model.json, params.npz, {user,post,author}_{rows,accumulator}.npy, optimizer.npz
"""

import dataclasses
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from phoenix.data.hashing import KINDS, HashSpec
from phoenix.embedding import EmbeddingTables, tables_from_arrays
from phoenix.files.verified_files import (
    CheckpointError,
    FolderWriter,
    canonical_json,
    publish,
    verify,
)
from phoenix.model_runners import ModelConfig
from phoenix.recommend.descriptions import FORMAT_VERSION, migrated
from phoenix.recommend.trained import (
    OptimizerState,
    RankingTransformer,
    TrainedModel,
    TwoTower,
    trained_model,
)
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig

_MODEL = "model.json"
_PARAMS = "params.npz"
_OPTIMIZER = "optimizer.npz"
_CONFIGS: dict[str, type[PhoenixModelConfig] | type[PhoenixRetrievalModelConfig]] = {
    RankingTransformer.name: PhoenixModelConfig,
    TwoTower.name: PhoenixRetrievalModelConfig,
}
_LIBRARIES = ("jax", "jaxlib", "dm-haiku", "optax", "numpy")


def save_model(directory: Path, model: TrainedModel) -> None:
    """Writes `model` to `directory`, which appears complete or not at all.

    Args:
      directory: Must not exist, or be an empty directory; its parent must exist.
      model: A `TwoTower` or a `RankingTransformer`.

    Raises:
      FileExistsError: If something is there already.
    """

    def write(into: FolderWriter) -> None:
        """Writes every file of the model."""
        description = {
            **description_of(model.config, model.actions, model.hash_spec, model.seed),
            "format_version": FORMAT_VERSION,
            "optimizer": None,
        }
        arrays = {_PARAMS: _flat_params(model.params)}
        if (optimizer := model.optimizer) is not None:
            counts = {"steps": optimizer.steps, "schedule_steps": optimizer.schedule_steps}
            description["optimizer"] = counts
            arrays[_OPTIMIZER] = dict(sorted(optimizer.arrays.items()))
        into.write_text(_MODEL, canonical_json(description))
        for name, values in arrays.items():
            np.savez(into.folder / name, allow_pickle=False, **values)
            into.add(into.folder / name)
        write_tables(into, model.tables)

    publish(directory, write)


def load_model(
    directory: Path, *, kind: str | None = None, with_optimizer: bool = False
) -> TrainedModel:
    """Reads a model after verifying every file.

    Args:
      directory: Written by `save_model`.
      kind: `TwoTower.name` or `RankingTransformer.name` to insist on; None takes either.
      with_optimizer: Whether to read the state of its optimizer, too, where there is one; it is as
        large as the dense parameters once or twice.

    Raises:
      CheckpointError: If a file is missing or damaged, or the model is of another kind or format.
    """
    verify(directory, required=(_MODEL, _PARAMS, *table_files()))
    description = migrated(json.loads((directory / _MODEL).read_text()))
    model_kind = description.get("kind")
    if description.get("format_version") != FORMAT_VERSION or model_kind not in _CONFIGS:
        raise CheckpointError(
            f"{directory / _MODEL}: expected format {FORMAT_VERSION} of one of "
            f"{sorted(_CONFIGS)}, got format {description.get('format_version')} of {model_kind!r}."
        )
    if kind is not None and kind != model_kind:
        raise CheckpointError(f"{directory / _MODEL}: expected a {kind!r}, got a {model_kind!r}.")
    optimizer = None
    if with_optimizer and description["optimizer"] is not None:
        optimizer = OptimizerState(_arrays(directory / _OPTIMIZER), **description["optimizer"])
    params = _nested_params(_arrays(directory / _PARAMS))
    model = trained_model(
        _CONFIGS[model_kind].from_dict(description["config"]),
        params,
        read_tables(directory),
        actions=tuple(description["actions"]),
        hash_spec=HashSpec.from_dict(description["hash_spec"]),
        seed=description["seed"],
    )
    return dataclasses.replace(model, optimizer=optimizer)


def description_of(
    config: ModelConfig, actions: tuple[str, ...], hash_spec: HashSpec, seed: int
) -> dict[str, Any]:
    """The facts by which a model can be used: kind, sizes, actions, hashes, seed, libraries."""
    is_ranker = isinstance(config, PhoenixModelConfig)
    return {
        "kind": RankingTransformer.name if is_ranker else TwoTower.name,
        "config": config.to_dict(),
        "actions": list(actions),
        "hash_spec": hash_spec.to_dict(),
        "seed": seed,
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
    }


def table_files() -> tuple[str, ...]:
    """The names of the files that `write_tables` writes."""
    return tuple(f"{kind}_{part}.npy" for kind in KINDS for part in ("rows", "accumulator"))


def write_tables(into: FolderWriter, tables: EmbeddingTables) -> None:
    """Writes rows and accumulators of all tables."""
    into.write_arrays(
        {
            f"{kind}_{part}.npy": np.asarray(getattr(getattr(tables, kind), part))
            for kind in KINDS
            for part in ("rows", "accumulator")
        }
    )


def read_tables(directory: Path) -> EmbeddingTables:
    """Reads what `write_tables` wrote; verify first."""
    arrays = {
        part: {
            kind: np.load(directory / f"{kind}_{part}.npy", allow_pickle=False) for kind in KINDS
        }
        for part in ("rows", "accumulator")
    }
    return tables_from_arrays(arrays["rows"], arrays["accumulator"])


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


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
