"""The recorded inputs, parameters and outputs of the public models."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from phoenix.grok import TransformerConfig
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.inputs.config import HashConfig


class GoldenCase(NamedTuple):
    """One recorded case; `arrays` holds everything by its recorded key."""

    sizes: dict
    arrays: dict
    batch: RecsysBatch
    embeddings: RecsysEmbeddings

    def params(self, prefix):
        """Parameters recorded below `prefix`, as a Haiku tree."""
        tree = {}
        for key, value in self.arrays.items():
            if key.startswith(prefix):
                _, module, name = key.split("|")
                tree.setdefault(module, {})[name] = value
        return tree

    def trunk(self):
        """The recorded trunk."""
        names = ("D", "key", "q", "kv", "L", "w", "mult")
        return TransformerConfig(*(self.sizes[name] for name in names))

    def hash_config(self):
        """The recorded hash counts."""
        return HashConfig(*(self.sizes[name] for name in ("nu", "ni", "na")))


def load(find):
    """The recorded case from the folder named by PHOENIX_GOLDEN, else from `find("golden")`."""
    folder = os.environ.get("PHOENIX_GOLDEN")
    path = (Path(folder) if folder else find("golden")) / "phoenix_base.npz"
    if not path.exists():
        pytest.skip(f"needs the recorded public models, {path}")
    with np.load(path) as file:
        arrays = dict(file)
    pick = {
        prefix: {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        for prefix in ("batch.", "emb.")
    }
    return GoldenCase(
        sizes=json.loads(str(arrays.pop("config"))),
        arrays=arrays,
        batch=RecsysBatch(**pick["batch."]),
        embeddings=RecsysEmbeddings(**pick["emb."]),
    )
