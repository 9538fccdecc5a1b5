"""Attributes of users, posts and impressions: categories and bucketed numbers that models read.

A value becomes a few numbers when it is ingested, and a vector in the model (`attribute_vectors`).
What a number means is in the declaration alone, so features and models belong together exactly if
their declarations have one digest. The data steps use this module, so it knows nothing of JAX.

Glossary of shapes:
  n: values, W: numbers of all attributes of a token.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from phoenix.config import JsonConfig, check, check_choice, check_counts, is_number
from phoenix.data.hashing import HashSpec

Side = Literal["user", "post", "context"]
Kind = Literal["id", "raw", "bucketized", "vocabulary", "sequence", "vector"]
SIDES = ("user", "post", "context")
KINDS = ("id", "raw", "bucketized", "vocabulary", "sequence", "vector")
MISSING = 0  # The code of a value that is not there.
_OTHER = 1  # The code of a value outside of a vocabulary.
_FIRST_WORD = 2
_VERSION = 1  # Of the meaning of the codes.
_LARGEST_CODE = 1 << 24  # Codes travel as float32, which is exact up to here.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attribute(JsonConfig):
    """The declaration of one attribute, wherever its values come from.

    Attributes:
      name: Unique among all sides.
      side: Whose it is: the user's, the post's, or of the impression ("context").
      kind: "id": hashed to one row; "raw": a number as it is; "bucketized": a number by interval;
        "vocabulary": one of `words`; "sequence": several ids or words, whose vectors are averaged;
        "vector": numbers that say something together, such as an embedding of a text or an image.
      num_rows: Of "id", and of "sequence" without `words`: rows to hash to, row 0 is for nothing.
      boundaries: Of "bucketized": where intervals begin, ascending; a value on one begins it.
      words: Of "vocabulary" and "sequence".
      default: What a missing or unreadable value counts as, and a value outside of the vocabulary.
        None: "missing" and "other" have vectors of their own; of "raw", a missing number has none.
      scale: Of "raw": the number is divided by it.
      length: Of "sequence": the first so many elements count; of "vector": its numbers, no more and
        no fewer.
    """

    name: str
    side: Side
    kind: Kind
    num_rows: int = 0
    boundaries: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    default: float | str | None = None
    scale: float = 1.0
    length: int = 1

    def __post_init__(self) -> None:
        """Settles the types that JSON does not keep, and checks the fields."""
        is_name = isinstance(self.name, str) and self.name.isidentifier()
        self._check(is_name, "name", "a name of letters, digits and _")
        self._check(_are(self.boundaries, is_number), "boundaries", "ascending numbers, all finite")
        are_words = _are(self.words, lambda word: isinstance(word, str))
        self._check(are_words, "words", "a list of strings")
        self._check(is_number(self.scale) and self.scale > 0, "scale", "a number above 0")
        # JSON has lists and reads 1.0 back as 1: equal declarations must have equal digests.
        object.__setattr__(self, "boundaries", tuple(map(float, self.boundaries)))
        object.__setattr__(self, "words", tuple(self.words))
        object.__setattr__(self, "scale", float(self.scale))
        if isinstance(self.default, int):
            object.__setattr__(self, "default", float(self.default))
        check_choice(self, "side", SIDES)
        check_choice(self, "kind", KINDS)
        check_counts(self, ("length",))
        is_single = self.length == 1 or self.kind in ("sequence", "vector")
        self._check(is_single, "length", "1, unless the kind is 'sequence' or 'vector'")
        ascending = sorted(set(self.boundaries))
        self._check(
            list(self.boundaries) == ascending, "boundaries", "ascending numbers, all finite"
        )
        self._check(len(set(self.words)) == len(self.words), "words", "words that differ")
        # Each kind has exactly one thing that shapes its codes; what it would not read is refused,
        # because a declaration that says more than it does would be believed.
        is_hashed = self.kind == "id" or (self.kind == "sequence" and not self.words)
        rows = range(2, _LARGEST_CODE) if is_hashed else range(1)
        self._check(self.num_rows in rows, "num_rows", "2 to 16,777,215 of a hashed kind, else 0")
        self._check(bool(self.boundaries) == (self.kind == "bucketized"), "boundaries", self._whose)
        has_words = self.kind == "vocabulary" or (self.kind == "sequence" and not self.num_rows)
        self._check(bool(self.words) == has_words, "words", self._whose)
        self._check_default()

    def _check_default(self) -> None:
        """Refuses a default that could not be a value; a hashed id has none that means anything."""
        if self.default is None:
            return
        if self.kind in ("raw", "bucketized"):
            self._check(is_number(self.default), "default", "a finite number")
        elif self.kind == "vocabulary":
            self._check(self.default in self.words, "default", "one of the words")
        else:
            self._check(False, "default", "nothing, of this kind")

    def _check(self, condition: bool, field: str, expected: str) -> None:
        place = f"Attribute.{self.name}.{field}"
        check(condition, place, expected=expected, got=getattr(self, field))

    @property
    def _whose(self) -> str:
        """The words of an error about a field that only other kinds have."""
        return f"what fits the kind {self.kind!r}"

    @property
    def table_size(self) -> int:
        """The number of codes that a value may have; 0 of numbers.

        >>> Attribute(name="age", side="user", kind="bucketized", boundaries=(18, 65)).table_size
        4
        """
        if self.kind in ("raw", "vector"):
            return 0
        if self.kind == "bucketized":
            return len(self.boundaries) + 2  # Intervals, and the code of a missing number.
        return self.num_rows or len(self.words) + _FIRST_WORD

    def of_numbers(self, numbers: np.ndarray) -> np.ndarray:
        """The values of "raw" and "bucketized".

        Args:
          numbers: `[n]` float64, NaN where there is none.

        Returns:
          `[n]` float32: numbers, NaN where one is missing, or codes.

        >>> age = Attribute(name="age", side="user", kind="bucketized", boundaries=(18, 65))
        >>> age.of_numbers(np.array([np.nan, 17, 18, 64.5, 65])).tolist()
        [0.0, 1.0, 2.0, 2.0, 3.0]
        """
        if self.default is not None:
            numbers = np.where(np.isnan(numbers), float(self.default), numbers)
        if self.kind == "raw":
            return (numbers / self.scale).astype(np.float32)
        # NumPy sorts NaN behind every number: it is given its own code afterwards.
        codes = 1 + np.searchsorted(self.boundaries, numbers, "right")
        return np.where(np.isnan(numbers), MISSING, codes).astype(np.float32)

    def of_places(self, places: np.ndarray) -> np.ndarray:
        """The values of words: their places in `words` `[...]`, -1 is other and -2 missing.

        >>> degree = Attribute(name="degree", side="user", kind="vocabulary", words=("low", "high"))
        >>> degree.of_places(np.array([-2, -1, 0, 1])).tolist()
        [0.0, 1.0, 2.0, 3.0]
        """
        codes = places + _FIRST_WORD
        if self.default is not None:
            codes = np.where(codes < _FIRST_WORD, self.words.index(str(self.default)) + 2, codes)
        return codes.astype(np.float32)

    def of_ids(self, ids: np.ndarray) -> np.ndarray:
        """The values of ids `[...]` int64, 0 is missing: the rows to which they are hashed.

        >>> music = Attribute(name="music", side="post", kind="id", num_rows=100)
        >>> music.of_ids(np.array([0, 12345])).tolist()
        [0.0, 51.0]
        """
        # One function, not the several of an id of a user or post: a value has one vector.
        rows = HashSpec.documented(user_rows=self.num_rows, num_hashes=1).user.hash_ids(ids)
        return rows[..., 0].astype(np.float32)

    def of_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """The values of vectors `[n, length]`, of length 1: they say by their direction.

        A vector with a number that is not finite, and one of zeros, is missing: all NaN.

        >>> text = Attribute(name="text", side="post", kind="vector", length=2)
        >>> text.of_vectors(np.array([[3.0, 4.0], [np.nan, 1.0], [0.0, 0.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929], [nan, nan], [nan, nan]]
        """
        wide = vectors.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
            is_known = np.isfinite(lengths) & (lengths > 0)
            return np.where(is_known, wide / lengths, np.nan).astype(np.float32)

    @property
    def nothing(self) -> np.ndarray:
        """`[length]` float32: the value of somebody of whom nothing is known."""
        if self.kind == "vector":
            return np.full(self.length, np.nan, np.float32)
        if self.kind in ("raw", "bucketized"):
            return self.of_numbers(np.array([np.nan]))
        if self.kind == "vocabulary":
            return self.of_places(np.array([-2]))
        return np.zeros(self.length, np.float32)


def _are(values: object, is_one: Callable[[object], bool]) -> bool:
    """Whether `values` is a list or tuple, and every one of them such a value."""
    return isinstance(values, list | tuple) and all(map(is_one, values))


def of_side(attributes: Sequence[Attribute], *sides: Side) -> tuple[Attribute, ...]:
    """The attributes of some sides, side by side, each in the order of the declaration.

    >>> day = Attribute(name="day", side="context", kind="raw")
    >>> size = Attribute(name="size", side="post", kind="raw")
    >>> [attribute.name for attribute in of_side([day, size], "post", "context")]
    ['size', 'day']
    """
    return tuple(each for side in sides for each in attributes if each.side == side)


def width(attributes: Sequence[Attribute]) -> int:
    """W: the number of numbers of all attributes.

    >>> tags = Attribute(name="tags", side="post", kind="sequence", num_rows=100, length=3)
    >>> width([tags, Attribute(name="size", side="post", kind="raw")])
    4
    """
    return sum(attribute.length for attribute in attributes)


def nothing(attributes: Sequence[Attribute]) -> np.ndarray:
    """`[W]` float32: the values of somebody of whom nothing is known."""
    return np.concatenate([np.empty(0, np.float32), *(each.nothing for each in attributes)])


def declaration(attributes: Sequence[Attribute]) -> dict[str, object]:
    """The declared list and its digest, as manifests carry them."""
    return {
        "version": _VERSION,
        "declared": [attribute.to_dict() for attribute in attributes],
        "digest": digest(attributes),
    }


def digest(attributes: Sequence[Attribute]) -> str:
    """SHA-256 of the declared list: equal exactly if all values mean the same."""
    # The version is part of it: the same declaration under another meaning is another one.
    content = [_VERSION, [attribute.to_dict() for attribute in attributes]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
