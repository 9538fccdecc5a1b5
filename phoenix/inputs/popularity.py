"""How popular a post is, as one number of the candidate tower: the dimension beside the angle.

A softmax over posts whose scores are the logarithms of expected engagements recommends what is
popular. This number is that logarithm at first; a small network reads how well it is known, and
what is known of the author, and adds nothing at first.

Glossary of shapes:
  B: batch, C: candidates, F: numbers of popularity.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from phoenix.data.engagement.rates import POPULARITY
from phoenix.inputs.batch import RecsysBatch, optional_input

HIDDEN_SIZE = 16
_SIZE_OF_NUMBERS = 5.0  # logarithms of typical counts and rates, so that the network sees order 1


def popularity(batch: RecsysBatch) -> jax.Array:
    """`[B, C, 1]` float32 logarithm of the engagements to expect of each candidate.

    Raises:
      ValueError: If the batch does not have the numbers.
    """
    numbers = optional_input(batch, "candidate_popularity")
    hidden = hk.Linear(HIDDEN_SIZE, name="popularity_hidden")(numbers / _SIZE_OF_NUMBERS)
    output = hk.Linear(1, with_bias=False, w_init=jnp.zeros, name="popularity_output")
    place = POPULARITY.index("engagement")
    return numbers[..., place : place + 1] + output(jax.nn.gelu(hidden))
