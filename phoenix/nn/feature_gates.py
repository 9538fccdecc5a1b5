"""Group-wise variational dropout: learn how much of each group of input features can be missed.

A group g, such as the rows of the posts of a history, has a dropout rate p_g = sigmoid(a_g) that is
learned with the model. In training each row of a batch multiplies the group by 1 - z, with

    z = sigmoid((a_g + log(u) - log(1 - u)) / 0.1),   u uniform in (0, 1),

a draw that is nearly 0 or 1, yet has a gradient with respect to a_g; otherwise by the expected
1 - p_g. A group that is read twice, by tokens and by a factorisation, is drawn twice. The loss has
the penalty lambda / B * sum over g of (1 - p_g), so that a group which says little is dropped, and
1 - p_g ranks the groups by what they are worth.

Sources: Chang, Rampasek and Goldenberg 2017, "Dropout Feature Ranking for Deep Learning Models",
equations 3 and 4; Gal, Hron and Kendall 2017, "Concrete Dropout", equation 5.

Glossary of shapes:
  B: batch.
"""

from collections.abc import Mapping, Sequence

import haiku as hk
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

_TEMPERATURE = 0.1
_INITIAL_LOGIT = -2.0  # A rate of 0.12: at first nearly everything is read.


def apply_gate(group: str, values: ArrayLike) -> jax.Array:
    """Multiplies `[B, ...]` values of a group by its gate, inside a module that learns its rate.

    The gate is drawn where the caller gave random numbers, `apply(params, key, ...)`: that is in
    training.

    >>> model = hk.transform(lambda x: apply_gate("post", x))
    >>> params = model.init(None, jnp.ones(2))
    >>> print(model.apply(params, None, jnp.ones(2)).round(2))  # the expected 1 - p
    [0.88 0.88]
    """
    values = jnp.asarray(values)
    initializer = hk.initializers.Constant(_INITIAL_LOGIT)
    logit = hk.get_parameter(_parameter_name(group), [], jnp.float32, init=initializer)
    key = hk.maybe_next_rng_key()
    if key is None:
        return values * jax.nn.sigmoid(-logit).astype(values.dtype)
    # One draw per row of the batch: a group is there or not, not a part of its features.
    shape = (len(values), *[1] * (values.ndim - 1))
    noise = jax.random.logistic(key, shape)  # log(u) - log(1 - u)
    return values * jax.nn.sigmoid(-(logit + noise) / _TEMPERATURE).astype(values.dtype)


def kept_shares(params: Mapping[str, ArrayLike], groups: Sequence[str]) -> dict[str, jax.Array]:
    """Returns 1 - p_g of each group, from the parameters of the module that has the gates."""
    return {group: jax.nn.sigmoid(-jnp.asarray(params[_parameter_name(group)])) for group in groups}


def _parameter_name(group: str) -> str:
    return f"dropout_logit_{group}"
