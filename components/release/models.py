"""Models inside artifacts: saved, named by their content, loaded whatever their kind.

A model is a folder. Its digest depends on the files in it and on nothing else, so it is the same
in the artifact of a training run and in every release that carries a copy.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from components.errors import BadDataError
from components.store.artifacts import Artifact
from phoenix.recommend import baselines
from phoenix.recommend.recommender import Retriever

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
        """The content of `model.json`."""
        path = self.artifact.path(self.name) / _MODEL
        return json.loads(path.read_text(encoding="utf-8"))

    @property
    def kind(self) -> str:
        """The name of the kind of model, e.g. `most_popular`."""
        return self.description["kind"]

    def retriever(self) -> Retriever:
        """Loads the model as a retriever."""
        return cast("Retriever", load(self.artifact.path(self.name)))

    def copy_to(self, folder: Path) -> None:
        """Copies the model's files to `folder`, which must not exist."""
        shutil.copytree(self.artifact.path(self.name), folder)


def folder_digest(folder: Path) -> str:
    """Returns what `ModelFolder.digest` says of the same files, by reading them."""
    content = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        content[path.relative_to(folder).as_posix()] = digest
    return _digest_of(content)


def load(folder: Path) -> "baselines.Baseline | TrainedModel":
    """Loads a model of any kind; trained ones import JAX only here.

    Raises:
      BadDataError: If a file is damaged or the kind is unknown.
    """
    kind = json.loads((folder / _MODEL).read_text(encoding="utf-8")).get("kind")
    if kind in baselines.BASELINES:
        return baselines.load_baseline(folder)
    from phoenix.recommend import checkpoint

    try:
        return checkpoint.load_model(folder)
    except checkpoint.CheckpointError as error:
        raise BadDataError(str(error)) from error


def save(folder: Path, model: "baselines.Baseline | TrainedModel") -> None:
    """Writes a model of any kind to `folder`, which must not exist."""
    if isinstance(model, baselines.MostPopular | baselines.Random):
        baselines.save_baseline(folder, model)
        return
    from phoenix.recommend import checkpoint

    checkpoint.save_model(folder, model)


def _digest_of(content: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
