"""The ranker: parity with the public model and with its definition, and its promises."""

import dataclasses
import functools
import itertools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings

from phoenix.data.engagement.rates import LEVELS
from phoenix.inputs.config import HashConfig
from phoenix.inputs.slates import candidate_block
from phoenix.recsys_model import PhoenixModelConfig
from tests.phoenix import reference_model
from tests.phoenix.golden_case import GoldenCase
from tests.phoenix.model_inputs import (
    ATTRIBUTES,
    example,
    random_params,
    ranker,
    ranker_forward,
    transformed,
    trunk,
    with_candidates,
    with_users,
)

CONFIG = ranker(has_post_age=True, has_dwell=True, attributes=ATTRIBUTES, has_factorization=True)
MODEL = ranker_forward(CONFIG)
BATCH, EMBEDDINGS = example(CONFIG)
PARAMS = random_params(MODEL.init, BATCH, EMBEDDINGS)
LOGITS = np.asarray(MODEL.apply(PARAMS, BATCH, EMBEDDINGS).logits)
PROMISE = settings(deadline=None, max_examples=10)


def golden_config(golden: GoldenCase, dtype: str) -> PhoenixModelConfig:
    sizes = golden.sizes
    return PhoenixModelConfig.public(
        golden.trunk(),
        sizes["D"],
        sizes["A"],
        sizes["S"],
        sizes["C"],
        fprop_dtype=dtype,
        hash_config=golden.hash_config(),
        product_surface_vocab_size=sizes["ps"],
    )


@pytest.mark.parametrize(
    ("dtype", "record", "tolerance"), [("float32", "f32", 1e-5), ("bfloat16", "bf16", 0.1)]
)
def test_logits_equal_those_of_the_public_model(
    golden: GoldenCase, dtype: str, record: str, tolerance: float
) -> None:
    model = ranker_forward(golden_config(golden, dtype))
    output = model.apply(golden.params("rank.param|"), golden.batch, golden.embeddings)
    assert output.logits.dtype == jnp.dtype(dtype)
    expected = golden.arrays[f"rank.logits.{record}"]
    np.testing.assert_allclose(output.logits.astype(jnp.float32), expected, atol=tolerance)


def test_parameter_names_and_shapes_are_those_of_the_public_checkpoint(
    golden: GoldenCase,
) -> None:
    model = ranker_forward(golden_config(golden, "float32"))
    shapes = jax.eval_shape(model.init, jax.random.key(0), golden.batch, golden.embeddings)
    expected = jax.tree.map(np.shape, golden.params("rank.param|"))
    assert jax.tree.map(np.shape, dict(shapes)) == expected


def test_reference_equals_the_public_model(golden: GoldenCase) -> None:
    logits = reference_model.ranker_logits(
        golden.params("rank.param|"),
        golden_config(golden, "float32"),
        golden.batch,
        golden.embeddings,
    )
    np.testing.assert_allclose(logits, golden.arrays["rank.logits.f32"], atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        ranker(model=trunk(num_q_heads=3, num_kv_heads=1, candidate_positions="slot")),
        ranker(model=trunk(num_kv_heads=4, history_attention="full", num_layers=1)),
        ranker(
            model=trunk(emb_size=10, key_size=6, num_layers=3, attn_output_multiplier=2.5),
            emb_size=10,
            num_actions=7,
            hash_config=HashConfig(1, 3, 4),
            product_surface_vocab_size=2,
        ),
    ],
    ids=["gqa", "mqa_slot", "mha_full", "odd_sizes"],
)
def test_logits_equal_their_definition(config: PhoenixModelConfig) -> None:
    batch, embeddings = example(config, num_actions=config.num_actions)
    model = ranker_forward(config)
    params = random_params(model.init, batch, embeddings)
    expected = reference_model.ranker_logits(params, config, batch, embeddings)
    np.testing.assert_allclose(
        model.apply(params, batch, embeddings).logits, expected, atol=2e-5, rtol=1e-4
    )


