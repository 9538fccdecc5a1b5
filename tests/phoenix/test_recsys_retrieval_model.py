"""The retrieval model: parity with the public model and with its definition, and its promises."""

import dataclasses
import functools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings

from phoenix.config import ConfigError
from phoenix.data.engagement.rates import POPULARITY
from phoenix.inputs.config import HashConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig, RetrievalOutput
from tests.phoenix import reference_model
from tests.phoenix.golden_case import GoldenCase
from tests.phoenix.model_inputs import (
    ATTRIBUTES,
    example,
    random_params,
    transformed,
    trunk,
    with_users,
)


@functools.cache
def towers(config: PhoenixRetrievalModelConfig):
    """Both towers as `apply(params, batch, embeddings) -> (users, lengths, candidates, mask)`."""

    def forward(batch, embeddings):
        model = config.make()
        return (
            *model.build_user_representation(batch, embeddings),
            *model.build_candidate_representation(batch, embeddings),
        )

    return transformed(forward)


CONFIG = PhoenixRetrievalModelConfig(trunk(), 16, product_surface_vocab_size=4)
MODEL = towers(CONFIG)
BATCH, EMBEDDINGS = example(CONFIG)
PARAMS = random_params(MODEL.init, BATCH, EMBEDDINGS)


@pytest.mark.parametrize(
    ("dtype", "record", "tolerance"), [("float32", "f32", 1e-5), ("bfloat16", "bf16", 0.1)]
)
def test_vectors_and_top_rows_equal_those_of_the_public_model(
    golden: GoldenCase, dtype: str, record: str, tolerance: float
) -> None:
    sizes = golden.sizes
    config = PhoenixRetrievalModelConfig.public(
        golden.trunk(), sizes["D"], fprop_dtype=dtype, hash_config=golden.hash_config()
    )

    def retrieve(batch, embeddings, corpus, mask) -> RetrievalOutput:
        return config.make()(batch, embeddings, corpus, 5, mask)

    params, inputs = golden.params("retr.param|"), (golden.batch, golden.embeddings)
    corpus = [golden.arrays[f"retr.corpus{part}"] for part in ("", "_mask")]
    output = transformed(retrieve).apply(params, *inputs, *corpus)
    users, lengths, candidates, mask = towers(config).apply(params, *inputs)
    recorded = {
        "user_rep": users,
        "user_norm": lengths,
        "cand_rep": candidates,
        "topk_scores": output.top_k_scores,
    }
    for name, actual in recorded.items():
        expected = golden.arrays[f"retr.{name}.{record}"]
        np.testing.assert_allclose(actual, expected, atol=tolerance, err_msg=name)
    for name, actual in {"topk_idx": output.top_k_indices, "cand_mask": mask}.items():
        np.testing.assert_array_equal(actual, golden.arrays[f"retr.{name}.{record}"], name)


def test_parameter_names_and_shapes_are_those_of_the_public_checkpoint(
    golden: GoldenCase,
) -> None:
    config = PhoenixRetrievalModelConfig.public(golden.trunk(), golden.sizes["D"])
    shapes = jax.eval_shape(towers(config).init, jax.random.key(0), golden.batch, golden.embeddings)
    expected = jax.tree.map(np.shape, golden.params("retr.param|"))
    assert jax.tree.map(np.shape, dict(shapes)) == expected


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        dataclasses.replace(
            CONFIG,
            model=trunk(num_q_heads=3, num_kv_heads=1, history_attention="full"),
            user_pooling="last",
            candidate_tower="mean",
            history_posts="shared",
            hash_config=HashConfig(3, 2, 2),
            has_post_age=True,
            has_dwell=True,
            attributes=ATTRIBUTES,
        ),
    ],
    ids=["default", "options"],
)
def test_vectors_equal_their_definition(config: PhoenixRetrievalModelConfig) -> None:
    batch, embeddings = example(config)
    model = towers(config)
    params = random_params(model.init, batch, embeddings)
    users, _, candidates, _ = model.apply(params, batch, embeddings)
    expected = reference_model.user_vectors(params, config, batch, embeddings)
    np.testing.assert_allclose(users, expected, atol=1e-5)
    expected = reference_model.candidate_vectors(params, config, embeddings)
    np.testing.assert_allclose(candidates, expected, atol=1e-5)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 999), scale=st.sampled_from([1e-2, 1.0, 1e3]))
