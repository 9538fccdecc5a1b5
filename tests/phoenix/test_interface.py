"""The public interface of the Phoenix models: names, fields, parameters, order and defaults.

Whoever wrote against the public modules finds here what they used. What is ours comes after it and
has a default.
"""

import dataclasses
import importlib
import inspect

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.inputs.config import HashConfig
from phoenix.recsys_retrieval_model import CandidateTower, PhoenixRetrievalModelConfig
from tests.phoenix.model_inputs import ATTRIBUTES, example, ranker, transformed, trunk

NEEDED = inspect.Parameter.empty
HASHES = {"num_user_hashes": 2, "num_item_hashes": 2, "num_author_hashes": 2}
# The public default is bfloat16, which is slow on a CPU; `.public` keeps it.
MODEL = {
    "history_seq_len": 128,
    "candidate_seq_len": 32,
    "name": None,
    "fprop_dtype": jnp.float32,
    "hash_config": None,
    "product_surface_vocab_size": 16,
}


def needed(*names: str) -> dict:
    return dict.fromkeys(names, NEEDED)


CONFIG = needed("model", "emb_size")
RANKER = {**CONFIG, **needed("num_actions"), **MODEL}
BATCH = needed(
    "user_hashes",
    "history_post_hashes",
    "history_author_hashes",
    "history_actions",
    "history_product_surface",
    "candidate_post_hashes",
    "candidate_author_hashes",
    "candidate_product_surface",
)
EMBEDDINGS = needed(
    "user_embeddings",
    "history_post_embeddings",
    "candidate_post_embeddings",
    "history_author_embeddings",
    "candidate_author_embeddings",
)
INPUTS = needed("batch", "recsys_embeddings")
ACTIONS = [
    "favorite_score",
    "reply_score",
    "repost_score",
    "photo_expand_score",
    "click_score",
    "profile_click_score",
    "vqv_score",
    "share_score",
    "share_via_dm_score",
    "share_via_copy_link_score",
    "dwell_score",
    "quote_score",
    "quoted_click_score",
    "follow_author_score",
    "not_interested_score",
    "block_author_score",
    "mute_author_score",
    "report_score",
    "dwell_time",
]
RUNNER = {**needed("model"), "bs_per_device": 2.0, "rng_seed": 42}
SIZES = needed("hash_config", "history_len", "num_candidates", "num_actions")
CALLS = {
    "grok.TrainingState": needed("params"),
    "grok.TransformerConfig": {
        **needed("emb_size", "key_size", "num_q_heads", "num_kv_heads", "num_layers"),
        "widening_factor": 4.0,
        "attn_output_multiplier": 1.0,
        "name": None,
    },
    "grok.TransformerConfig.make": {},
    "grok.ffn_size": needed("emb_size", "widening_factor"),
    "grok.make_recsys_attn_mask": {
        **needed("seq_len", "candidate_start_offset"),
        "dtype": jnp.float32,
    },
    "grok.Transformer.__call__": {
        **needed("embeddings", "mask"),
        "candidate_start_offset": None,
    },
    "grok.hk_rms_norm": {**needed("x"), "fixed_scale": False},
    "grok.layer_norm": needed("x"),
    "grok.MultiHeadAttention": {
        **needed("num_q_heads", "num_kv_heads", "key_size"),
        "with_bias": True,
        "value_size": None,
        "model_size": None,
        "attn_output_multiplier": 1.0,
        "name": None,
    },
    "grok.MultiHeadAttention.__call__": needed("query", "key", "value", "mask"),
    "grok.RotaryEmbedding": {**needed("dim"), "base_exponent": 10_000},
    "grok.DecoderLayer": {},
    "grok.DenseBlock": {},
    "grok.Linear": {},
    "grok.RMSNorm": {},
    "recsys_model.HashConfig": HASHES,
    "recsys_model.RecsysBatch": BATCH,
    "recsys_model.RecsysEmbeddings": EMBEDDINGS,
    "recsys_model.RecsysModelOutput": needed("logits"),
    "recsys_model.PhoenixModelConfig": RANKER,
    "recsys_model.PhoenixModelConfig.public": {**RANKER, "fprop_dtype": jnp.bfloat16},
    "recsys_model.PhoenixModelConfig.initialize": {},
    "recsys_model.PhoenixModelConfig.make": {},
    "recsys_model.PhoenixModel.__call__": INPUTS,
    "recsys_model.PhoenixModel.build_inputs": INPUTS,
    "recsys_model.block_user_reduce": {
        **needed("user_hashes", "user_embeddings", "num_user_hashes", "emb_size"),
        "embed_init_scale": 1.0,
    },
    "recsys_model.block_history_reduce": {
        **needed(
            "history_post_hashes",
            "history_post_embeddings",
            "history_author_embeddings",
            "history_product_surface_embeddings",
            "history_actions_embeddings",
            "num_item_hashes",
            "num_author_hashes",
        ),
        "embed_init_scale": 1.0,
    },
    "recsys_model.block_candidate_reduce": {
        **needed(
            "candidate_post_hashes",
            "candidate_post_embeddings",
            "candidate_author_embeddings",
            "candidate_product_surface_embeddings",
            "num_item_hashes",
            "num_author_hashes",
        ),
        "embed_init_scale": 1.0,
    },
    "recsys_retrieval_model.PhoenixRetrievalModelConfig": {
        **CONFIG,
        **MODEL,
        "_initialized": False,
    },
    "recsys_retrieval_model.PhoenixRetrievalModelConfig.public": {
        **CONFIG,
        **MODEL,
        "fprop_dtype": jnp.bfloat16,
    },
    "recsys_retrieval_model.PhoenixRetrievalModelConfig.initialize": {},
    "recsys_retrieval_model.PhoenixRetrievalModelConfig.make": {},
    "recsys_retrieval_model.RetrievalOutput": needed(
        "user_representation", "top_k_indices", "top_k_scores"
    ),
    "recsys_retrieval_model.CandidateTower": needed("emb_size"),
    "recsys_retrieval_model.PhoenixRetrievalModel.__call__": {
        **INPUTS,
        **needed("corpus_embeddings", "top_k"),
        "corpus_mask": None,
    },
    "recsys_retrieval_model.PhoenixRetrievalModel.build_user_representation": INPUTS,
    "recsys_retrieval_model.PhoenixRetrievalModel.build_candidate_representation": INPUTS,
    "runners.RankingOutput": needed(
        "scores", "ranked_indices", *(f"p_{action}" for action in ACTIONS)
    ),
    "runners.RetrievalOutput": needed("user_representation", "top_k_indices", "top_k_scores"),
    "runners.create_dummy_batch_from_config": {**SIZES, "batch_size": 1},
    "runners.create_dummy_embeddings_from_config": {
        **needed("hash_config", "emb_size", "history_len", "num_candidates"),
        "batch_size": 1,
    },
    "runners.create_example_batch": {
        **needed("batch_size", "emb_size", "history_len", "num_candidates", "num_actions"),
        **HASHES,
        "product_surface_vocab_size": 16,
        "num_user_embeddings": 100_000,
        "num_post_embeddings": 100_000,
        "num_author_embeddings": 100_000,
    },
    "runners.create_example_corpus": {**needed("corpus_size", "emb_size"), "seed": 123},
    "runners.BaseModelRunner": {"bs_per_device": 2.0, "rng_seed": 42},
    "runners.BaseModelRunner.initialize": {},
    "runners.BaseModelRunner.make_forward_fn": {},
    "runners.BaseInferenceRunner": needed("name"),
    "runners.BaseInferenceRunner.create_dummy_batch": {"batch_size": 1},
    "runners.BaseInferenceRunner.create_dummy_embeddings": {"batch_size": 1},
    "runners.ModelRunner": RUNNER,
    "runners.ModelRunner.init": needed("rng", "data", "embeddings"),
    "runners.ModelRunner.load_or_init": needed("init_data", "init_embeddings"),
    "runners.RetrievalModelRunner": RUNNER,
    "runners.RetrievalModelRunner.init": needed(
        "rng", "data", "embeddings", "corpus_embeddings", "top_k"
    ),
    "runners.RetrievalModelRunner.load_or_init": needed(
        "init_data", "init_embeddings", "corpus_embeddings", "top_k"
    ),
    "runners.RecsysInferenceRunner": needed("runner", "name"),
    "runners.RecsysInferenceRunner.initialize": {},
    "runners.RecsysInferenceRunner.rank": INPUTS,
    "runners.RecsysRetrievalInferenceRunner": needed("runner", "name"),
    "runners.RecsysRetrievalInferenceRunner.initialize": {},
    "runners.RecsysRetrievalInferenceRunner.encode_user": INPUTS,
    "runners.RecsysRetrievalInferenceRunner.encode_candidates": INPUTS,
    "runners.RecsysRetrievalInferenceRunner.set_corpus": needed(
        "corpus_embeddings", "corpus_post_ids"
    ),
    "runners.RecsysRetrievalInferenceRunner.retrieve": {
        **INPUTS,
        "top_k": 100,
        "corpus_embeddings": None,
    },
    "run_ranker.main": {},
    "run_retrieval.main": {},
}


