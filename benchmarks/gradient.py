"""The ranker's gradient, against that of the plain model and against the machine's matrix peak."""

from collections.abc import Callable, Iterator
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import ranker
from benchmarks.measurement import Result
from phoenix.memory import keep_freed_memory
from phoenix.recsys_model import RecsysBatch, RecsysEmbeddings

_NUM_USERS, _NUM_CANDIDATES = 16, 32


def results() -> Iterator[Result]:
    """Measures the gradient by weights and table rows, with the memory of a step that trains."""
    keep_freed_memory()  # For the peer as well.
    inputs = ranker.inputs(_NUM_USERS, _NUM_CANDIDATES)
    shape = (_NUM_USERS, _NUM_CANDIDATES, ranker.MODEL.num_actions)
    labels = jnp.asarray(np.random.default_rng(0).random(shape) < 0.1, jnp.float32)

    def differentiated(logits: ranker.Logits) -> Callable[..., Any]:
        def loss(params: hk.Params, batch: RecsysBatch, rows: RecsysEmbeddings) -> jax.Array:
            values = logits(params, batch, rows)
            return jnp.mean(jax.nn.softplus(values) - labels * values)

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 2)))

    ours, plain = differentiated(ranker.logits), differentiated(ranker.plain_logits)
    np.testing.assert_allclose(ours(*inputs)[0], plain(*inputs)[0], rtol=1e-5)
    name = f"ranker_gradient_{_NUM_CANDIDATES}_candidates"
    result = ranker.against_plain(name, ours, plain, inputs, goal=1.8)
    yield result
    # The gradients of both factors of a product cost a product each.
    operations = 3 * ranker.useful_operations(_NUM_CANDIDATES)
    yield ranker.against_peak(name, result.ours * operations, goal=0.3)
