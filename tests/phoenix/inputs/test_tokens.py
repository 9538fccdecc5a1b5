"""From table rows to tokens."""

import jax
import numpy as np
import pytest

from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.inputs.config import HashConfig
from phoenix.inputs.tokens import candidate_tokens, context_tokens
from phoenix.recsys_model import PhoenixModelConfig
from tests.phoenix.model_inputs import ATTRIBUTES, example, random_params, ranker, transformed


def tokens(config: PhoenixModelConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings):
    """History tokens `[B, S, D]` with fixed random parameters."""

    def forward(batch: RecsysBatch, embeddings: RecsysEmbeddings) -> jax.Array:
        return context_tokens(config, batch, embeddings)[0][:, 1:]

    model = transformed(forward)
    return np.asarray(model.apply(random_params(model.init, batch, embeddings), batch, embeddings))


def test_a_surface_outside_the_vocabulary_counts_as_none() -> None:
    config = ranker()
    batch, embeddings = example(config)
    surface = batch.history_product_surface.copy()
    surface[0, 0], surface[0, 1] = 99, -1
    changed = tokens(config, batch._replace(history_product_surface=surface), embeddings)
    surface[0, 0], surface[0, 1] = -7, 4
    again = tokens(config, batch._replace(history_product_surface=surface), embeddings)
    np.testing.assert_array_equal(changed, again)
    assert np.all(np.isfinite(changed))


def test_no_action_adds_nothing_rather_than_all_minus_one() -> None:
    config = ranker()
    batch, embeddings = example(config)

    def forward(batch: RecsysBatch, embeddings: RecsysEmbeddings) -> jax.Array:
        return context_tokens(config, batch, embeddings)[0][:, 1:]

    model = transformed(forward)
    params = random_params(model.init, batch, embeddings)
    none = batch._replace(history_actions=np.zeros_like(batch.history_actions))
    ones = batch._replace(history_actions=np.ones_like(batch.history_actions))
    without = dict(params["phoenix_model"] if "phoenix_model" in params else params["~"])
    without["action_projection"] = 0 * without["action_projection"]
    np.testing.assert_array_equal(
        model.apply(params, none, embeddings), model.apply({"~": without}, ones, embeddings)
    )


def test_missing_dwell_equals_negative_dwell_and_differs_from_zero() -> None:
    config = ranker(has_dwell=True)
    batch, embeddings = example(config)
    shape = batch.history_dwell_seconds.shape
    missing, negative, zero = (
        tokens(
            config,
            batch._replace(history_dwell_seconds=np.full(shape, value, np.float32)),
            embeddings,
        )
        for value in (np.nan, -3.0, 0.0)
    )
    np.testing.assert_array_equal(missing, negative)
    assert np.abs(missing - zero).max() > 1e-3


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("has_post_age", "history_post_age_minutes"),
        ("has_dwell", "history_dwell_seconds"),
        ("attributes", "user_attributes"),
        ("attributes", "history_attributes"),
    ],
)
def test_a_missing_optional_input_is_named(option: str, field: str) -> None:
    config = ranker(**{option: ATTRIBUTES if option == "attributes" else True})
    batch, embeddings = example(config)
    with pytest.raises(ValueError, match=rf"RecsysBatch.{field}.*got None"):
        tokens(config, batch._replace(**{field: None}), embeddings)


def test_optional_inputs_change_nothing_unless_asked_for() -> None:
    batch, embeddings = example(ranker(attributes=ATTRIBUTES))
    bare = RecsysBatch(*batch[:8])
    np.testing.assert_array_equal(
        tokens(ranker(), batch, embeddings), tokens(ranker(), bare, embeddings)
    )


@pytest.mark.parametrize("hashes", [HashConfig(1, 1, 1), HashConfig(4, 3, 2)])
def test_tokens_take_any_number_of_hashes(hashes: HashConfig) -> None:
    config = ranker(hash_config=hashes)
    batch, embeddings = example(config)

    def forward(batch: RecsysBatch, embeddings: RecsysEmbeddings) -> jax.Array:
        return candidate_tokens(config, batch, embeddings)[0]

    params = jax.eval_shape(transformed(forward).init, jax.random.key(0), batch, embeddings)
    rows = (hashes.num_item_hashes + hashes.num_author_hashes + 1) * config.emb_size
    assert params["~"]["proj_mat_2"].shape == (rows, config.emb_size)
