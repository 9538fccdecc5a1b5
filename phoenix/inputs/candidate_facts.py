"""Facts of posts beside their ids, as vectors that the candidate tower of retrieval reads.

A post that nobody was shown has rows that say nothing yet; what it is about gives it a place.

Glossary of shapes:
  B: batch, C: candidates, D: model width.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from phoenix.data.attributes import width
from phoenix.inputs.batch import RecsysBatch, optional_input
from phoenix.inputs.config import InputConfig
from phoenix.inputs.event_vectors import age_vectors
from phoenix.nn.attribute_vectors import summed_vectors


class CandidateFacts(hk.Module):
    """The attributes of posts, and their ages where the model reads ages, added up.

    Its parameters are its own: those by which histories read the same facts lead into the trunk.
    The context of an impression is left out, because a corpus has none.
    """

    def __init__(self, config: InputConfig, name: str | None = None) -> None:
        """Takes the configuration of the model, which reads one of the two at least."""
        super().__init__(name=name)
        self.config = config

    def __call__(self, batch: RecsysBatch) -> jax.Array:
        """`[B, C, D]` float32 vectors of the candidates.

        Raises:
          ValueError: If the batch does not have what the configuration asks for.
        """
        config, vectors = self.config, []
        if own := config.attributes_of_posts:
            values = optional_input(batch, "candidate_attributes")[..., : width(own)]
            vectors.append(summed_vectors(own, values, config.emb_size))
        if config.has_post_age:
            ages = optional_input(batch, "candidate_post_age_minutes")
            vectors.append(age_vectors(config, ages).astype(jnp.float32))
        return sum(vectors[1:], vectors[0])
