"""Masks of attention: that of the models, as a bias of the logits, and in blocks of a past.

Glossary of shapes:
  T: sequence `[user | history | candidates]`.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

HIDDEN_BIAS = -1e30
_MIN_BLOCK, _MAX_BLOCKS = 40, 4


def make_recsys_attn_mask(
    seq_len: int, candidate_start_offset: int, dtype: DTypeLike = jnp.float32
) -> jax.Array:
    """The square mask: causal context, and candidates that see the context and themselves.

    Args:
      seq_len: T, the length of `[user | history | candidates]`.
      candidate_start_offset: Position of the first candidate.
      dtype: Of the result.

    Returns:
      `[1, 1, T, T]`, 1 where the query (row) may attend to the key (column), else 0.

    >>> make_recsys_attn_mask(4, candidate_start_offset=2, dtype=int)[0, 0].tolist()
    [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]]
    """
    position = np.arange(seq_len)
    is_causal = position[None, :] <= position[:, None]
    is_context_key = position[None, :] < candidate_start_offset
    # In NumPy, so that the mask is a constant of the compiled program.
    mask = is_causal & (is_context_key | np.eye(seq_len, dtype=bool))
    return jnp.asarray(mask[None, None], dtype)


def attention_bias(is_visible: ArrayLike) -> jax.Array:
    """The bias of attention logits, float32: 0 where visible (nonzero), -1e30 where hidden.

    >>> attention_bias([1, 0]).tolist() == [0.0, float(np.float32(-1e30))]
    True
    """
    # Finite, because a row of nothing but -inf would be NaN after the softmax.
    return jnp.where(jnp.asarray(is_visible) != 0, 0.0, HIDDEN_BIAS)


def causal_blocks(length: int) -> list[tuple[int, int]]:
    """The starts and ends of equal blocks of a sequence, for attention to what came before.

    n blocks compute (n + 1) / 2n of the square. Short blocks are slow, and each is compiled.

    >>> causal_blocks(129), causal_blocks(20)
    ([(0, 43), (43, 86), (86, 129)], [(0, 20)])
    """
    count = min(max(length // _MIN_BLOCK, 1), _MAX_BLOCKS)
    ends = [length * number // count for number in range(count + 1)]
    return list(itertools.pairwise(ends))
