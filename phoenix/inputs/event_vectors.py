"""Facts of an event as vectors of the model width: surface, actions, age of the post, dwell time.

Glossary of shapes:
  B: batch, S: history, n: history or candidates, D: model width, A: actions.
"""

from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from phoenix.data.windows import DWELL_SCALE_SECONDS
from phoenix.inputs.config import InputConfig

POST_AGE_BUCKET_MINUTES = 60
POST_AGE_LIMIT_MINUTES = 4800
NUM_POST_AGE_BUCKETS = POST_AGE_LIMIT_MINUTES // POST_AGE_BUCKET_MINUTES + 2
DWELL_HIDDEN_SIZE = 64


class Factors(NamedTuple):
    """An embedding `[B, n, D]` as the product of its factors, not yet multiplied.

    A projection multiplies the table first: then the product of full width is never computed.
    """

    rows: jax.Array  # [B, n, m], m small against D
    table: jax.Array  # [m, D]


def post_age_bucket(age_minutes: ArrayLike) -> jax.Array:
    """The bucket of a post age: 0 missing, then one per 60 minutes, then one from 4800 on.

    Args:
      age_minutes: Any shape; NaN and negative values count as missing.

    >>> post_age_bucket([float("nan"), -1, 0, 59.9, 60, 4799, 4800, 1e9]).tolist()
    [0, 0, 1, 1, 2, 80, 81, 81]
    """
    age = jnp.asarray(age_minutes, jnp.float32)
    bucket = 1 + jnp.minimum(age, POST_AGE_LIMIT_MINUTES) // POST_AGE_BUCKET_MINUTES
    return jnp.where(age >= 0, bucket, 0).astype(jnp.int32)


def scaled_dwell(dwell_seconds: ArrayLike) -> jax.Array:
    """Dwell time in units of 30 s, clipped to [0, 1]: input and target of continuous heads.

    NaN stays NaN.

    >>> scaled_dwell([0, 15, 30, 300, float("nan")]).tolist()
    [0.0, 0.5, 1.0, 1.0, nan]
    """
    return jnp.clip(jnp.asarray(dwell_seconds, jnp.float32) / DWELL_SCALE_SECONDS, 0.0, 1.0)


def surface_vectors(config: InputConfig, surface: ArrayLike) -> Factors:
    """`[B, n]` surfaces as `[B, n, D]`; a surface outside the vocabulary gives the zero vector."""
    size = config.product_surface_vocab_size
    table = _table("product_surface_embedding_table", size, config)
    return Factors(jax.nn.one_hot(jnp.asarray(surface), size, dtype=config.fprop_dtype), table)


def action_vectors(config: InputConfig, actions: ArrayLike) -> Factors:
    """`[B, S, A]` multi-hot actions as `[B, S, D]`: signs times a matrix; no action gives zero.

    An action of which nobody knows is 0.5 and has the sign 0: it is neither yes nor no.
    """
    multi_hot = jnp.asarray(actions).astype(config.fprop_dtype)
    matrix = _table("action_projection", multi_hot.shape[-1], config)
    # Without a single action all signs would be -1, and padding would have a vector.
    has_action = jnp.any(multi_hot > 0.5, axis=-1, keepdims=True)
    return Factors(jnp.where(has_action, 2 * multi_hot - 1, 0), matrix)


def age_vectors(config: InputConfig, age_minutes: ArrayLike) -> jax.Array:
    """`[B, n]` post ages as `[B, n, D]`, by bucket."""
    table = _table("post_age_embedding_table", NUM_POST_AGE_BUCKETS, config)
    return jnp.take(table, post_age_bucket(age_minutes), axis=0)


def dwell_vectors(config: InputConfig, dwell_seconds: ArrayLike) -> jax.Array:
    """`[B, S]` dwell times as `[B, S, D]`: 1 -> 64 -> D with gelu; missing gives zero."""
    seconds = jnp.asarray(dwell_seconds)
    is_known = seconds >= 0  # NaN compares as false.
    # Replaced before the map and hidden after it: the gradient of a NaN is one, hidden or not.
    dwell = scaled_dwell(jnp.where(is_known, seconds, 0.0))[..., None]
    hidden = hk.Linear(DWELL_HIDDEN_SIZE, name="dwell_hidden")(dwell)
    vectors = hk.Linear(config.emb_size, name="dwell_output")(jax.nn.gelu(hidden))
    return jnp.where(is_known[..., None], vectors, 0.0)


def _table(name: str, num_rows: int, config: InputConfig) -> jax.Array:
    """The parameter `name` `[num_rows, D]`, float32."""
    # By the width of a row, not by the number of rows: rows of a large table are no smaller.
    initializer = hk.initializers.VarianceScaling(1.0, mode="fan_out")
    return hk.get_parameter(name, [num_rows, config.emb_size], jnp.float32, init=initializer)
