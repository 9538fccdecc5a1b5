"""Losses: weighted, masked means over arrays of any shape.

`where` says what exists and `weights` how much it counts; both broadcast against the values. All
losses are computed in float32, and are 0 when nothing counts.

Glossary of shapes:
  B: rows, C: posts of a row, A: actions, P = B * C: posts of the batch, D: vector size,
  k: hash functions.
"""

import jax
import jax.numpy as jnp
import numpy as np

from phoenix.recsys_retrieval_model import MIN_TEMPERATURE

Array = jax.Array | np.ndarray

# Stands for minus infinity, with gradients that are 0 where those of infinity are not a number.
_MASKED = -1e30
_BLOCK_QUERIES = 512  # Times a few thousand posts: about a second-level cache.


def total_weight(
    shape: tuple[int, ...], *, where: Array | None = None, weights: Array | None = None
) -> jax.Array:
    """The weight of all values that exist: what `weighted_mean` divides by.

    Args:
      shape: Of the values.
      where: See `weighted_mean`.
      weights: See `weighted_mean`.

    >>> float(total_weight((2, 3), weights=jnp.array([[2.0], [1.0]])))
    9.0
    """
    return jnp.sum(_weights_where(shape, where, weights))


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
    total = _weights_where(values.shape, where, weights)
    if where is not None:
        values = jnp.where(where, values, 0.0)
    denominator = jnp.sum(total)
    return jnp.sum(values * total) / jnp.where(denominator > 0, denominator, 1.0)


def share(part: Array, whole: Array) -> jax.Array:
    """The share of a part in the weight of a whole; times their means, parts add up to its mean.

    >>> parts = jnp.array([1.0, 4.0]), jnp.array([3.0])
    >>> round(float(sum(share(len(part), 3) * jnp.mean(part) for part in parts)), 4)
    2.6667
    """
    return jnp.asarray(part) / jnp.where(whole > 0, whole, 1.0)


def _weights_where(shape: tuple[int, ...], where: Array | None, weights: Array | None) -> jax.Array:
    """The weights of values of a shape, 0 where there is none."""
    total = jnp.ones(shape) if weights is None else jnp.broadcast_to(weights, shape)
    return total if where is None else jnp.where(where, total, 0.0)


def multi_label(
    logits: Array,
    labels: Array,
    *,
    focal_gammas: np.ndarray | float = 0.0,
    jrc_shares: np.ndarray | float = 0.0,
    where: Array | None = None,
    weights: Array | None = None,
) -> jax.Array:
    """Binary cross entropy per action, focused on what is wrong, and ranked within the slate.

    With x the logit, y the label, q the probability of the true label, g the gamma and s the share
    of the action: (1 - s) * (1 - q) ** g * (-log q) + s * r, averaged.

    g = s = 0 is the cross entropy -y * log(sigmoid(x)) - (1 - y) * log(1 - sigmoid(x)), computed as
    max(x, 0) - x * y + log(1 + exp(-abs(x))), which does not overflow.
    Source: Goodfellow, Bengio and Courville 2016, section 6.2.2.2.

    g > 0 looks away from what is already right.
    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 4.

    s > 0 is JRC with alpha = 1 - s. With f_1 = x / 2 and f_0 = -x / 2, the two logits of an example
    whose sigmoid is that of x, r = log(sum over j of the slate of exp(f_y(j))) - f_y(i), y being
    the label of i: it orders the posts of one user, while the rest keeps the probabilities right.
    Source: Sheng et al. 2023, "Joint Optimization of Ranking and Calibration with Contextualized
    Hybrid Model", equations 7 to 10; the slate is the context.

    Args:
      logits: `[..., C, A]` x.
      labels: `[..., C, A]` 0 or 1.
      focal_gammas: At least 0, per action or one for all; known when compiled.
      jrc_shares: In [0, 1], likewise.
      where: See `weighted_mean`.
      weights: See `weighted_mean`.

    >>> loss = multi_label(jnp.zeros((2, 1)), jnp.array([[0.0], [1.0]]))
    >>> print(f"{loss:.4f}")
    0.6931
    """
    x, y = jnp.asarray(logits, jnp.float32), jnp.asarray(labels)
    values = jnp.maximum(x, 0) - x * y + jnp.log1p(jnp.exp(-jnp.abs(x)))
    if np.any(focal_gammas):
        # 1 - q = sigmoid(-x) where y = 1, else sigmoid(x); the logarithm keeps gradients finite.
        values *= jnp.exp(focal_gammas * jax.nn.log_sigmoid(jnp.where(y > 0.5, -x, x)))
    if np.any(jrc_shares):
        exists = jnp.broadcast_to(True if where is None else where, x.shape)
        half = jnp.where(exists, x / 2, 0.0)

        def against_slate(own: jax.Array) -> jax.Array:
            """Minus the logarithm of each softmax over the slate `[..., C, A]`, axis C."""
            masked = jnp.where(exists, own, _MASKED)
            return jax.nn.logsumexp(masked, axis=-2, keepdims=True) - own

        rankings = jnp.where(y > 0.5, against_slate(half), against_slate(-half))
        values = (1 - jrc_shares) * values + jrc_shares * rankings
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
    return jnp.asarray(scores, jnp.float32) / temperature(log_temperature) - log_frequencies


