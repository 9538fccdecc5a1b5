"""Models inside artifacts: saved, named by their content, loaded whatever their kind.

A model is a folder. Its digest depends on the files in it and on nothing else, so it is the same
in the artifact of a training run and in every release that carries a copy.

Whoever needs a model says in which part: as retriever, as ranker, as the most popular recommender
or as the start of a training. A folder with a model of another kind is refused by its name instead
of failing in the middle of the work. JAX is imported with the first trained model: days on which
only the most popular recommender is live do without its start-up.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import BadDataError
from components.store.artifacts import Artifact
from phoenix.recommend import baselines
from phoenix.recommend.baselines import Baseline, MostPopular
from phoenix.recommend.descriptions import migrated
from phoenix.recommend.recommender import Ranker, Retriever

if TYPE_CHECKING:
    from phoenix.recommend.trained import TrainedModel

_MODEL = "model.json"  # every kind of model has one, with its `kind` and `actions`

MODEL = "model"  # folder of a training artifact


@dataclass(frozen=True)
class ModelFolder:
    """A model in a verified artifact."""

    artifact: Artifact
    name: str  # folder within the artifact

    @property
    def digest(self) -> str:
        """SHA-256 over the names and digests of the model's files."""
        prefix = f"{self.name}/"
        files = self.artifact.manifest["files"]
        return _digest_of(
            {
                name.removeprefix(prefix): entry["sha256"]
                for name, entry in files.items()
                if name.startswith(prefix)
            }
        )

    @property
    def description(self) -> dict[str, Any]:
        """The content of `model.json`, as it would be written today."""
        path = self.artifact.path(self.name) / _MODEL
        return migrated(json.loads(path.read_text(encoding="utf-8")))

    @property
    def kind(self) -> str:
        """The name of the kind of model, e.g. `most_popular`."""
        return self.description["kind"]

    def retriever(self) -> Retriever:
        """Loads the model as a retriever; see `load_retriever`."""
        return load_retriever(self.artifact.path(self.name))

    def copy_to(self, folder: Path) -> None:
        """Copies the model's files to `folder`, which must not exist."""
        shutil.copytree(self.artifact.path(self.name), folder)


def folder_digest(folder: Path) -> str:
    """SHA-256 of a model's files, equal to `ModelFolder.digest`, but from their bytes.

    For folders without a manifest: a release that is being written has none yet.
    """
    digests = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        digests[path.relative_to(folder).as_posix()] = digest
    return _digest_of(digests)


def load(folder: Path, *, with_optimizer: bool = False) -> "Baseline | TrainedModel":
    """Loads a model of any kind; trained ones import JAX only here.

    Args:
      folder: Of the model.
      with_optimizer: Whether a training goes on from it; see `phoenix.recommend.checkpoint`.

    Raises:
      BadDataError: If there is no model, a file is damaged or the kind is unknown.
    """
    path = folder / _MODEL
    if not path.is_file():
        raise BadDataError(f"{folder}: expected the folder of a model, found no {_MODEL}.")
    if json.loads(path.read_text(encoding="utf-8")).get("kind") in baselines.BASELINES:
        return baselines.load_baseline(folder)
    from phoenix.recommend import checkpoint

    try:
        return checkpoint.load_model(folder, with_optimizer=with_optimizer)
    except checkpoint.CheckpointError as error:
        raise BadDataError(str(error)) from error


def load_retriever(folder: Path) -> Retriever:
    """Loads a model that retrieves: two towers, or a baseline.

    Raises:
      BadDataError: As `load`, or if the model is of another kind.
    """
    model = load(folder)
    if isinstance(model, Baseline):
        return model
    from phoenix.recommend.trained import (
        TwoTower,  # What was loaded is a trained model: JAX is there.
    )

    if not isinstance(model, TwoTower):
        raise _other_kind(folder, model, TwoTower.name, *baselines.BASELINES)
    return model


def load_ranker(folder: Path) -> Ranker:
    """Loads a model that ranks: a ranking transformer, or a baseline.

    Raises:
      BadDataError: As `load`, or if the model is of another kind.
    """
    model = load(folder)
    if isinstance(model, Baseline):
        return model
    from phoenix.recommend.trained import RankingTransformer

    if not isinstance(model, RankingTransformer):
        raise _other_kind(folder, model, RankingTransformer.name, *baselines.BASELINES)
    return model


def load_trained(folder: Path) -> "TrainedModel":
    """Loads a model with which a training can start: two towers or a ranking transformer.

    Raises:
      BadDataError: As `load`, or if the model is a baseline.
    """
    from phoenix.recommend.trained import RankingTransformer, TwoTower

    model = load(folder, with_optimizer=True)
    if isinstance(model, Baseline):
        raise _other_kind(folder, model, TwoTower.name, RankingTransformer.name)
    return model


def load_most_popular(folder: Path) -> MostPopular:
    """Loads the most popular recommender, the fallback of every release.

    Raises:
      BadDataError: As `load`, or if the model is of another kind.
    """
    model = load(folder)
    if not isinstance(model, MostPopular):
        raise _other_kind(folder, model, MostPopular.name)
    return model


def save(folder: Path, model: "Baseline | TrainedModel") -> None:
    """Writes a model of any kind to `folder`, which must not exist."""
    if isinstance(model, Baseline):
        baselines.save_baseline(folder, model)
        return
    from phoenix.recommend import checkpoint

    checkpoint.save_model(folder, model)


def _other_kind(folder: Path, model: "Baseline | TrainedModel", *expected: str) -> BadDataError:
    return BadDataError(
        f"{folder}: expected a model of the kind {' or '.join(expected)}, got a {model.name}."
    )


def _digest_of(digests: Mapping[str, str]) -> str:
    """SHA-256 over the digests of files by name, whatever order they come in."""
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
