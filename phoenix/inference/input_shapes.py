"""The shapes and types of a model's inputs, checked where they come from outside.

An array of size 1 would be spread over the users, events or candidates of the others, a short one
padded, a hash beyond 32 bits cut, perhaps to the row of padding, and one of the other byte order
(as some files hold them) read backwards: a wrong score without a word.
"""

from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from phoenix.data.attributes import width
from phoenix.data.engagement.rates import LEVELS, POPULARITY
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.inputs.config import InputConfig
from phoenix.recsys_model import PhoenixModelConfig

# Users and histories; candidates by their ids alone; what else the ranker reads of them.
Part = Literal["context", "posts", "candidates"]

# Axes of what a model always reads.
_ALWAYS: Mapping[Part, Mapping[str, str]] = {
    "context": {
        "user_hashes": "B nu",
        "history_post_hashes": "B S ni",
        "history_actions": "B S A",
        "history_product_surface": "B S",
        "user_embeddings": "B nu D",
        "history_post_embeddings": "B S ni D",
        "history_author_embeddings": "B S na D",
    },
    "posts": {
        "candidate_post_hashes": "B C ni",
        "candidate_post_embeddings": "B C ni D",
        "candidate_author_embeddings": "B C na D",
    },
    "candidates": {"candidate_product_surface": "B C"},
}


def check_inputs(
    config: InputConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings, *parts: Part
) -> None:
    """Checks shapes and types of what a model reads, and that hashes are rows of a table.

    Args:
      config: Of the model.
      batch: As the model takes it.
      embeddings: Of `batch`.
      *parts: Which inputs are read.

    Raises:
      ValueError: If a field is missing, has another shape than the configuration and the other
        fields ask for, is no array of numbers, or holds a hash that is no row; it names the field
        and what came.
      TypeError: If `batch` or `embeddings` is something else.
    """
    for inputs, kind in ((batch, RecsysBatch), (embeddings, RecsysEmbeddings)):
        if not isinstance(inputs, kind):
            raise TypeError(f"Expected a {kind.__name__}, got a {type(inputs).__name__}.")
    sizes = {
        "D": config.emb_size,
        # The retrieval model predicts no actions: its histories may have any number of them.
        "A": config.num_actions if isinstance(config, PhoenixModelConfig) else None,
        "U": width(config.user_attributes),
        "P": width(config.post_attributes),
        "L": len(LEVELS),
        "F": len(POPULARITY),
        "nu": config.hashes.num_user_hashes,
        "ni": config.hashes.num_item_hashes,
        "na": config.hashes.num_author_hashes,
    }
    for part in parts:
        for field, axes in {**_ALWAYS[part], **_optional(config, part)}.items():
            inputs = batch if hasattr(batch, field) else embeddings
            array = getattr(inputs, field)
            shape = () if array is None else np.shape(array)
            names = axes.split()
            expected = [sizes.get(name) for name in names]
            fits = len(shape) == len(names) and all(
                size in (None, length) for size, length in zip(expected, shape, strict=True)
            )
            if not fits:
                axes_text = [
                    name if size is None else str(size)
                    for name, size in zip(names, expected, strict=True)
                ]
                got = None if array is None else list(shape)
                raise ValueError(
                    f"`{type(inputs).__name__}.{field}`: expected the shape "
                    f"[{', '.join(axes_text)}], got {got}."
                )
            _check_numbers(f"{type(inputs).__name__}.{field}", array)
            if field.endswith("_hashes"):
                _check_rows(f"{type(inputs).__name__}.{field}", np.asarray(array))
            # The first field with an axis says how long the axis is in all others.
            sizes |= {name: size for name, size in zip(names, shape, strict=True) if name in "BSC"}


def _check_numbers(field: str, array: object) -> None:
    """Raises unless JAX reads `array` as the real numbers that NumPy sees in it."""
    if not isinstance(array, np.ndarray | jax.Array):
        raise ValueError(f"`{field}`: expected an array, got a {type(array).__name__}.")
    kinds = (jnp.floating, jnp.integer, jnp.bool_)
    if not any(jnp.issubdtype(array.dtype, kind) for kind in kinds) or not array.dtype.isnative:
        raise ValueError(
            f"`{field}`: expected real numbers in the byte order of this machine, "
            f"got {array.dtype!r}."
        )


def _check_rows(field: str, hashes: np.ndarray) -> None:
    """Raises unless `hashes` are non-negative integers that keep their value in int32."""
    if not np.issubdtype(hashes.dtype, np.integer):
        raise ValueError(f"`{field}`: expected integers, got {hashes.dtype}.")
    largest = np.iinfo(np.int32).max
    for extreme in (hashes.min(initial=0), hashes.max(initial=0)):
        if not 0 <= extreme <= largest:
            raise ValueError(f"`{field}`: expected rows in [0, {largest}], got {extreme}.")


def _optional(config: InputConfig, part: Part) -> dict[str, str]:
    """Axes of the inputs that the configuration asks for."""
    has_age, has_attributes = config.has_post_age, bool(config.attributes_of_posts)
    options: Mapping[Part, Mapping[str, tuple[str, object]]] = {
        "context": {
            "history_post_age_minutes": ("B S", config.has_post_age),
            "history_dwell_seconds": ("B S", config.has_dwell),
            "user_attributes": ("B U", config.user_attributes),
            "history_attributes": ("B S P", config.post_attributes),
        },
        "posts": {
            "candidate_popularity": ("B C F", config.reads_popularity),
            "candidate_post_age_minutes": ("B C", config.reads_candidate_facts and has_age),
            "candidate_attributes": ("B C P", config.reads_candidate_facts and has_attributes),
        },
        "candidates": {
            "candidate_post_age_minutes": ("B C", config.has_post_age),
            "candidate_attributes": ("B C P", config.post_attributes),
            "candidate_log_odds": ("B C L A", config.reads_evidence),
            "candidate_log_counts": ("B C L", config.reads_evidence),
        },
    }
    return {field: axes for field, (axes, is_read) in options[part].items() if is_read}