def temperature(log_temperature: Array) -> jax.Array:
    """The learned temperature exp(t), at least 0.01."""
    return jnp.maximum(jnp.exp(log_temperature), MIN_TEMPERATURE)


def own_logits(logits: Array) -> jax.Array:
    """`[B, C]` logits of the posts of each row's own, of `[B, P]` logits."""
    num_rows = logits.shape[0]
    return jnp.einsum("bbc->bc", jnp.reshape(logits, (num_rows, num_rows, -1)))


def negatives_of_others(post_keys: Array, is_shared: Array) -> jax.Array:
    """`[B, P]` bool: the posts that other rows share and that are none of the row's own.

    A post of row b met again in another row is the same post and never its negative; nor are the
    other posts of row b.

    Args:
      post_keys: `[B, C, k]` int: posts with k equal values are one post; 0 is padding.
      is_shared: `[B, C]` bool: which posts are negatives of other rows; none that is padding.
    """
    keys = jnp.asarray(post_keys)
    num_candidates, num_hashes = keys.shape[1:]
    flat_keys = keys.reshape(1, -1, num_hashes)  # [1, P, k]
    is_other = jnp.asarray(is_shared).reshape(1, -1)
    for c in range(num_candidates):
        # The key of a padded slot meets padding only, which is not shared.
        is_other &= ~jnp.all(keys[:, c, None, :] == flat_keys, axis=-1)  # [B, P]
    return is_other


def without_posts(is_chosen: Array, is_excluded: Array, post_keys: Array) -> jax.Array:
    """`[B, C]` bool: the candidates of a row but those of posts that are excluded in it.

    Args:
      is_chosen: `[B, C]` bool: such as its negatives.
      is_excluded: `[B, C]` bool, true for real posts only: such as its positives.
      post_keys: `[B, C, k]` int: posts with k equal values are one post.
    """
    keys = jnp.asarray(post_keys)
    is_same = jnp.all(keys[:, :, None] == keys[:, None], axis=-1)  # [B, C, C]
    has_excluded = jnp.any(is_same & jnp.asarray(is_excluded)[:, None], axis=-1)
    return jnp.asarray(is_chosen) & ~has_excluded


def recall_in_batch(logits: Array, is_other: Array, *, is_positive: Array, k: int) -> jax.Array:
    """`[B]` share of each row's positives that fewer than k negatives beat or equal; NaN of none.

    Args:
      logits: `[B, P]` of `corrected_logits`.
      is_other: `[B, P]` bool, from `negatives_of_others`.
      is_positive: `[B, C]` bool, true for real posts only.
      k: At least 1.
    """
    own = own_logits(logits)
    before = [jnp.sum(is_other & (logits >= own[:, c, None]), axis=1) for c in range(own.shape[1])]
    is_found = is_positive & (jnp.stack(before, axis=1) < k)
    num_positives = jnp.sum(is_positive, axis=1)
    return jnp.sum(is_found, axis=1) / jnp.where(num_positives > 0, num_positives, jnp.nan)


