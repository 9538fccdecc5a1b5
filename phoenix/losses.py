"""Losses: weighted, masked means over arrays of any shape.

`where` says what exists and `weights` how much it counts; both broadcast against the values. All
losses are computed in float32, and are 0 when nothing counts.

Glossary of shapes:
  B: rows, C: posts of a row, P = B * C: posts of the batch, D: vector size, k: hash functions.
"""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array | np.ndarray

# Stands for minus infinity, with gradients that are 0 where those of infinity are not a number.
_MASKED = -1e30
# Below this temperature float32 probabilities of unit vectors saturate.
_MIN_TEMPERATURE = 0.01


def weighted_mean(
    values: Array, *, where: Array | None = None, weights: Array | None = None
) -> jax.Array:
    """Mean of the values that exist: sum(where * weights * values) / sum(where * weights).

    Args:
      values: `[...]`; those outside `where` may be non-finite.
      where: Bool, broadcasts against `values`; None means everywhere.
      weights: At least 0, broadcasts against `values`; None means 1.

    Returns:
      A float32 scalar; 0 when the total weight is 0.

    >>> float(weighted_mean(jnp.array([1.0, 4.0]), weights=jnp.array([2.0, 1.0])))
    2.0
    """
    values = jnp.asarray(values, jnp.float32)
    total = jnp.ones_like(values) if weights is None else jnp.broadcast_to(weights, values.shape)
    if where is not None:
        total = jnp.where(where, total, 0.0)
        values = jnp.where(where, values, 0.0)
    denominator = jnp.sum(total)
    return jnp.sum(values * total) / jnp.where(denominator > 0, denominator, 1.0)


def sigmoid_binary_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    where: Array | None = None,
    weights: Array | None = None,
) -> jax.Array:
    """Weighted mean of -y * log(sigmoid(x)) - (1 - y) * log(1 - sigmoid(x)).

    Computed as max(x, 0) - x * y + log(1 + exp(-abs(x))), which does not overflow. One label per
    action and one weight per action make it the multi-label loss of the ranker.
    Source: Goodfellow, Bengio and Courville 2016, section 6.2.2.2.

    Args:
      logits: `[...]` x.
      labels: `[...]` y in [0, 1].
      where: See `weighted_mean`.
      weights: See `weighted_mean`.

    >>> loss = sigmoid_binary_cross_entropy(jnp.array([0.0, 0.0]), jnp.array([0.0, 1.0]))
    >>> print(f"{loss:.4f}")
    0.6931
    """
    values = _binary_cross_entropy(logits, labels)
    return weighted_mean(values, where=where, weights=weights)


def sigmoid_focal(
    logits: Array,
    labels: Array,
    *,
    gamma: float = 2.0,
    where: Array | None = None,
    weights: Array | None = None,
) -> jax.Array:
    """Weighted mean of (1 - q) ** gamma * cross entropy, q the probability of the true label.

    q = y * p + (1 - y) * (1 - p) with p = sigmoid(x); gamma 0 is the plain cross entropy.
    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 4.

    Args:
      logits: `[...]` x.
      labels: `[...]` y, 0 or 1.
      gamma: At least 0; larger values look away from what is already right.
      where: See `weighted_mean`.
      weights: See `weighted_mean`.

    >>> print(f"{sigmoid_focal(jnp.array([0.0]), jnp.array([1.0])):.4f}")
    0.1733
    """
    logits = jnp.asarray(logits, jnp.float32)
    # 1 - q = sigmoid(-x) for y = 1, sigmoid(x) for y = 0; the logarithm keeps its gradient finite.
    log_wrong = jax.nn.log_sigmoid(jnp.where(labels > 0.5, -logits, logits))
    values = jnp.exp(gamma * log_wrong) * _binary_cross_entropy(logits, labels)
    return weighted_mean(values, where=where, weights=weights)


def softmax_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    where: Array | None = None,
    weights: Array | None = None,
) -> jax.Array:
    """Weighted mean of log(sum_j exp(x_j)) - x_label.

    Source: Goodfellow, Bengio and Courville 2016, section 6.2.2.3.

    Args:
      logits: `[..., K]` x.
      labels: `[...]` int in [0, K).
      where: Broadcasts against `labels`; see `weighted_mean`.
      weights: Broadcasts against `labels`; see `weighted_mean`.

    >>> print(f"{softmax_cross_entropy(jnp.zeros((1, 4)), jnp.array([2])):.4f}")
    1.3863
    """
    logits = jnp.asarray(logits, jnp.float32)
    of_label = jnp.take_along_axis(logits, jnp.asarray(labels)[..., None], axis=-1)[..., 0]
    values = jax.nn.logsumexp(logits, axis=-1) - of_label
    return weighted_mean(values, where=where, weights=weights)


