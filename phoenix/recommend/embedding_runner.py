"""Embeddings of posts or users, split by split, from any retriever.

Glossary of shapes:
  M: posts of a collection, N: windows, D: vector size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from phoenix.data.windows import Windows
from phoenix.files.array_files import FileFormat, write_array
from phoenix.recommend.baselines import Collection
from phoenix.recommend.recommender import Retriever

Content = TypeVar("Content")


class NonFiniteOutputError(ArithmeticError):
    """A model has vectors or predictions that are not finite; the message says where."""

    def __init__(self, message: str, count: int) -> None:
        """Takes the message and the number of vectors or predictions that are not finite."""
        super().__init__(message)
        self.count = count


@dataclass(frozen=True, kw_only=True)
class EmbeddingRunner:
    """Embeds the eligible posts, or the users of the windows, of each split.

    Override `embed` to change what is extracted.
    """

    retriever: Retriever
    splits: Mapping[str, Collection | Windows]

    def embed(self, split: str) -> np.ndarray:
        """Returns `[M, D]` float32 vectors of posts, zero where not eligible, or `[N, D]` of users.

        Raises:
          ValueError: If there is no such split.
          NonFiniteOutputError: If a vector is not finite.
        """
        content = content_of(self.splits, split)
        if isinstance(content, Windows):
            vectors, ids, kind = self.retriever.encode_users(content), content.user_ids, "user"
        else:
            ids, kind, is_eligible = content.post_ids, "post", content.is_eligible
            inputs = None if content.inputs is None else content.inputs.rows(is_eligible)
            eligible = self.retriever.encode_posts(
                ids[is_eligible], content.author_ids[is_eligible], inputs
            )
            vectors = np.zeros((len(ids), eligible.shape[1]), np.float32)
            vectors[is_eligible] = eligible
        is_broken = ~np.isfinite(vectors).all(axis=1)
        if is_broken.any():
            raise NonFiniteOutputError(
                f"{self.retriever.name}, split {split!r}: the vectors of {int(is_broken.sum())} "
                f"{kind}s are not finite, e.g. of {kind} {ids[is_broken][0]}.",
                int(is_broken.sum()),
            )
        return vectors

    def run(
        self, folder: Path | None = None, file_format: FileFormat = "npy"
    ) -> dict[str, np.ndarray]:
        """Returns the vectors of every split, and writes them below `folder` if there is one.

        Raises:
          ValueError: If a split has no data.
          NonFiniteOutputError: If a vector is not finite.
        """
        for split, content in self.splits.items():
            ids = content.user_ids if isinstance(content, Windows) else content.post_ids
            if not len(ids):
                raise ValueError(f"The split {split!r} has no data.")
        vectors = {}
        for split in self.splits:
            vectors[split] = self.embed(split)
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                write_array(folder / split, vectors[split], file_format)
        return vectors


def content_of(splits: Mapping[str, Content], split: str) -> Content:
    """Returns the content of a split.

    Raises:
      ValueError: If there is none of that name; says which there are.
    """
    if split not in splits:
        raise ValueError(f"Expected one of the splits {sorted(splits)}, got {split!r}.")
    return splits[split]