def hardest(logits: Array, is_candidate: Array, count: int) -> jax.Array:
    """`[B, C]` bool: the `count` candidates of each row with the highest logits; ties go first."""
    is_candidate = jnp.asarray(is_candidate)
    order = jnp.argsort(-jnp.where(is_candidate, logits, -jnp.inf), axis=1, stable=True)
    return is_candidate & (jnp.argsort(order, axis=1) < count)


def softmax_rows(
    is_positive: Array, weights: Array | None, positive_weights: Array | None
) -> tuple[jax.Array, jax.Array]:
    """`[B]` which rows `sampled_softmax` averages over, and `[B]` their weights; its arguments."""
    num_positives = jnp.sum(is_positive, axis=1)
    row_weights = jnp.ones(len(num_positives)) if weights is None else jnp.asarray(weights)
    if positive_weights is not None:
        mass = jnp.sum(jnp.where(is_positive, positive_weights, 0.0), axis=1)
        row_weights = row_weights * mass / jnp.maximum(num_positives, 1)
    return num_positives > 0, row_weights


def sampled_softmax(
    logits: Array,
    *,
    is_positive: Array,
    is_other: Array,
    is_negative: Array | None = None,
    weights: Array | None = None,
    positive_weights: Array | None = None,
) -> jax.Array:
    """Softmax of each positive against the posts of the other rows and the row's own negatives.

    With x the logits and N(b) the posts of other rows and of row b that are its negatives:
    loss(b, c) = log(exp(x_bc) + sum over p in N(b) of exp(x_bp)) - x_bc,
    averaged over the positives of a row, then over the rows that have one.
    Hard negatives are posts that the user rejected; global ones, posts drawn from the corpus and
    added to the row: they are among the negatives of the other rows, too.
    Source: Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling", equations 3 and 5.

    Args:
      logits: `[B, P]` of `corrected_logits`; column b * C + c is candidate c of row b.
      is_positive: `[B, C]` bool, true for real posts only.
      is_other: `[B, P]` bool, from `negatives_of_others`.
      is_negative: `[B, C]` bool, from `without_posts`; None means none.
      weights: `[B]` weight of each row; None means 1.
      positive_weights: `[B, C]` impressions for which a positive stands: by them the mean of a row
        is weighted, and a row by their mean; None means 1.

    >>> keys, yes = jnp.arange(1, 3).reshape(2, 1, 1), jnp.ones((2, 1), bool)
    >>> others = negatives_of_others(keys, yes)
    >>> print(f"{sampled_softmax(jnp.zeros((2, 2)), is_positive=yes, is_other=others):.4f}")
    0.6931
    """
    own = own_logits(logits)
    masses = [jax.nn.logsumexp(jnp.where(is_other, logits, _MASKED), axis=1)]  # [B]
    if is_negative is not None:
        masses.append(jax.nn.logsumexp(jnp.where(is_negative, own, _MASKED), axis=1))
    negative_mass = jax.nn.logsumexp(jnp.stack(masses), axis=0)
    values = jnp.logaddexp(own, negative_mass[:, None]) - own
    own_weights = jnp.where(is_positive, 1.0 if positive_weights is None else positive_weights, 0.0)
    mass = jnp.sum(own_weights, axis=1)
    total = jnp.sum(own_weights * jnp.where(is_positive, values, 0.0), axis=1)
    per_row = total / jnp.where(mass > 0, mass, 1.0)
    where, row_weights = softmax_rows(is_positive, weights, positive_weights)
    return weighted_mean(per_row, where=where, weights=row_weights)