@st.composite
def configurations(draw: st.DrawFn) -> PhoenixModelConfig:
    """Any small ranker: sizes, heads, hashes, vocabularies and options."""
    num_kv_heads, emb_size = draw(st.integers(1, 3)), draw(st.integers(1, 20))
    model = trunk(
        emb_size=emb_size,
        key_size=2 * draw(st.integers(1, 4)),
        num_kv_heads=num_kv_heads,
        num_q_heads=num_kv_heads * draw(st.integers(1, 3)),
        num_layers=draw(st.integers(1, 3)),
        widening_factor=draw(st.floats(0.5, 4)),
        history_attention=draw(st.sampled_from(["causal", "full"])),
        candidate_positions=draw(st.sampled_from(["shared", "slot"])),
    )
    return ranker(
        model=model,
        emb_size=emb_size,
        num_actions=draw(st.integers(1, 20)),
        hash_config=HashConfig(*(draw(st.integers(1, 4)) for _ in range(3))),
        product_surface_vocab_size=draw(st.integers(1, 20)),
        has_post_age=draw(st.booleans()),
        has_dwell=draw(st.booleans()),
        attributes=tuple(draw(st.lists(st.sampled_from(ATTRIBUTES), unique=True))),
        has_factorization=draw(st.booleans()),
    )


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(config=configurations(), history=st.integers(1, 9), candidates=st.integers(1, 9))
def test_any_configuration_equals_its_definition(
    config: PhoenixModelConfig, history: int, candidates: int
) -> None:
    batch, embeddings = example(
        config, history=history, candidates=candidates, num_actions=config.num_actions
    )
    beyond = batch.candidate_product_surface - 1  # -1 is outside of the vocabulary
    batch = batch._replace(candidate_product_surface=beyond)
    model = ranker_forward(config)
    params = random_params(model.init, batch, embeddings)
    expected = reference_model.ranker_logits(params, config, batch, embeddings)
    logits = model.apply(params, batch, embeddings).logits
    # What the definition gives for padding is as meaningless as what the model gives.
    valid = batch.candidate_post_hashes[..., 0] != 0
    np.testing.assert_allclose(logits[valid], expected[valid], atol=1e-4, rtol=1e-3)


@PROMISE
@given(kept=st.integers(0, 4), seed=st.integers(0, 999))
def test_a_score_does_not_depend_on_the_other_candidates(kept: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    others = np.arange(5) != kept
    posts = EMBEDDINGS.candidate_post_embeddings.copy()
    posts[:, others] = generator.choice([np.nan, 1e30, -3.0], posts[:, others].shape)
    attributes = BATCH.candidate_attributes.copy()
    attributes[:, others] = generator.integers(0, 4, attributes[:, others].shape)
    hashes = BATCH.candidate_post_hashes.copy()
    hashes[:, others] = generator.integers(0, 2, hashes[:, others].shape)
    changed = MODEL.apply(
        PARAMS,
        BATCH._replace(candidate_post_hashes=hashes, candidate_attributes=attributes),
        dataclasses.replace(EMBEDDINGS, candidate_post_embeddings=posts),
    )
    np.testing.assert_array_equal(changed.logits[:, kept], LOGITS[:, kept])


@PROMISE
@given(seed=st.integers(0, 999), value=st.sampled_from([np.nan, np.inf, 1e30, 5.0]))
def test_the_content_of_padded_history_changes_nothing(seed: int, value: float) -> None:
    generator = np.random.default_rng(seed)
    padded = BATCH.history_post_hashes[:, :, 0] == 0
    posts = EMBEDDINGS.history_post_embeddings.copy()
    posts[padded] = value
    actions = BATCH.history_actions.copy()
    actions[padded] = generator.integers(0, 2, actions[padded].shape)
    users = EMBEDDINGS.user_embeddings.copy()
    users[1:] = value
    attributes = BATCH.history_attributes.copy()
    attributes[padded] = generator.integers(0, 4, attributes[padded].shape)
    changed = MODEL.apply(
        PARAMS,
        BATCH._replace(history_actions=actions, history_attributes=attributes),
        dataclasses.replace(EMBEDDINGS, history_post_embeddings=posts, user_embeddings=users),
    )
    np.testing.assert_array_equal(changed.logits, LOGITS)


def test_more_padding_after_the_history_changes_nothing() -> None:
    def longer(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.zeros_like(array[:, :2])], axis=1)

    batch = BATCH._replace(
        **{k: longer(v) for k, v in BATCH._asdict().items() if k.startswith("history")}
    )
    rows = {k: longer(v) for k, v in vars(EMBEDDINGS).items() if k.startswith("history")}
    output = MODEL.apply(PARAMS, batch, dataclasses.replace(EMBEDDINGS, **rows))
    np.testing.assert_allclose(output.logits, LOGITS, atol=1e-5)


@PROMISE
@given(order=st.permutations(range(5)))
def test_a_score_does_not_depend_on_the_slot(order: list[int]) -> None:
    permuted = MODEL.apply(PARAMS, *with_candidates(BATCH, EMBEDDINGS, order))
    np.testing.assert_allclose(permuted.logits, LOGITS[:, order], atol=1e-6)


