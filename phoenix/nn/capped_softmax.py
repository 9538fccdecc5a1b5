"""The sums of softmax attention with capped logits, and their gradients.

Attention is the quotient of two sums over the keys: of values times weights, and of the weights.
They are kept apart, because a candidate adds itself to both before the division. The gradients are
written out: what automatic differentiation keeps and turns costs more than what it computes.

Glossary of shapes:
  B: batch, T: sequence attended to, Q: queries, H: key/value heads, G: query heads per key/value
  head, K: key size, V: value size.
"""

from functools import partial

import jax
import jax.numpy as jnp

from phoenix.nn.layers import sum_last

LOGIT_CAP = 30.0


def capped(products: jax.Array, multiplier: float) -> jax.Array:
    """Logits `30 tanh(m q.k / 30)` of products `q.k`: nearly linear around 0, never beyond 30.

    >>> print(capped(jnp.array([1.0, 30.0, 1e9]), multiplier=1.0).round(2))
    [ 1.   22.85 30.  ]
    """
    return LOGIT_CAP * jnp.tanh(products * (multiplier / LOGIT_CAP))


@jax.custom_vjp
def weighted_values(
    queries: jax.Array, keys: jax.Array, values: jax.Array, bias: jax.Array, multiplier: float
) -> tuple[jax.Array, jax.Array]:
    """The two sums of which the quotient is softmax attention.

    The gradient computes the weights again instead of keeping them: they are the largest arrays of
    a layer, and to compute them costs less than to move them through memory twice.

    Args:
      queries: `[B, H, G, Q, K]`.
      keys: `[B, H, T, K]`.
      values: `[B, H, T, V]`.
      bias: `[B or 1, 1, 1, Q or 1, T or 1]`, from `attention_bias`; a constant for the gradient.
      multiplier: Of the products, a constant as well.

    Returns:
      `[B, H, G, Q, V]`, the values times `exp(logit + bias)` summed over T, and `[B, H, G, Q, 1]`,
      the sum of these weights; float32.
    """
    weights = jnp.exp(capped(_products(queries, keys), multiplier) + bias)
    return _summed_over_keys(weights.astype(queries.dtype), values), sum_last(weights)


_einsum = partial(jnp.einsum, preferred_element_type=jnp.float32)


def _products(queries: jax.Array, keys: jax.Array) -> jax.Array:
    """`[B, H, G, Q, T]` float32, of `[B, H, G, Q, K]` and `[B, H, T, K]`."""
    return _einsum("bhgqk,bhtk->bhgqt", queries, keys)


def _summed_over_keys(square: jax.Array, rows: jax.Array) -> jax.Array:
    """`[B, H, G, Q, K]` float32, of `[B, H, G, Q, T]` and `[B, H, T, K]`."""
    return _einsum("bhgqt,bhtk->bhgqk", square, rows)


_Inputs = tuple[jax.Array, jax.Array, jax.Array, jax.Array, float]


def _weighted_values_forward(
    queries: jax.Array, keys: jax.Array, values: jax.Array, bias: jax.Array, multiplier: float
) -> tuple[tuple[jax.Array, jax.Array], _Inputs]:
    """The sums, and for the gradient only the inputs: see `weighted_values`."""
    sums = weighted_values(queries, keys, values, bias, multiplier)
    return sums, (queries, keys, values, bias, multiplier)


def _weighted_values_backward(
    inputs: _Inputs, changes: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array, jax.Array, None, None]:
    """The gradients; `of_x` is the change of the loss with x, of the shape of x."""
    queries, keys, values, bias, multiplier = inputs
    of_total, of_weight = changes
    dtype = queries.dtype
    logits = capped(_products(queries, keys), multiplier)
    weights = jnp.exp(logits + bias)
    of_total = of_total.astype(dtype)
    of_logits = weights * (_products(of_total, values) + of_weight)
    slope = multiplier * (1 - jnp.square(logits / LOGIT_CAP))  # of `capped`
    of_products = (of_logits * slope).astype(dtype)
    of_queries = _summed_over_keys(of_products, keys)
    of_keys = _summed_over_queries(of_products, queries)
    of_values = _summed_over_queries(weights.astype(dtype), of_total)
    return of_queries.astype(dtype), of_keys.astype(dtype), of_values.astype(dtype), None, None


def _summed_over_queries(square: jax.Array, rows: jax.Array) -> jax.Array:
    """`[B, H, T, K]` float32, of `[B, H, G, Q, T]` and `[B, H, G, Q, K]`."""
    square, rows = (x.reshape(*x.shape[:2], -1, x.shape[-1]) for x in (square, rows))

    def of_rows(square: jax.Array, rows: jax.Array) -> jax.Array:
        """The plain product, fast on accelerators."""
        return _einsum("bhqt,bhqk->bhtk", square, rows)

    def of_columns(square: jax.Array, rows: jax.Array) -> jax.Array:
        """The same by its transposition, fast on CPUs."""
        # As in `matrix_product`; and only what is small is turned.
        columns = jax.lax.optimization_barrier(rows.swapaxes(2, 3))
        sums = _einsum("bhkq,bhqt->bhkt", columns, square)
        return jax.lax.optimization_barrier(sums).swapaxes(2, 3)

    return jax.lax.platform_dependent(square, rows, cpu=of_columns, default=of_rows)


weighted_values.defvjp(_weighted_values_forward, _weighted_values_backward)


@jax.custom_vjp
def quotient(total: jax.Array, weight: jax.Array) -> jax.Array:
    """`total` `[..., V]` by `weight` `[..., 1]`."""
    # Its gradient needs the mean and not the total: one array of that size less to keep.
    return total / weight


def _quotient_forward(
    total: jax.Array, weight: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    mean = total / weight
    return mean, (mean, weight)


def _quotient_backward(
    mean_and_weight: tuple[jax.Array, jax.Array], change: jax.Array
) -> tuple[jax.Array, jax.Array]:
    mean, weight = mean_and_weight
    of_total = change / weight
    return of_total, -sum_last(of_total * mean)


quotient.defvjp(_quotient_forward, _quotient_backward)
