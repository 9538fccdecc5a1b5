"""The fields that both configurations share: declared once, in the public order."""

import dataclasses

import pytest

from phoenix.inputs.config import GATED_FEATURES, HashConfig, InputConfig
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from tests.phoenix.model_inputs import ATTRIBUTES, ranker, trunk

CONFIGS = (PhoenixModelConfig, PhoenixRetrievalModelConfig)
SHARED = [field.name for field in dataclasses.fields(InputConfig)]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_shared_field_is_declared_by_no_model(config: type[InputConfig]) -> None:
    fields = [field.name for field in dataclasses.fields(config)]
    assert [name for name in fields if name in SHARED] == SHARED
    assert not set(SHARED) & vars(config).get("__annotations__", {}).keys()


def test_the_number_of_actions_comes_third_as_in_the_public_ranker() -> None:
    fields = [field.name for field in dataclasses.fields(PhoenixModelConfig)]
    assert fields[:4] == ["model", "emb_size", "num_actions", "history_seq_len"]


def test_state_is_no_part_of_a_configuration() -> None:
    for config in (ranker(), PhoenixRetrievalModelConfig(trunk(), 16)):
        initialized = dataclasses.replace(config).initialize()
        assert initialized == config
        assert hash(initialized) == hash(config)
        assert "_initialized" not in config.to_dict()


def test_hashes_are_two_each_unless_given() -> None:
    assert ranker().hashes == HashConfig(2, 2, 2)
    assert ranker(hash_config=HashConfig(1, 2, 3)).hashes == HashConfig(1, 2, 3)


def test_attributes_go_to_the_token_of_their_side() -> None:
    config = ranker(attributes=ATTRIBUTES)
    assert [each.name for each in config.user_attributes] == ["degree", "register"]
    assert [each.name for each in config.post_attributes] == ["tags", "music", "hour"]


def test_only_a_ranker_that_learns_their_worth_gates_features() -> None:
    assert PhoenixRetrievalModelConfig(trunk(), 16).gated_features == ()
    assert ranker().gated_features == ()
    assert ranker(variational_dropout=0.1).gated_features == GATED_FEATURES