def test_with_slot_positions_a_score_depends_on_the_slot() -> None:
    config = dataclasses.replace(CONFIG, model=trunk(candidate_positions="slot"))
    model = ranker_forward(config)
    order = [4, 3, 2, 1, 0]
    permuted = model.apply(PARAMS, *with_candidates(BATCH, EMBEDDINGS, order))
    plain = model.apply(PARAMS, BATCH, EMBEDDINGS)
    assert np.abs(permuted.logits - plain.logits[:, np.array(order)])[0].max() > 1e-3


@PROMISE
@given(order=st.permutations(range(3)))
def test_users_do_not_depend_on_each_other(order: list[int]) -> None:
    permuted = MODEL.apply(PARAMS, *with_users(BATCH, EMBEDDINGS, np.array(order)))
    np.testing.assert_allclose(permuted.logits, LOGITS[np.array(order)], atol=1e-6)


@functools.cache
def in_two_parts(config: PhoenixModelConfig) -> tuple:
    """`encode_context` and `score_candidates` of the ranker as pure functions."""
    return (
        transformed(lambda b, e: config.make().encode_context(b, e)),
        transformed(lambda c, b, e, s: config.make().score_candidates(c, b, e, s)),
    )


@settings(deadline=None, max_examples=6)
@given(
    cuts=st.sets(st.integers(1, 4), max_size=3).map(sorted),
    positions=st.sampled_from(["shared", "slot"]),
)
def test_scores_in_blocks_equal_the_plain_forward(cuts: list[int], positions: str) -> None:
    config = dataclasses.replace(CONFIG, model=trunk(candidate_positions=positions))
    context, score = in_two_parts(config)
    known = context.apply(PARAMS, BATCH, EMBEDDINGS)
    edges, inputs = [0, *cuts, 5], (BATCH, EMBEDDINGS)
    blocks = [
        score.apply(
            PARAMS, known, *(candidate_block(part, slice(a, b)) for part in inputs), a
        ).logits
        for a, b in itertools.pairwise(edges)
    ]
    whole = ranker_forward(config).apply(PARAMS, BATCH, EMBEDDINGS).logits
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole, atol=1e-5)


def test_build_inputs_joins_user_history_and_candidates() -> None:
    model = transformed(lambda b, e: CONFIG.make().build_inputs(b, e))
    tokens, mask, start = model.apply(PARAMS, BATCH, EMBEDDINGS)
    assert tokens.shape == (3, 1 + 6 + 5, 16)
    assert start == 7
    expected = [
        BATCH.user_hashes[:, :1] != 0,
        BATCH.history_post_hashes[:, :, 0] != 0,
        BATCH.candidate_post_hashes[:, :, 0] != 0,
    ]
    np.testing.assert_array_equal(mask, np.concatenate(expected, axis=1))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_logits_are_float32_by_default_and_close_in_bfloat16(dtype: str) -> None:
    model = ranker_forward(dataclasses.replace(CONFIG, fprop_dtype=dtype))
    output = model.apply(PARAMS, BATCH, EMBEDDINGS)
    assert output.logits.dtype == jnp.float32
    np.testing.assert_allclose(output.logits, LOGITS, atol=1e-6 if dtype == "float32" else 0.15)


def test_continuous_heads_predict_fractions_beside_the_same_logits() -> None:
    model = ranker_forward(dataclasses.replace(CONFIG, num_continuous=2))
    params = random_params(model.init, BATCH, EMBEDDINGS)
    output = model.apply(params, BATCH, EMBEDDINGS)
    assert output.continuous.shape == (3, 5, 2)
    assert np.all((output.continuous > 0) & (output.continuous < 1))
    assert MODEL.apply(PARAMS, BATCH, EMBEDDINGS).continuous is None


def test_every_entry_point_can_be_differentiated_to_the_table_rows() -> None:
    def loss(embeddings: object) -> jax.Array:
        return jnp.mean(MODEL.apply(PARAMS, BATCH, embeddings).logits[:, :4] ** 2)

    gradients = jax.grad(loss)(EMBEDDINGS)
    assert type(gradients) is type(EMBEDDINGS)
    for name, gradient in vars(gradients).items():
        assert np.all(np.isfinite(gradient)), name
        assert np.any(gradient[0]), name


