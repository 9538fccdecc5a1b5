"""The small layers of the trunk: norm, linear map and gated feed-forward block.

Parameters are float32 in every configuration; a layer computes in the dtype of its input.

Glossary of shapes:
  D: model width, F: width of the feed-forward block.
"""

from typing import Literal

import haiku as hk
import jax
import jax.numpy as jnp

Init = Literal["trainable", "public"]
NORM_EPSILON = 1e-5


def ffn_size(emb_size: int, widening_factor: float) -> int:
    """Width of the gated feed-forward block: two thirds of `widening_factor * emb_size`.

    The gate adds a third matrix; two thirds keep the number of parameters of a plain block. The
    result is rounded up to a multiple of 8.

    >>> ffn_size(128, 2), ffn_size(100, 4)
    (176, 272)
    """
    size = (int(widening_factor * emb_size) * 2) // 3
    return size + (8 - size) % 8


def norm_initializer(init: Init) -> hk.initializers.Initializer:
    """Initial scale of a norm: 1, or the public 0 with which the trunk cannot be trained."""
    return hk.initializers.Constant(0.0 if init == "public" else 1.0)


def linear_initializer(init: Init) -> hk.initializers.Initializer:
    """Initial weights of a linear map: variance 1 / fan-in, or the public 0."""
    if init == "public":
        return hk.initializers.Constant(0.0)
    return hk.initializers.VarianceScaling(1.0, mode="fan_in", distribution="truncated_normal")


@jax.custom_jvp
def sum_last(x: jax.Array) -> jax.Array:
    """Sums the last axis and keeps it: a product with ones, twice as fast as a reduction on a CPU.

    Derivatives see the reduction, whose transpose is a broadcast.

    >>> sum_last(jnp.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[3.0], [7.0]]
    """
    ones = jnp.ones((x.shape[-1], 1), x.dtype)
    flat = jnp.dot(x.reshape(-1, x.shape[-1]), ones, precision=jax.lax.Precision.HIGHEST)
    return flat.reshape(*x.shape[:-1], 1)


@sum_last.defjvp
def _sum_last_jvp(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    return sum_last(*primals), jnp.sum(*tangents, axis=-1, keepdims=True)


@jax.custom_vjp
def scaled_norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    """`scale * x / sqrt(mean(x^2) + 1e-5)` over the last axis of `x` `[..., D]`, float32.

    >>> print(scaled_norm(jnp.array([3.0, -3.0]), jnp.array([1.0, 2.0])).round(2))
    [ 1. -2.]
    """
    # The gradient below keeps `x` alone and normalises again, which costs less than a second array.
    return scale * (x * _norm_gain(x))


def _norm_gain(x: jax.Array) -> jax.Array:
    """`[..., 1]`: the factor that brings the root mean square of `x` `[..., D]` to 1."""
    return jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + NORM_EPSILON)