def squared_error(
    predictions: Array,
    targets: Array,
    *,
    where: Array | None = None,
    weights: Array | None = None,
) -> jax.Array:
    """Weighted mean of (prediction - target) ** 2; minimised by the mean.

    >>> float(squared_error(jnp.array([1.0, 3.0]), jnp.array([1.0, 1.0])))
    2.0
    """
    return weighted_mean(jnp.square(predictions - targets), where=where, weights=weights)


def absolute_error(
    predictions: Array,
    targets: Array,
    *,
    where: Array | None = None,
    weights: Array | None = None,
) -> jax.Array:
    """Weighted mean of abs(prediction - target); minimised by the median.

    >>> float(absolute_error(jnp.array([1.0, 3.0]), jnp.array([1.0, 1.0])))
    1.0
    """
    return weighted_mean(jnp.abs(predictions - targets), where=where, weights=weights)


def corrected_logits(scores: Array, *, log_frequencies: Array, log_temperature: Array) -> jax.Array:
    """Inner products as logits over the corpus: s / max(exp(t), 0.01) - log q.

    The posts of a batch are drawn with the frequency q of the log, not uniformly; subtracting
    log q makes them stand for the corpus. Without it popular posts, often drawn as negatives, are
    pushed down.
    Source: Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling", equation 4.

    Args:
      scores: `[B, P]` inner products of unit vectors.
      log_frequencies: `[P]` logarithm of the share of each post in the training impressions.
      log_temperature: Scalar t, learned.

    Returns:
      `[B, P]` float32.
    """
    temperature = jnp.maximum(jnp.exp(log_temperature), _MIN_TEMPERATURE)
    return jnp.asarray(scores, jnp.float32) / temperature - log_frequencies


def sampled_softmax(
    logits: Array,
    post_keys: Array,
    *,
    is_positive: Array,
    where: Array,
    weights: Array | None = None,
) -> jax.Array:
    """Softmax of each positive against the posts of the other rows of the batch.

    With x the logits and N(b) the real posts of other rows that are none of the posts of row b:
    loss(b, c) = log(exp(x_bc) + sum over p in N(b) of exp(x_bp)) - x_bc,
    averaged over the positives of a row, then over the rows that have one. A post of row b met
    again in another row is the same post and never its negative; nor are the other posts of row b.
    Source: Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling", equations 3 and 5.

    Args:
      logits: `[B, P]` of `corrected_logits`; column b * C + c is candidate c of row b.
      post_keys: `[B, C, k]` int: posts with k equal values are one post.
      is_positive: `[B, C]` bool.
      where: `[B, C]` bool: true where a candidate is real.
      weights: `[B]` weight of each row; None means 1.

    >>> keys, yes = jnp.arange(2).reshape(2, 1, 1), jnp.ones((2, 1), bool)
    >>> print(f"{sampled_softmax(jnp.zeros((2, 2)), keys, is_positive=yes, where=yes):.4f}")
    0.6931
    """
    num_rows, num_candidates, num_hashes = post_keys.shape
    flat_keys = post_keys.reshape(1, -1, num_hashes)  # [1, P, k]
    is_negative = jnp.broadcast_to(where.reshape(1, -1), logits.shape)
    for c in range(num_candidates):
        # The key of a padded slot meets padding only, which `where` has excluded already.
        is_negative &= ~jnp.all(post_keys[:, c, None, :] == flat_keys, axis=-1)  # [B, P]
    negative_mass = jax.nn.logsumexp(jnp.where(is_negative, logits, _MASKED), axis=1)  # [B]

    own = jnp.einsum("bbc->bc", logits.reshape(num_rows, num_rows, num_candidates))  # [B, C]
    values = jnp.logaddexp(own, negative_mass[:, None]) - own
    counted = is_positive & where
    num_positives = jnp.sum(counted, axis=1)
    per_row = jnp.sum(jnp.where(counted, values, 0.0), axis=1) / jnp.maximum(num_positives, 1)
    return weighted_mean(per_row, where=num_positives > 0, weights=weights)


def _binary_cross_entropy(logits: Array, labels: Array) -> jax.Array:
    logits = jnp.asarray(logits, jnp.float32)
    return jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))