def test_vectors_have_unit_length_and_a_user_without_input_is_zero(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    embeddings = jax.tree.map(
        lambda rows: (scale * generator.normal(size=rows.shape)).astype(np.float32), EMBEDDINGS
    )
    users, _, candidates, _ = MODEL.apply(PARAMS, BATCH, embeddings)
    np.testing.assert_allclose(np.linalg.norm(users[:2], axis=-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(candidates, axis=-1), 1.0, atol=1e-5)
    assert not np.any(users[2])


def test_taste_stands_beside_the_angle() -> None:
    config = dataclasses.replace(CONFIG, taste_size=3)
    model = towers(config)
    params = random_params(model.init, BATCH, EMBEDDINGS)
    users, _, candidates, _ = model.apply(params, BATCH, EMBEDDINGS)
    plain_users, _, plain_candidates, _ = MODEL.apply(params, BATCH, EMBEDDINGS)
    assert users.shape[-1] == candidates.shape[-1] == config.vector_size == 16 + 3
    np.testing.assert_array_equal(users[:, :16], plain_users)
    np.testing.assert_array_equal(candidates[..., :16], plain_candidates)
    assert np.any(users[:2, 16:])
    assert not np.any(users[2])


@settings(deadline=None, max_examples=10)
@given(value=st.sampled_from([np.nan, np.inf, 7.0]), pooling=st.sampled_from(["mean", "last"]))
def test_the_content_of_padding_changes_no_user(value: float, pooling: str) -> None:
    model = towers(dataclasses.replace(CONFIG, user_pooling=pooling))
    posts = EMBEDDINGS.history_post_embeddings.copy()
    posts[BATCH.history_post_hashes[:, :, 0] == 0] = value
    changed = dataclasses.replace(EMBEDDINGS, history_post_embeddings=posts)
    expected = model.apply(PARAMS, BATCH, EMBEDDINGS)[0]
    np.testing.assert_array_equal(model.apply(PARAMS, BATCH, changed)[0], expected)


def test_more_padding_after_the_history_changes_no_user() -> None:
    def longer(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.zeros_like(array[:, :3])], axis=1)

    def padded(fields: dict) -> dict:
        return {
            name: longer(value)
            for name, value in fields.items()
            if name.startswith("history") and value is not None
        }

    users = MODEL.apply(
        PARAMS,
        BATCH._replace(**padded(BATCH._asdict())),
        dataclasses.replace(EMBEDDINGS, **padded(vars(EMBEDDINGS))),
    )[0]
    np.testing.assert_allclose(users, MODEL.apply(PARAMS, BATCH, EMBEDDINGS)[0], atol=1e-6)


@settings(deadline=None, max_examples=5)
@given(order=st.permutations(range(3)).map(np.array))
def test_users_do_not_depend_on_each_other(order: np.ndarray) -> None:
    permuted = MODEL.apply(PARAMS, *with_users(BATCH, EMBEDDINGS, order))
    expected = MODEL.apply(PARAMS, BATCH, EMBEDDINGS)
    for actual, plain in zip(permuted, expected, strict=True):
        np.testing.assert_allclose(actual, plain[order], atol=1e-6)


def test_fifty_steps_move_every_weight_and_lower_the_loss() -> None:
    optimizer = optax.adam(3e-3)

    def loss(params: dict) -> jax.Array:
        users, _, posts, _ = MODEL.apply(params, BATCH, EMBEDDINGS)
        # Planted: each known user likes the first of its candidates.
        scores = 5 * jnp.einsum("bd,bcd->bc", users[:2], posts[:2])
        return -jnp.mean(jax.nn.log_softmax(scores)[:, 0])

    @jax.jit
    def step(params: dict, state: object) -> tuple:
        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(params, updates), state, value

    first = params = MODEL.init(jax.random.key(0), BATCH, EMBEDDINGS)
    state, losses = optimizer.init(params), []
    for _ in range(50):
        params, state, value = step(params, state)
        losses.append(float(value))
    for module, weights in first.items():
        for name, before in weights.items():
            assert np.any(before != params[module][name]), f"{module}/{name} did not move"
    assert losses[-1] < 0.2 * losses[0]


def test_retrieval_alone_makes_no_candidate_tower() -> None:
    def retrieve(batch, embeddings, corpus) -> RetrievalOutput:
        return CONFIG.make()(batch, embeddings, corpus, 3)

    corpus = np.ones((5, 16), np.float32)
    params = jax.eval_shape(
        transformed(retrieve).init, jax.random.key(0), BATCH, EMBEDDINGS, corpus
    )
    assert not any("candidate_tower" in module for module in params)


def test_a_product_of_vectors_is_that_of_the_angles_and_the_weighted_counts() -> None:
    config = dataclasses.replace(CONFIG, has_counts=True)
    batch, embeddings = example(config)
    params = towers(config).init(jax.random.key(1), batch, embeddings)
    users, _, candidates, _ = towers(config).apply(params, batch, embeddings)
    assert users.shape[-1] == candidates.shape[-1] == config.vector_size == 17
    own = {name: leaves for name, leaves in params.items() if "popularity" not in name}
    angles = MODEL.apply(own, batch._replace(candidate_popularity=None), embeddings)
    weight = np.exp(params["phoenix_retrieval_model"]["counts_log_weight"])
    expected = np.einsum("bd,bcd->bc", angles[0], angles[2])[:2]
    expected += weight * batch.candidate_popularity[:2, :, POPULARITY.index("engagement")]
    actual = np.einsum("bd,bcd->bc", users, candidates)
    np.testing.assert_allclose(actual[:2], expected, rtol=1e-5, atol=1e-5)
    assert not np.any(users[2]), "nothing is known of this user, whom the most popular serves"


def test_retrieval_of_the_model_orders_by_the_same_product() -> None:
    config = dataclasses.replace(CONFIG, has_counts=True)
    batch, embeddings = example(config)
    params = random_params(towers(config).init, batch, embeddings)
    users, _, candidates, _ = towers(config).apply(params, batch, embeddings)
    corpus = candidates.reshape(-1, config.vector_size)

    def retrieve(batch, embeddings):
        return config.make()(batch, embeddings, corpus, 4)

    output = transformed(retrieve).apply(params, batch, embeddings)
    expected = np.sort(np.asarray(users @ corpus.T), axis=1)[:, :-5:-1]
    np.testing.assert_allclose(output.top_k_scores, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tower", ["mlp", "mean"])
def test_facts_of_posts_move_their_vectors_and_no_user(tower) -> None:
    config = dataclasses.replace(
        CONFIG, has_post_age=True, has_candidate_facts=True, candidate_tower=tower
    )
    batch, embeddings = example(config)
    ages = np.full_like(batch.candidate_post_age_minutes, 30)
    batch, older = (batch._replace(candidate_post_age_minutes=each) for each in (ages, ages + 3e3))
    params = towers(config).init(jax.random.key(1), batch, embeddings)
    users, _, posts, _ = towers(config).apply(params, batch, embeddings)
    same_users, _, others, _ = towers(config).apply(params, older, embeddings)
    np.testing.assert_array_equal(users, same_users)
    assert np.all(np.abs(posts - others).max(axis=2) > 1e-4)
    np.testing.assert_allclose(np.linalg.norm(others, axis=2), 1, rtol=1e-5)


def test_facts_are_refused_where_there_are_none() -> None:
    with pytest.raises(ConfigError, match=r"has_candidate_facts.*neither attributes of posts nor"):
        dataclasses.replace(CONFIG, has_candidate_facts=True)
