"""What counts say of candidates, as logits: the smoothed baseline at first, and what is learned.

The evidence of a candidate is a list of log-odds, each of a narrower key than one before it, see
`phoenix.data.engagement.rates`. Read as steps from each to the next, their sum is the log-odds of
the post's smoothed rate: weights of 1 for these steps and 0 for all others make the ranker the
smoothed baseline, from which training starts. A small network beside them reads the same steps and
how much was counted, and adds nothing at first.

Glossary of shapes:
  B: batch, C: candidates, L: levels, A: actions, H: hidden size.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from phoenix.data.engagement.rates import LEVELS
from phoenix.inputs.batch import RecsysBatch, optional_input

HIDDEN_SIZE = 32
# A weight goes from 0 to 1 in some hundred steps of Adam, where those of a layer move by a tenth.
_SIZE_OF_CHANGES = 10.0
_SIZE_OF_COUNTS = 5.0  # log(1 + n) of a typical n, so that hidden units see numbers of order 1
_BASELINE = ("all", "author", "post")  # the steps whose sum is the smoothed baseline


def evidence_logits(batch: RecsysBatch) -> jax.Array:
    """`[B, C, A]` float32 logits of each action, candidate by candidate.

    Raises:
      ValueError: If the batch does not have the evidence.
    """
    steps = _steps(optional_input(batch, "candidate_log_odds"))
    counts = optional_input(batch, "candidate_log_counts")
    num_levels, num_actions = steps.shape[-2:]
    is_baseline = jnp.array([float(level in _BASELINE) for level in LEVELS])
    changes = hk.get_parameter(
        "evidence_weights", (num_levels, num_actions), jnp.float32, init=jnp.zeros
    )
    weights = is_baseline[:, None] + _SIZE_OF_CHANGES * changes
    bias = hk.get_parameter("evidence_bias", (num_actions,), jnp.float32, init=jnp.zeros)
    # Without the rate of all, which is the same everywhere, and large for rare actions.
    known = jnp.reshape(steps[..., 1:, :], (*steps.shape[:-2], -1))
    hidden = jnp.concatenate([known, counts / _SIZE_OF_COUNTS], axis=-1)
    hidden = jax.nn.gelu(hk.Linear(HIDDEN_SIZE, name="evidence_hidden")(hidden))
    added = hk.Linear(num_actions, w_init=jnp.zeros, name="evidence_output")(hidden)
    return jnp.sum(steps * weights, axis=-2) + bias + added


def _steps(log_odds: jax.Array) -> jax.Array:
    """`[B, C, L, A]` log-odds of each level, less those of the level that it is backed off to."""
    level = {name: log_odds[..., place, :] for place, name in enumerate(LEVELS)}
    together = level["post"] + level["surface"] - level["all"]
    wider = {
        "all": jnp.zeros_like(level["all"]),
        "author": level["all"],
        "post": level["author"],
        "recent_post": level["post"],
        "surface": level["all"],
        "post_surface": together,
        "user": level["all"],
    }
    return jnp.stack([level[name] - wider[name] for name in LEVELS], axis=-2)
