"""Embeddings of posts or users, split by split, from any retriever."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from phoenix.array_files import FileFormat, write_array
from phoenix.recommender import Retriever
from phoenix.windows import Windows

Content = TypeVar("Content")


class Posts(NamedTuple):
    """Posts to embed."""

    post_ids: np.ndarray  # [M] int64
    author_ids: np.ndarray  # [M] int64


class NotFiniteError(ArithmeticError):
    """A model gave numbers that are none; the message says which model, where and how many."""

    def __init__(self, message: str, count: int) -> None:
        """Takes the message and how many there are."""
        super().__init__(message)
        self.count = count


@dataclass(frozen=True, kw_only=True)
class EmbeddingRunner:
    """Embeds the posts, or the users of the windows, of each split.

    Override `embed` to change what is extracted.
    """

    retriever: Retriever
    splits: Mapping[str, Posts | Windows]

    def embed(self, split: str) -> np.ndarray:
        """Returns `[M, D]` float32 vectors of one split.

        Raises:
          ValueError: If there is no such split.
          NotFiniteError: If a vector is not finite.
        """
        content = chosen_split(self.splits, split)
        if isinstance(content, Posts):
            vectors = self.retriever.encode_posts(content.post_ids, content.author_ids)
            ids, kind = content.post_ids, "post"
        else:
            vectors, ids, kind = self.retriever.encode_users(content), content.user_ids, "user"
        broken = ~np.isfinite(vectors).all(axis=1)
        if broken.any():
            raise NotFiniteError(
                f"{self.retriever.name}, split {split!r}: the vectors of {int(broken.sum())} "
                f"{kind}s are not finite, e.g. of {kind} {ids[broken][0]}.",
                int(broken.sum()),
            )
        return vectors

    def run(self, folder: Path, file_format: FileFormat = "npy") -> dict[str, Path]:
        """Writes the vectors of every split below `folder`, which must exist.

        Raises:
          ValueError: If a split has no data.
          NotFiniteError: If a vector is not finite.
        """
        for split, content in self.splits.items():
            if not len(content[0]):
                raise ValueError(f"The split {split!r} has no data.")
        return {
            split: write_array(folder / split, self.embed(split), file_format)
            for split in self.splits
        }


def chosen_split(splits: Mapping[str, Content], split: str) -> Content:
    """Returns the content of a split.

    Raises:
      ValueError: If there is none of that name; says which there are.
    """
    if split not in splits:
        raise ValueError(f"Expected one of the splits {sorted(splits)}, got {split!r}.")
    return splits[split]