@pytest.mark.parametrize("name", CALLS)
def test_public_parameters_come_first_with_their_defaults(name: str) -> None:
    module, *path = name.split(".")
    thing = importlib.import_module(f"phoenix.{module}")
    for part in path:
        thing = getattr(thing, part)
    parameters = dict(inspect.signature(thing).parameters)
    parameters.pop("self", None)
    for parameter, default in CALLS[name].items():
        assert parameters[parameter].default is default or parameters[parameter].default == default
    positional = [each.name for each in parameters.values() if each.kind != each.KEYWORD_ONLY]
    public = [parameter for parameter in CALLS[name] if parameter in positional]
    assert positional[: len(public)] == public
    for ours in parameters.keys() - CALLS[name].keys():
        if CALLS[name]:
            assert parameters[ours].default is not NEEDED, ours


def test_constants_are_the_public_ones() -> None:
    from phoenix import recsys_retrieval_model, runners

    assert runners.ACTIONS == ACTIONS
    assert (recsys_retrieval_model.EPS, recsys_retrieval_model.INF) == (1e-12, 1e12)


def test_a_configuration_knows_whether_it_was_initialized() -> None:
    for config in (ranker(), PhoenixRetrievalModelConfig(trunk(), 16)):
        assert not config._initialized
        assert config.initialize() is config
        assert config._initialized


