"""Users and slates of any size in a few shapes, so that an odd size pads instead of compiling.

A padded user, event or candidate has hash 0 everywhere, which hides it. Candidates do not look at
each other, so a long slate is scored in blocks against the encoded users: its memory is that of a
block.

Glossary of shapes:
  B: batch, C: candidates.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeVar

import jax
import numpy as np
from jax.typing import ArrayLike

from phoenix.buckets import eighths, power_of_two
from phoenix.config import check_count
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings

MAX_BLOCK = 1024  # Candidates scored at once.
_MIN_BLOCK = 8
_MIN_HISTORY = 16

Inputs = TypeVar("Inputs", RecsysBatch, RecsysEmbeddings, RecsysBatch | RecsysEmbeddings)


def blocks(num_candidates: int, block_size: int = MAX_BLOCK) -> Iterator[slice]:
    """Slices of at most `block_size` candidates that cover all of them, in order.

    Raises:
      ConfigError: If `block_size` is no positive integer.

    >>> list(blocks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    check_count("block_size", block_size, minimum=1)
    for start in range(0, num_candidates, block_size):
        yield slice(start, min(start + block_size, num_candidates))


def block_bucket(num_candidates: int) -> int:
    """Slots for `num_candidates`: a power of two, at least 8.

    >>> block_bucket(3), block_bucket(9)
    (8, 16)
    """
    return power_of_two(num_candidates, at_least=_MIN_BLOCK)


def history_bucket(num_events: int) -> int:
    """Events for a history of `num_events`: a size of `buckets.eighths`, at least 16.

    >>> history_bucket(3), history_bucket(100)
    (16, 104)
    """
    # Finer than powers of two: attention to a history costs with the square of its length.
    return eighths(max(num_events, _MIN_HISTORY))


def candidate_block(inputs: Inputs, block: slice, size: int | None = None) -> Inputs:
    """The same users with the candidates of `block` only.

    Args:
      inputs: With C candidates.
      block: The candidates to take; values above C mean C.
      size: Slots of the result, the ones beyond the block padded; None means the block's.
    """
    fields = {}
    for name, array in _fields(inputs).items():
        if name.startswith("candidate_") and array is not None:
            part = np.asarray(array)[:, block]
            fields[name] = part if size is None else pad_axis(part, size, axis=1)
    return _replace_fields(inputs, fields)


def padded_users(inputs: Inputs, size: int) -> Inputs:
    """`inputs` of B users, followed by padding up to `size` users."""
    return jax.tree.map(lambda array: pad_axis(array, size, axis=0), inputs)


def padded_history(inputs: Inputs, size: int) -> Inputs:
    """`inputs` whose histories are followed by padding up to `size` events."""
    history = {
        name: pad_axis(array, size, axis=1)
        for name, array in _fields(inputs).items()
        if name.startswith("history_") and array is not None
    }
    return _replace_fields(inputs, history)


def pad_axis(array: ArrayLike, size: int, *, axis: int) -> np.ndarray:
    """`array` with zeros appended along `axis` up to `size`.

    >>> pad_axis([[1, 2]], 3, axis=1).tolist()
    [[1, 2, 0]]
    """
    array = np.asarray(array)
    num_zeros = size - array.shape[axis]
    if not num_zeros:
        return array
    widths = [(0, num_zeros if each == axis else 0) for each in range(array.ndim)]
    return np.pad(array, widths)


def _fields(inputs: RecsysBatch | RecsysEmbeddings) -> dict[str, Any]:
    """The arrays of a batch or of its rows by name; the optional ones may be None."""
    return inputs._asdict() if isinstance(inputs, RecsysBatch) else vars(inputs)


def _replace_fields(inputs: Inputs, fields: dict[str, Any]) -> Inputs:
    """The same inputs with some arrays in the place of others."""
    if isinstance(inputs, RecsysBatch):
        return inputs._replace(**fields)
    return dataclasses.replace(inputs, **fields)
