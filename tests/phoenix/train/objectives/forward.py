"""Windows of a small world, and the loss of an objective on them."""

from functools import lru_cache

import haiku as hk
import jax

from phoenix.embedding import initial_tables, lookup
from phoenix.inputs.model_inputs import model_inputs
from phoenix.train.batches import PostFrequencies, train_batch
from phoenix.train.objectives.by_model import objective_of
from tests.phoenix.planted import ACTIONS, SPEC, InMemoryWindows, train_config, world

WINDOWS = world(6).windows
FREQUENCIES = PostFrequencies.of(InMemoryWindows(WINDOWS), 6)
TABLES = initial_tables(SPEC, 32, 0)


def make(config, **options):
    return objective_of(config, ACTIONS, train_config(config, **options))


@lru_cache
def params_of(config):
    has_dwell = getattr(config, "num_continuous", 0) > 0
    objective = make(config, **({"losses": {"dwell": "squared_error"}} if has_dwell else {}))
    inputs = model_inputs(WINDOWS, ACTIONS, config)
    return objective.initial_params(0, inputs, lookup(TABLES, inputs))


def loss_of(objective, windows):
    inputs = model_inputs(windows, ACTIONS, objective.config)
    rows = lookup(TABLES, inputs)
    batch = train_batch(windows, inputs, len(ACTIONS), FREQUENCIES)
    value_and_grad = jax.jit(jax.value_and_grad(objective.loss, argnums=(0, 1), has_aux=True))
    (loss, scalars), gradients = value_and_grad(params_of(objective.config), rows, batch)
    return loss, scalars, gradients


def output_of(objective):
    inputs = model_inputs(WINDOWS, ACTIONS, objective.config)
    rows = lookup(TABLES, inputs)
    apply = hk.without_apply_rng(hk.transform(lambda *parts: objective.config.make()(*parts))).apply
    return jax.jit(apply)(params_of(objective.config), inputs, rows)


def retrieval_parts(objective, batch):
    """Logits and the masks of positives and real posts, by the definitions."""
    rows = lookup(TABLES, batch.inputs)
    apply = hk.without_apply_rng(hk.transform(objective._vectors)).apply
    users, posts = jax.jit(apply)(params_of(objective.config), batch.inputs, rows)
    logits = 10 * users @ posts.reshape(-1, posts.shape[-1]).T  # the temperature begins at 0.1
    return logits - batch.log_frequencies.reshape(-1), batch.labels[..., 0] > 0