def listed_softmax(
    queries: Array,
    posts: Array,
    targets: Array,
    *,
    offsets: Array,
    weights: Array | None = None,
) -> jax.Array:
    """Softmax of the target of each query against one list of posts that all queries share.

    With x_nk = query_n . post_k + offset_k: loss_n = log(sum_k exp(x_nk)) - x_n,target, averaged
    over the queries that have a target. The list names a post once, so a post is never its own
    negative. With the whole catalogue and offsets 0 this is the softmax cross entropy; with a
    sample and offsets -log(expected draws of post k) it estimates that.
    Source: Bengio and Senecal 2008, "Adaptive Importance Sampling", section III; Klenitskiy and
    Vasilev 2023, "Turning Dross Into Gold Loss", for next items.

    Logits are made a few hundred queries at a time and turned into gradients at once: `[N, K]`
    never exists, and what is worked on fits the caches.

    Args:
      queries: `[N, D]`, scaled by the inverse temperature if there is one.
      posts: `[K, D]`.
      targets: `[N]` int in [0, K), or -1 for a query that has none and does not count.
      offsets: `[K]` added to the logits, not differentiated; minus infinity where the list has a
        gap.
      weights: `[N]` at least 0; None means 1.

    >>> zeros = jnp.zeros((1, 2))
    >>> loss = listed_softmax(zeros, jnp.zeros((4, 2)), jnp.array([2]), offsets=jnp.zeros(4))
    >>> print(f"{loss:.4f}")
    1.3863
    """
    queries, posts = jnp.asarray(queries, jnp.float32), jnp.asarray(posts, jnp.float32)
    targets = jnp.asarray(targets)
    offsets = jnp.maximum(jnp.asarray(offsets, jnp.float32), _MASKED)
    counts = (targets >= 0).astype(jnp.float32)
    if weights is not None:
        counts = counts * weights
    # The logits of the targets from their own rows: picked from all logits, they would be scattered
    # back into them.
    place = jnp.maximum(targets, 0)
    of_targets = jnp.sum(queries * posts[place], axis=-1) + offsets[place]
    total = jnp.sum(counts)
    values = _log_masses(queries, posts, offsets, counts) - jnp.sum(counts * of_targets)
    return values / jnp.where(total > 0, total, 1.0)


@jax.custom_vjp
def _log_masses(
    queries: jax.Array, posts: jax.Array, offsets: jax.Array, counts: jax.Array
) -> jax.Array:
    """Sum over n of counts_n * log(sum_k exp(query_n . post_k + offset_k))."""
    return _log_masses_and_gradients(queries, posts, offsets, counts)[0]


def _log_masses_and_gradients(
    queries: jax.Array, posts: jax.Array, offsets: jax.Array, counts: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    size = min(_BLOCK_QUERIES, len(queries))
    # Queries that do not count come last, so that whole blocks of them cost nothing.
    order = jnp.argsort(counts == 0, stable=True)
    missing = -len(queries) % size
    ordered = jnp.pad(queries[order], ((0, missing), (0, 0)))
    ordered_counts = jnp.pad(counts[order], (0, missing))
    num_blocks = (jnp.sum(counts > 0) + size - 1) // size

    def add(
        index: jax.Array, totals: tuple[jax.Array, jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Adds the mass and the gradients of a block of queries."""
        value, of_queries, of_posts = totals
        query = jax.lax.dynamic_slice_in_dim(ordered, index * size, size)
        count = jax.lax.dynamic_slice_in_dim(ordered_counts, index * size, size)[:, None]
        logits = query @ posts.T + offsets
        largest = jnp.max(logits, axis=-1, keepdims=True)
        masses = jnp.exp(logits - largest)
        mass = jnp.sum(masses, axis=-1, keepdims=True)
        shares = masses * (count / mass)
        of_queries = jax.lax.dynamic_update_slice_in_dim(
            of_queries, shares @ posts, index * size, 0
        )
        value += jnp.sum(count * (jnp.log(mass) + largest))
        return value, of_queries, of_posts + shares.T @ query

    start = jnp.float32(0), jnp.zeros_like(ordered), jnp.zeros_like(posts)
    value, of_queries, of_posts = jax.lax.fori_loop(0, num_blocks, add, start)
    of_queries = jnp.zeros_like(queries).at[order].set(of_queries[: len(queries)])
    return value, (of_queries, of_posts)


def _scaled_gradients(
    gradients: tuple[jax.Array, jax.Array], by: jax.Array
) -> tuple[jax.Array, jax.Array, None, None]:
    return gradients[0] * by, gradients[1] * by, None, None


_log_masses.defvjp(_log_masses_and_gradients, _scaled_gradients)
