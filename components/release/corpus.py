"""A corpus of embedded posts: TensorStore arrays that know which model made them.

Queries of one model against the vectors of another give numbers that look like scores and mean
nothing. So a corpus carries the digest of its model, and refuses queries of any other.

Layout: post_ids, author_ids, is_eligible, created_at, attributes, vectors (zarr v3, one row per
post, sorted by post id) and corpus.json.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.errors import BadDataError
from phoenix.data import sorted_ids
from phoenix.files.array_files import read_array, write_array

_DESCRIPTION = "corpus.json"  # beside the arrays: for people, and for the digest of the model
_ARRAYS = ("post_ids", "author_ids", "is_eligible", "created_at", "attributes", "vectors")


@dataclass(frozen=True)
class Corpus:
    """Embedded posts; arrays have M rows."""

    model_digest: str  # of the retrieval model that made the vectors
    post_ids: np.ndarray  # [M] int64, sorted
    author_ids: np.ndarray  # [M] int64
    is_eligible: np.ndarray  # [M] bool
    created_at: np.ndarray  # [M] int64, ms UTC, 0 = unknown
    attributes: np.ndarray  # [M, W] float32: of the posts, see `phoenix.data.attributes`
    vectors: np.ndarray  # [M, D] float32; zero where the post is not eligible

    def write(self, folder: Path) -> None:
        """Writes the corpus into `folder`, which must exist; equal content gives equal bytes."""
        for name in _ARRAYS:
            write_array(folder / name, getattr(self, name), "tensorstore")
        description = {
            "model_digest": self.model_digest,
            "num_posts": len(self.post_ids),
            "num_eligible": int(self.is_eligible.sum()),
            "emb_size": self.vectors.shape[1],
        }
        text = json.dumps(description, sort_keys=True, indent=1)
        (folder / _DESCRIPTION).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Corpus":
        """Reads a corpus from a folder of a verified artifact.

        Raises:
          BadDataError: If an array is missing.
        """
        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        missing = [name for name in _ARRAYS if not (folder / name).exists()]
        if missing:
            raise BadDataError(
                f"{folder}: expected {', '.join(_ARRAYS)}, found no {missing[0]}: export this "
                "corpus again."
            )
        arrays = [read_array(folder / name) for name in _ARRAYS]
        return cls(description["model_digest"], *arrays)

    def refuse_other_model(self, model_digest: str) -> None:
        """Checks that queries of the model `model_digest` may be compared with these vectors.

        Raises:
          BadDataError: If another model made the vectors.
        """
        if model_digest != self.model_digest:
            raise BadDataError(
                f"The corpus was embedded by the model {self.model_digest[:12]}, the queries are "
                f"of the model {model_digest[:12]}: their products mean nothing. Export the corpus "
                "with the model of the queries."
            )

    def rows_of(self, post_ids: np.ndarray) -> np.ndarray:
        """`[...]` int64 rows of posts, -1 where a post is not in the corpus."""
        rows, is_there = sorted_ids.find(self.post_ids, post_ids)
        return np.where(is_there, rows, -1)
