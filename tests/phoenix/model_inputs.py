"""Small random inputs and parameters for tests of the models."""

import dataclasses
import functools

import haiku as hk
import jax
import numpy as np

from phoenix.data import attributes
from phoenix.data.attributes import Attribute
from phoenix.data.engagement.rates import LEVELS, POPULARITY
from phoenix.grok import TransformerConfig
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.runners import create_example_batch

# Every kind, and every side, in a mixed order.
ATTRIBUTES = (
    Attribute(name="tags", side="post", kind="sequence", words=("a", "b", "c"), length=3),
    Attribute(name="degree", side="user", kind="vocabulary", words=("low", "high")),
    Attribute(name="hour", side="context", kind="bucketized", boundaries=(6, 12, 18)),
    Attribute(name="register", side="user", kind="raw", scale=100),
    Attribute(name="music", side="post", kind="id", num_rows=5),
)


def trunk(**changes):
    """A trunk of two layers of width 16, 4 query heads on 2 key/value heads."""
    sizes = {
        "emb_size": 16,
        "key_size": 4,
        "num_q_heads": 4,
        "num_kv_heads": 2,
        "num_layers": 2,
        "widening_factor": 2.0,
        "attn_output_multiplier": 0.5,
    }
    return TransformerConfig(**{**sizes, **changes})


def ranker(**changes):
    """A ranker with 3 actions on `trunk`; changes of the trunk go into `model`."""
    fields = {"model": trunk(), "emb_size": 16, "num_actions": 3, "product_surface_vocab_size": 4}
    return PhoenixModelConfig(**{**fields, **changes})


def example(config, *, users=3, history=6, candidates=5, num_actions=3):
    """Random inputs for `config`: user 1 is unknown, user 2 also without history.

    The last candidate of user 1 is padding, and one event of user 0 has no action.
    """
    batch, embeddings = create_example_batch(
        users,
        config.emb_size,
        history,
        candidates,
        num_actions,
        config.hashes.num_user_hashes,
        config.hashes.num_item_hashes,
        config.hashes.num_author_hashes,
        config.product_surface_vocab_size,
    )
    batch.user_hashes[1:] = 0
    batch.history_post_hashes[2:] = 0
    batch.candidate_post_hashes[1, -1] = 0
    batch.history_actions[0, history // 4] = 0
    generator = np.random.default_rng(7)
    ages = generator.uniform(-500, 6000, (users, history + candidates)).astype(np.float32)
    dwell = generator.uniform(-5, 60, (users, history)).astype(np.float32)
    batch = batch._replace(
        user_attributes=attribute_values(config.user_attributes, generator, users),
        history_attributes=attribute_values(config.post_attributes, generator, users, history),
        candidate_attributes=attribute_values(config.post_attributes, generator, users, candidates),
    )
    if config.reads_evidence:
        shape = users, candidates, len(LEVELS)
        batch = batch._replace(
            candidate_log_odds=generator.normal(size=(*shape, config.num_actions)).astype("f"),
            candidate_log_counts=generator.uniform(0, 5, shape).astype("f"),
        )
    if config.reads_popularity:
        shape = users, candidates, len(POPULARITY)
        batch = batch._replace(candidate_popularity=generator.uniform(0, 5, shape).astype("f"))
    return batch._replace(
        history_post_age_minutes=ages[:, :history],
        candidate_post_age_minutes=ages[:, history:],
        history_dwell_seconds=dwell,
    ), embeddings


def attribute_values(declared, generator, *shape):
    """Random values `[*shape, W]` of attributes; None where there are no attributes."""
    parts = [np.empty((*shape, 0))]
    for attribute in declared:
        wide = (*shape, attribute.length)
        if attribute.table_size:
            parts.append(generator.integers(0, attribute.table_size, wide))
        else:
            missing = generator.random(wide) < 0.3
            parts.append(np.where(missing, np.nan, generator.normal(size=wide)))
    assert sum(part.shape[-1] for part in parts) == attributes.width(declared)
    return np.concatenate(parts, axis=-1).astype(np.float32) if declared else None


def random_params(init, *arguments, seed=0):
    """Random parameters of the shapes that `init` gives: matrices of variance 1 / rows."""
    shapes = jax.eval_shape(init, jax.random.key(0), *arguments)
    generator = np.random.default_rng(seed)

    def draw(leaf):
        if len(leaf.shape) < 2:
            return generator.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        return (generator.normal(size=leaf.shape) / np.sqrt(leaf.shape[0])).astype(np.float32)

    return jax.tree.map(draw, dict(shapes))


def transformed(function):
    """`function` as a pure pair of `init(rng, ...)` and jitted `apply(params, ...)`."""
    pure = hk.without_apply_rng(hk.transform(function))
    return hk.Transformed(pure.init, jax.jit(pure.apply))


@functools.cache
def ranker_forward(config):
    """The ranker as `init` and `apply(params, batch, embeddings) -> RecsysModelOutput`."""

    def forward(batch, embeddings):
        return config.make()(batch, embeddings)

    return transformed(forward)


def with_candidates(batch, embeddings, index):
    """The inputs with candidates `index` (a permutation, a selection) of every user."""
    fields = {
        name: value[:, index]
        for name, value in batch._asdict().items()
        if name.startswith("candidate") and value is not None
    }
    rows = {
        name: value[:, index]
        for name, value in vars(embeddings).items()
        if name.startswith("candidate")
    }
    return batch._replace(**fields), dataclasses.replace(embeddings, **rows)


def with_users(batch, embeddings, index):
    """The inputs of the users `index`."""
    return jax.tree.map(lambda array: array[index], (batch, embeddings))