def trained(config: PhoenixModelConfig) -> tuple[dict, dict, list[float]]:
    """Initial and final parameters and the losses of 50 steps on fixed random labels."""
    model = ranker_forward(config)
    batch, embeddings = example(config)
    labels = np.random.default_rng(1).integers(0, 2, (3, 5, 3)).astype(np.float32)
    optimizer = optax.adam(1e-2)

    def loss(params: dict) -> jax.Array:
        logits = model.apply(params, batch, embeddings).logits.astype(jnp.float32)
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, labels))

    @jax.jit
    def step(params: dict, state: object) -> tuple:
        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(params, updates), state, value

    first = params = model.init(jax.random.key(0), batch, embeddings)
    state, losses = optimizer.init(params), []
    for _ in range(50):
        params, state, value = step(params, state)
        losses.append(float(value))
    return first, params, losses


def test_fifty_steps_move_every_weight_and_lower_the_loss() -> None:
    first, last, losses = trained(ranker(has_factorization=True))
    for module, weights in first.items():
        for name, before in weights.items():
            assert np.any(before != last[module][name]), f"{module}/{name} did not move"
    assert losses[-1] < 0.2 * losses[0]


def test_public_initial_values_never_move_the_trunk() -> None:
    config = ranker()
    public = dataclasses.replace(config, model=config.model.public())
    first, last, losses = trained(public)
    for module, weights in last.items():
        if module.startswith("transformer/"):
            assert not any(np.any(weight) for weight in weights.values()), module
    assert losses[-1] < losses[0]
    assert not np.any(first["phoenix_model/rms_norm"]["scale"])


COUNTING = ranker(has_counts=True, has_factorization=True)
COUNTING_MODEL = ranker_forward(COUNTING)
COUNTED, COUNTED_EMBEDDINGS = example(COUNTING)


def test_a_ranker_that_reads_counts_starts_as_the_smoothed_baseline() -> None:
    params = COUNTING_MODEL.init(jax.random.key(3), COUNTED, COUNTED_EMBEDDINGS)
    logits = COUNTING_MODEL.apply(params, COUNTED, COUNTED_EMBEDDINGS).logits
    baseline = COUNTED.candidate_log_odds[:, :, LEVELS.index("post")]
    np.testing.assert_allclose(logits, baseline, rtol=1e-5, atol=1e-5)


def test_counts_of_a_candidate_reach_no_other_and_padding_nothing() -> None:
    params = random_params(COUNTING_MODEL.init, COUNTED, COUNTED_EMBEDDINGS)
    logits = np.asarray(COUNTING_MODEL.apply(params, COUNTED, COUNTED_EMBEDDINGS).logits)
    odds = COUNTED.candidate_log_odds.copy()
    odds[:, 1] += 1
    changed = COUNTED._replace(candidate_log_odds=odds)
    others = np.asarray(COUNTING_MODEL.apply(params, changed, COUNTED_EMBEDDINGS).logits)
    is_same = np.isclose(logits, others, atol=1e-5).all(axis=(0, 2))
    assert is_same.tolist() == [place != 1 for place in range(logits.shape[1])]
    inputs = with_candidates(COUNTED, COUNTED_EMBEDDINGS, [2, 0])
    alone = COUNTING_MODEL.apply(params, *inputs).logits
    np.testing.assert_allclose(alone, logits[:, [2, 0]], atol=1e-4)


def test_less_taste_moves_logits_less() -> None:
    params = random_params(COUNTING_MODEL.init, COUNTED, COUNTED_EMBEDDINGS)
    by_taste = {}
    for taste in (0.0, 0.5, 1.0):
        model = ranker_forward(dataclasses.replace(COUNTING, taste=taste))
        by_taste[taste] = np.asarray(model.apply(params, COUNTED, COUNTED_EMBEDDINGS).logits)
    mean = (by_taste[0.0] + by_taste[1.0]) / 2
    np.testing.assert_allclose(by_taste[0.5], mean, atol=1e-4)
    assert not np.allclose(by_taste[0.0], by_taste[1.0], atol=0.1)


def test_without_taste_nothing_of_the_trunk_reaches_the_logits() -> None:
    params = random_params(COUNTING_MODEL.init, COUNTED, COUNTED_EMBEDDINGS)
    model = ranker_forward(dataclasses.replace(COUNTING, taste=0.0))
    logits = model.apply(params, COUNTED, COUNTED_EMBEDDINGS).logits
    ruined = {
        name: leaves
        if any("evidence" in leaf for leaf in (name, *leaves))
        else jax.tree.map(lambda leaf: leaf * np.nan, leaves)
        for name, leaves in params.items()
    }
    again = model.apply(ruined, COUNTED, COUNTED_EMBEDDINGS).logits
    np.testing.assert_array_equal(again, logits)
