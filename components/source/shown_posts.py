"""The posts that a log shows, each with its author and its first impression."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.tables import id_texts
from components.tables.id_texts import IdTexts
from components.tables.text_collector import TextCollector

_NAMES = ("post_id", "author_id")


@dataclass(frozen=True)
class ShownPosts:
    """Posts in order of their ids."""

    post_ids: np.ndarray  # [M] int64, each once
    author_ids: np.ndarray  # [M] int64: by the first impression
    shown_at: np.ndarray  # [M] int64 ms: the first impression
    # Of posts and authors, where ids are text; perhaps of more than are there.
    texts: Mapping[str, IdTexts] = field(default_factory=dict)

    @classmethod
    def of(cls, post_ids: np.ndarray, author_ids: np.ndarray, shown_at: np.ndarray) -> "ShownPosts":
        """Returns the posts of some impressions, `[n]` each; of equal times the lowest author.

        >>> posts = ShownPosts.of(np.array([7, 3, 7]), np.array([1, 2, 4]), np.array([30, 20, 10]))
        >>> posts.post_ids.tolist(), posts.author_ids.tolist(), posts.shown_at.tolist()
        ([3, 7], [2, 4], [20, 10])
        """
        # By a table of hashes instead of a sort: a log shows the same posts again and again.
        dictionary = pa.array(post_ids).dictionary_encode()
        ids, codes = np.asarray(dictionary.dictionary), np.asarray(dictionary.indices)
        latest = np.iinfo(np.int64).max
        times, authors = np.full(len(ids), latest), np.full(len(ids), latest)
        np.minimum.at(times, codes, shown_at)
        is_first = shown_at == times[codes]
        np.minimum.at(authors, codes[is_first], author_ids[is_first])
        order = np.argsort(ids)
        return cls(ids[order], authors[order], times[order])

    @classmethod
    def merge(cls, parts: Sequence["ShownPosts"]) -> "ShownPosts":
        """Returns the posts of all parts.

        Raises:
          BadDataError: If two texts have one number.
        """
        if len(parts) == 1:
            return parts[0]
        columns = [np.concatenate([np.empty(0, np.int64), *column]) for column in _columns(parts)]
        posts, texts = cls.of(*columns), TextCollector()
        for part in parts:
            texts.add(part.texts)
        return cls(posts.post_ids, posts.author_ids, posts.shown_at, texts.texts())

    @classmethod
    def load(cls, path: Path) -> "ShownPosts":
        """Reads what `save` wrote."""
        post_ids, author_ids, shown_at = np.load(path, allow_pickle=False)
        texts = id_texts.read_all(_texts_folder(path), _NAMES)
        return cls(post_ids, author_ids, shown_at, texts)

    def save(self, path: Path) -> None:
        """Writes the posts, whole or not at all; their texts into a folder beside."""
        if self.texts:
            folder = _texts_folder(path)
            folder.mkdir(exist_ok=True)
            for part in self.texts.values():
                part.write(folder)
        unfinished = path.with_name(f".{path.name}")
        with unfinished.open("wb") as file:
            np.save(file, np.stack([self.post_ids, self.author_ids, self.shown_at]))
        unfinished.replace(path)

    def digest(self) -> str:
        """Returns the SHA-256 of the posts."""
        digest = hashlib.sha256()
        for column in (self.post_ids, self.author_ids, self.shown_at):
            digest.update(column.tobytes())
        return digest.hexdigest()


def remove(path: Path) -> None:
    """Removes what `ShownPosts.save` wrote, by whomever it is being removed, too."""
    path.unlink(missing_ok=True)
    shutil.rmtree(_texts_folder(path), ignore_errors=True)


def _texts_folder(path: Path) -> Path:
    return path.with_suffix("")


def _columns(parts: Sequence[ShownPosts]) -> list[list[np.ndarray]]:
    return [
        [part.post_ids for part in parts],
        [part.author_ids for part in parts],
        [part.shown_at for part in parts],
    ]


class ShownCollector:
    """Takes impressions in any number; keeps no more than the posts among them."""

    def __init__(self, texts: TextCollector) -> None:
        """Begins without posts; `texts` takes their texts and those of their authors."""
        self._parts: list[ShownPosts] = []
        self._texts = texts
        self._limit = 1 << 20

    def add(self, part: ShownPosts) -> None:
        """Takes posts."""
        self._texts.add(part.texts)
        self._parts.append(ShownPosts(part.post_ids, part.author_ids, part.shown_at))
        if sum(len(each.post_ids) for each in self._parts) > self._limit:
            self._parts = [ShownPosts.merge(self._parts)]
            # Twice what is left, so that a log that shows only new posts is not merged again and
            # again.
            self._limit = max(self._limit, 2 * len(self._parts[0].post_ids))

    def posts(self) -> ShownPosts:
        """Returns the posts so far."""
        posts, texts = ShownPosts.merge(self._parts), self._texts.texts()
        of_posts = {name: texts[name] for name in _NAMES if name in texts}
        return ShownPosts(posts.post_ids, posts.author_ids, posts.shown_at, of_posts)