def _norm_forward(x: jax.Array, scale: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return scaled_norm(x, scale), (x, scale)


def _norm_backward(
    inputs: tuple[jax.Array, jax.Array], change: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gradients by `x` and `scale`, given that of the result, `change` `[..., D]`."""
    x, scale = inputs
    gain = _norm_gain(x)
    normed = x * gain
    # Sums by products, see `sum_last`: two of one array, which is written once.
    rows = (change * normed).reshape(-1, x.shape[-1])
    along = jnp.dot(rows, scale[:, None], precision=jax.lax.Precision.HIGHEST) / x.shape[-1]
    of_x = gain * (change * scale - normed * along.reshape(gain.shape))
    of_scale = jnp.dot(jnp.ones((1, len(rows)), x.dtype), rows)[0]
    return of_x, of_scale


scaled_norm.defvjp(_norm_forward, _norm_backward)


class RMSNorm(hk.Module):
    """Divides by the root mean square of the last axis and multiplies with a learned scale.

    `y = scale * x / sqrt(mean(x^2) + 1e-5)`, in float32, cast back to the dtype of the input. There
    is no mean subtraction and no bias.
    """

    def __init__(
        self,
        *,
        fixed_scale: bool = False,
        init: Init = "trainable",
        name: str | None = None,
    ) -> None:
        """Args: `fixed_scale` drops the parameter (gain 1); `init` as in `norm_initializer`."""
        super().__init__(name=name)
        self.fixed_scale = fixed_scale
        self.init: Init = init

    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalises `x` of shape `[..., D]`."""
        scale = jnp.ones(x.shape[-1])
        if not self.fixed_scale:
            initializer = norm_initializer(self.init)
            scale = hk.get_parameter("scale", [x.shape[-1]], jnp.float32, init=initializer)
        return scaled_norm(x.astype(jnp.float32), scale).astype(x.dtype)


def hk_rms_norm(
    x: jax.Array, fixed_scale: bool = False, init: Init = "trainable", name: str | None = None
) -> jax.Array:
    """Applies a new `RMSNorm` over the last axis of `x`."""
    return RMSNorm(fixed_scale=fixed_scale, init=init, name=name)(x)


def layer_norm(x: jax.Array, init: Init = "trainable", name: str | None = None) -> jax.Array:
    """The norm of a decoder layer: an `RMSNorm` with a learned scale."""
    return hk_rms_norm(x, init=init, name=name)


def dropout(x: jax.Array, rate: float) -> jax.Array:
    """Sets a share `rate` of `x` to 0 and divides the rest by `1 - rate`.

    Active only where the caller gave random numbers, `apply(params, key, ...)`: that is in
    training. Source: Srivastava et al. 2014, "Dropout".
    """
    # No key is drawn at rate 0, so that a model without dropout has the random numbers it ever had.
    key = hk.maybe_next_rng_key() if rate > 0 else None
    if key is None:
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


@jax.custom_vjp
def matrix_product(x: jax.Array, w: jax.Array) -> jax.Array:
    """`x` `[..., in]` times `w` `[in, out]`: `[..., out]`, with a gradient that is fast on CPUs."""
    return jnp.dot(x, w)


def _product_forward(x: jax.Array, w: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return matrix_product(x, w), (x, w)


def _product_backward(
    factors: tuple[jax.Array, jax.Array], change: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, w = factors
    rows, changes = (array.reshape(-1, array.shape[-1]) for array in (x, change))

    def of_rows(rows: jax.Array, changes: jax.Array) -> jax.Array:
        """The plain product, fast on accelerators."""
        return jax.lax.dot_general(rows, changes, (((0,), (0,)), ((), ())))

    def of_columns(rows: jax.Array, changes: jax.Array) -> jax.Array:
        """The same by its transposition, fast on CPUs."""
        # The fast products of XLA on CPUs sum over the last axis of the left factor. The barrier
        # keeps XLA from folding the transposition into the product, which nearly doubles its time.
        return jnp.dot(jax.lax.optimization_barrier(rows.T), changes)

    change_of_w = jax.lax.platform_dependent(rows, changes, cpu=of_columns, default=of_rows)
    return jnp.dot(change, w.T), change_of_w


matrix_product.defvjp(_product_forward, _product_backward)


class Linear(hk.Module):
    """`y = x @ w (+ b)` with float32 parameters, computed in the dtype of `x`."""

    def __init__(
        self,
        output_size: int,
        with_bias: bool = True,
        *,
        init: Init = "trainable",
        name: str | None = None,
    ) -> None:
        """Args: `output_size` is the width of the result; `init` as in `linear_initializer`."""
        super().__init__(name=name)
        self.output_size = output_size
        self.with_bias = with_bias
        self.init: Init = init

    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `x` of shape `[..., in]` to `[..., output_size]`.

        Raises:
          ValueError: If `x` is a scalar.
        """
        if not x.shape:
            raise ValueError("`Linear` expects an input with at least one axis, got a scalar.")
        shape = [x.shape[-1], self.output_size]
        w = hk.get_parameter("w", shape, jnp.float32, init=linear_initializer(self.init))
        y = matrix_product(x, w.astype(x.dtype))
        if not self.with_bias:
            return y
        b = hk.get_parameter("b", [self.output_size], jnp.float32, init=jnp.zeros)
        return y + b.astype(x.dtype)


class DenseBlock(hk.Module):
    """Gated feed-forward block: `W_out(gelu(x W_gate) * (x W_value))`, without biases.

    gelu is the tanh approximation. The three maps carry the public names `linear_v` (value),
    `linear` (gate) and `linear_1` (output), in the scope of the layer that calls the block.
    """

    def __init__(
        self, widening_factor: float, *, init: Init = "trainable", name: str | None = None
    ) -> None:
        """Args: `widening_factor` sets F by `ffn_size`; `init` as in `linear_initializer`."""
        super().__init__(name=name)
        self.widening_factor = widening_factor
        self.init: Init = init

    @hk.transparent
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `x` of shape `[..., D]` to the same shape."""
        width = ffn_size(x.shape[-1], self.widening_factor)
        value = Linear(width, with_bias=False, init=self.init, name="linear_v")(x)  # [..., F]
        gate = Linear(width, with_bias=False, init=self.init, name="linear")(x)  # [..., F]
        hidden = jax.nn.gelu(gate) * value
        return Linear(x.shape[-1], with_bias=False, init=self.init, name="linear_1")(hidden)