SMALL = trunk(num_layers=1)
RANKER_CONFIG = ranker(
    model=SMALL, has_post_age=True, has_dwell=True, num_continuous=1, attributes=ATTRIBUTES
)
RETRIEVAL_CONFIG = PhoenixRetrievalModelConfig(
    SMALL, 16, product_surface_vocab_size=4, hash_config=HashConfig(2, 2, 2)
)
VECTORS = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32)
ENTRY_POINTS = {
    "rank": lambda b, e: RANKER_CONFIG.make()(b, e),
    "build_inputs": lambda b, e: RANKER_CONFIG.make().build_inputs(b, e)[0],
    "encode_context": lambda b, e: RANKER_CONFIG.make().encode_context(b, e).layers,
    "retrieve": lambda b, e: RETRIEVAL_CONFIG.make()(b, e, VECTORS, 3).top_k_scores,
    "user_tower": lambda b, e: RETRIEVAL_CONFIG.make().build_user_representation(b, e),
    "post_tower": lambda b, e: RETRIEVAL_CONFIG.make().build_candidate_representation(b, e)[0],
    "candidate_tower": lambda b, e: CandidateTower(16)(e.candidate_post_embeddings),
}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_entry_point_can_be_jitted_and_differentiated(name: str) -> None:
    batch, embeddings = example(RANKER_CONFIG)
    pure = hk.without_apply_rng(hk.transform(ENTRY_POINTS[name]))
    params = jax.jit(pure.init)(jax.random.key(0), batch, embeddings)

    def total(params: dict, embeddings: object) -> jax.Array:
        outputs = transformed(ENTRY_POINTS[name]).apply(params, batch, embeddings)
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(outputs))

    by_params, by_rows = jax.grad(total, argnums=(0, 1))(params, embeddings)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((by_params, by_rows)))
    assert any(np.any(leaf) for leaf in jax.tree.leaves(by_rows))
    for module, weights in by_params.items():
        for weight, gradient in weights.items():
            assert np.any(gradient), f"{module}/{weight}"
    assert jax.tree.structure(by_rows) == jax.tree.structure(embeddings)
    assert dataclasses.is_dataclass(by_rows)
