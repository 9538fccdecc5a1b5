"""Configurations check themselves and survive a trip through JSON."""

import dataclasses
import json

import jax.numpy as jnp
import pytest

from phoenix.config import ConfigError
from phoenix.inputs.config import HashConfig
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from tests.phoenix.model_inputs import ATTRIBUTES, ranker, trunk

CONFIGS = [
    trunk(init="public", history_attention="full", candidate_positions="slot"),
    ranker(attributes=ATTRIBUTES),
    ranker(fprop_dtype="bfloat16", hash_config=HashConfig(1, 3, 2), num_continuous=2),
    PhoenixModelConfig.public(trunk(), 16, 3),
    PhoenixRetrievalModelConfig(trunk(), 16, candidate_tower="mean", user_pooling="last"),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_a_config_survives_json(config: PhoenixModelConfig) -> None:
    read = type(config).from_dict(json.loads(json.dumps(config.to_dict())))
    assert read == config
    assert read.to_dict() == config.to_dict()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_unknown_and_missing_fields_are_refused_by_name(config: PhoenixModelConfig) -> None:
    values = config.to_dict()
    with pytest.raises(ConfigError, match="rope_kind"):
        type(config).from_dict({**values, "rope_kind": "new"})
    values.pop("emb_size")
    with pytest.raises(ConfigError, match="emb_size"):
        type(config).from_dict(values)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("emb_size", 8),
        ("num_actions", 0),
        ("fprop_dtype", "int32"),
        ("output_dtype", "float33"),
        ("num_continuous", -1),
        ("model", "small"),
        ("hash_config", 2),
        ("has_dwell", "no"),
        ("has_post_age", 1),
        ("attributes", "age"),
        ("attributes", ("age",)),
    ],
)
def test_a_wrong_ranker_names_the_field(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"PhoenixModelConfig.{field}"):
        ranker(**{field: value})


def test_configs_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ranker().num_actions = 4


def test_public_takes_the_public_fields_in_their_order_with_their_defaults() -> None:
    hashes = HashConfig(1, 1, 1)
    config = PhoenixModelConfig.public(trunk(), 16, 3, 9, 8, "x", jnp.float32, hashes, 7)
    assert config == ranker(
        model=trunk().public(),
        history_seq_len=9,
        candidate_seq_len=8,
        name="x",
        hash_config=hashes,
        product_surface_vocab_size=7,
        output_dtype=None,
    )
    assert PhoenixModelConfig.public(trunk(), 16, 3).fprop_dtype == jnp.bfloat16
    assert PhoenixRetrievalModelConfig.public(trunk(), 16).fprop_dtype == jnp.bfloat16
