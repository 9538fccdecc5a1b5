"""From logits to an order: probabilities per action, and a ranking without padding.

Two rules keep a ranking safe. A padded candidate is never ranked. A probability that is not a
number counts as 0 for the order, so one broken head sends its candidate to the end and leaves the
rest of the slate alone; `scores` keeps the NaN for whoever watches.

Glossary of shapes:
  B: batch, C: candidates, A: actions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

ACTIONS: list[str] = [
    "favorite_score",
    "reply_score",
    "repost_score",
    "photo_expand_score",
    "click_score",
    "profile_click_score",
    "vqv_score",
    "share_score",
    "share_via_dm_score",
    "share_via_copy_link_score",
    "dwell_score",
    "quote_score",
    "quoted_click_score",
    "follow_author_score",
    "not_interested_score",
    "block_author_score",
    "mute_author_score",
    "report_score",
    "dwell_time",
]
UNRANKED = -1


class RankingOutput(NamedTuple):
    """Probabilities and order of a slate.

    The named probabilities are the columns of `scores` in the order of `ACTIONS`; with fewer
    actions than names, the names beyond hold NaN.
    """

    scores: jax.Array  # [B, C, A] probabilities
    ranked_indices: jax.Array  # [B, C] int32 candidates, best first, then -1 for each padded one
    p_favorite_score: jax.Array  # [B, C], like all that follow
    p_reply_score: jax.Array
    p_repost_score: jax.Array
    p_photo_expand_score: jax.Array
    p_click_score: jax.Array
    p_profile_click_score: jax.Array
    p_vqv_score: jax.Array
    p_share_score: jax.Array
    p_share_via_dm_score: jax.Array
    p_share_via_copy_link_score: jax.Array
    p_dwell_score: jax.Array
    p_quote_score: jax.Array
    p_quoted_click_score: jax.Array
    p_follow_author_score: jax.Array
    p_not_interested_score: jax.Array
    p_block_author_score: jax.Array
    p_mute_author_score: jax.Array
    p_report_score: jax.Array
    p_dwell_time: jax.Array

    def ranking(self, user: int) -> np.ndarray:
        """The ranked candidates of `user`, best first: as many as are not padding, maybe none."""
        indices = np.asarray(self.ranked_indices[user])
        return indices[indices != UNRANKED]


def ranking_output(logits: jax.Array, candidate_hashes: ArrayLike) -> RankingOutput:
    """Ranks candidates by the logit of the first action, which ties less than its probability.

    Args:
      logits: `[B, C, A]`.
      candidate_hashes: `[B, C]`, 0 where the candidate is padding.
    """
    scores = jax.nn.sigmoid(logits)
    order = ranked_candidates(logits[:, :, 0], jnp.asarray(candidate_hashes) != 0)
    missing = jnp.full(scores.shape[:2], jnp.nan, scores.dtype)
    columns = [
        scores[:, :, index] if index < scores.shape[2] else missing for index in range(len(ACTIONS))
    ]
    return RankingOutput(scores, order, *columns)


def ranked_candidates(values: jax.Array, is_valid: jax.Array) -> jax.Array:
    """Candidates by falling value, `[B, C]` int32, with -1 in place of each padded one at the end.

    Args:
      values: `[B, C]`; NaN comes after every number, ties keep slot order.
      is_valid: `[B, C]` bool.

    >>> ranked_candidates(jnp.array([[1.0, jnp.nan, 3.0, 9.0]]), jnp.array([[1, 1, 1, 0]]) > 0)
    Array([[ 2,  0,  1, -1]], dtype=int32)
    """
    comparable = jnp.where(jnp.isnan(values), -jnp.inf, values).astype(jnp.float32)
    # Validity is a key of its own: a valid candidate of value -inf still comes before padding.
    slots = jnp.broadcast_to(jnp.arange(values.shape[1], dtype=jnp.int32), values.shape)
    padding = jnp.where(is_valid, 0, 1)
    _, _, order = jax.lax.sort((padding, -comparable, slots), dimension=1, num_keys=3)
    num_valid = jnp.sum(is_valid, axis=1, keepdims=True)
    return jnp.where(slots < num_valid, order, UNRANKED)
