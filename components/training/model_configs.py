"""The models that a configuration asks for, in the terms of `phoenix`."""

import dataclasses
from typing import Any

from components.settings.config import Config
from components.settings.transformer import ModelConfig
from components.training import trainer_settings
from components.training.trainer_settings import number
from phoenix.grok import TransformerConfig
from phoenix.inputs.config import HashConfig
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig


def ranker(config: Config) -> PhoenixModelConfig:
    """Returns the ranking transformer of a deployment."""
    sizes = config.train_ranker.model
    return PhoenixModelConfig(
        model=_trunk(sizes),
        num_actions=len(config.actions),
        # One continuous head, the dwell time, where there is a loss that trains it.
        num_continuous=int(trainer_settings.ranking_losses(config).dwell != "none"),
        variational_dropout=sizes.variational_dropout,
        has_factorization=number(sizes.factorization),
        has_counts=sizes.reads_counts,
        taste=sizes.taste,
        **_inputs(config, sizes),
    )


def retrieval(config: Config) -> PhoenixRetrievalModelConfig:
    """Returns the two-tower model of a deployment."""
    sizes, inputs = config.train_retrieval.model, _inputs(config, config.train_retrieval.model)
    learns_next_items = trainer_settings.train_config(config, "retrieval").learns_next_items
    has_facts = sizes.reads_post_age or bool(config.attributes.of_side("post"))
    return PhoenixRetrievalModelConfig(
        model=dataclasses.replace(_trunk(sizes), dropout_rate=number(sizes.dropout_rate)),
        **inputs,
        candidate_tower=sizes.candidate_tower,
        user_pooling=sizes.user_pooling,
        similarity=sizes.similarity,
        history_posts=sizes.history_posts,
        has_counts=sizes.reads_counts,
        taste_size=number(sizes.taste_size),
        # Of a sequence nothing is known but its ids.
        has_candidate_facts=sizes.candidate_facts and has_facts and not learns_next_items,
    )


def _trunk(sizes: ModelConfig) -> TransformerConfig:
    """Returns the transformer below the heads, with products scaled by the root of the key size."""
    return TransformerConfig(
        emb_size=number(sizes.emb_size),
        key_size=number(sizes.key_size),
        num_q_heads=sizes.num_heads,
        num_kv_heads=sizes.num_kv_heads or sizes.num_heads,
        num_layers=number(sizes.num_layers),
        widening_factor=sizes.widening_factor,
        attn_output_multiplier=number(sizes.key_size) ** -0.5,
        history_attention=sizes.history_attention,
    )


def _inputs(config: Config, sizes: ModelConfig) -> dict[str, Any]:
    """The options of both models: their inputs, widths and precision."""
    return {
        "emb_size": number(sizes.emb_size),
        "history_seq_len": config.build_features.history_length,
        "candidate_seq_len": config.build_features.num_candidates,
        "hash_config": HashConfig(
            num_user_hashes=config.hashing.num_user_hashes,
            num_item_hashes=config.hashing.num_post_hashes,
            num_author_hashes=config.hashing.num_author_hashes,
        ),
        "product_surface_vocab_size": config.validate_events.num_surfaces,
        "fprop_dtype": sizes.compute_dtype,
        "has_post_age": sizes.reads_post_age,
        "has_dwell": sizes.reads_dwell,
        "attributes": config.attributes.attributes,
    }
