"""The candidate tower of the retrieval model: posts as vectors, without any user.

Glossary of shapes:
  B: batch, C: candidates, h: rows of a post and its author, D: model width.
"""

from typing import Literal

import haiku as hk
import jax
import jax.numpy as jnp

EPS = 1e-12

CandidateTowerKind = Literal["mlp", "mean"]
Similarity = Literal["cosine", "product"]


class CandidateTower(hk.Module):
    """Maps the rows of a post and its author, and facts of the post, to one vector.

    "mlp": `silu(rows P1) P2` over the concatenated rows and facts, widths 2D and D; "mean": the
    mean of the rows, plus the facts. Rows that were never trained are about zero, so that facts
    alone give a new post its place.
    Float32 inside, then scaled to unit length unless the similarity is "product", and cast to the
    dtype of the input.
    """

    def __init__(
        self,
        emb_size: int,
        kind: CandidateTowerKind = "mlp",
        similarity: Similarity = "cosine",
        name: str | None = None,
    ) -> None:
        """Takes the choices.

        Args:
          emb_size: D.
          kind: As in `PhoenixRetrievalModelConfig.candidate_tower`.
          similarity: As in `PhoenixRetrievalModelConfig.similarity`.
          name: Of the module.
        """
        super().__init__(name=name)
        self.emb_size = emb_size
        self.kind = kind
        self.similarity: Similarity = similarity

    def __call__(
        self, post_author_embedding: jax.Array, facts: jax.Array | None = None
    ) -> jax.Array:
        """Maps `[B, C, h, D]` to `[B, C, D]`, or `[B, h, D]` to `[B, D]`.

        Args:
          post_author_embedding: The rows.
          facts: `[B, C, D]`, or `[B, D]`; None where nothing but the rows is read.

        Raises:
          ValueError: If the input has another rank.
        """
        rows = jnp.asarray(post_author_embedding)
        if rows.ndim not in (3, 4):
            raise ValueError(
                "`post_author_embedding`: expected [B, C, hashes, D] or [B, hashes, D], "
                f"got {rows.shape}."
            )
        wide = rows.astype(jnp.float32)
        if self.kind == "mean":
            mean = jnp.mean(wide, axis=-2)
            return self._scale(mean if facts is None else mean + facts).astype(rows.dtype)
        flat = wide.reshape(*rows.shape[:-2], rows.shape[-2] * rows.shape[-1])
        if facts is not None:
            flat = jnp.concatenate([flat, facts], axis=-1)
        initializer = hk.initializers.VarianceScaling(1.0, mode="fan_out")
        sizes = [flat.shape[-1], 2 * self.emb_size, self.emb_size]
        first = hk.get_parameter(
            "candidate_tower_projection_1", sizes[:2], jnp.float32, init=initializer
        )
        second = hk.get_parameter(
            "candidate_tower_projection_2", sizes[1:], jnp.float32, init=initializer
        )
        vectors = jnp.dot(jax.nn.silu(jnp.dot(flat, first)), second)
        return self._scale(vectors).astype(rows.dtype)

    def _scale(self, vectors: jax.Array) -> jax.Array:
        return vectors if self.similarity == "product" else unit_vectors(vectors)[0]


def unit_vectors(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`x / sqrt(max(sum(x^2), 1e-12))` over the last axis, and that length; zero stays zero.

    >>> vectors, lengths = unit_vectors(jnp.array([[0.0, 2.0], [0.0, 0.0]]))
    >>> vectors.tolist(), lengths[0].tolist()
    ([[0.0, 1.0], [0.0, 0.0]], [2.0])
    """
    length = jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(x), axis=-1, keepdims=True), EPS))
    return x / length, length
