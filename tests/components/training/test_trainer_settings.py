"""What the file says is what the trainer gets, and what that refuses is named as in the file."""

import pytest

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.training import trainer_settings
from phoenix.config import ConfigError
from phoenix.train.config import ComputeConfig, RankerTrainConfig, RetrievalTrainConfig
from tests.components.numbered import numbered


def config_of(**sections) -> Config:
    config = Config.model_validate(
        {
            "store": "memory://training",
            "first_day": "2026-01-01",
            "actions": [
                {"name": "favorite", "is_positive": True},
                {"name": "click"},
                {"name": "report"},
            ],
            "ingest_events": {"source": {"layout": "synthetic"}},
            **sections,
        }
    )
    return numbered(config)


def test_an_empty_section_is_the_defaults_of_the_trainer_but_for_what_follows_the_log() -> None:
    config = config_of(seed=7)
    follows = {"epochs": 8, "batch_size": 32, "learning_rate": 0.003}
    towers = trainer_settings.train_config(config, "retrieval")
    assert towers == RetrievalTrainConfig(
        seed=7, positive_actions=["favorite"], negative_actions=["report"], **follows
    )
    ranker = trainer_settings.train_config(config, "ranker")
    assert isinstance(ranker, RankerTrainConfig)
    losses = trainer_settings.ranking_losses(config)
    assert ranker == RankerTrainConfig(seed=7, losses=losses, **follows)
    for role in ("ranker", "retrieval"):
        assert trainer_settings.compute_config(config, role) == ComputeConfig()


def test_settings_reach_the_trainer_under_the_names_of_the_file() -> None:
    section = {
        "learning_rate": 0.5,
        "optimizer": {"name": "lion", "options": {"b1": 0.8}},
        "input": {"length_buckets": [2, 4], "prefetch": 7},
        "devices": {"num_data_shards": 3},
    }
    config = config_of(train_ranker=section)
    ranker = trainer_settings.train_config(config, "ranker").to_dict()
    assert ranker["learning_rate"] == 0.5
    assert ranker["optimizer"].items() >= section["optimizer"].items()
    assert ranker["input"] == {"shuffle_windows": 65_536, "length_buckets": [2, 4]}
    compute = trainer_settings.compute_config(config, "ranker")
    assert (compute.input.prefetch, compute.devices.num_data_shards) == (7, 3)


def test_settings_that_do_not_fit_each_other_are_named_by_their_path() -> None:
    config = config_of(train_ranker={"validation": {"patience": 2}})
    with (
        pytest.raises(BadConfigurationError) as refused,
        trainer_settings.in_the_words_of_the_file("ranker"),
    ):
        trainer_settings.train_config(config, "ranker")
    assert str(refused.value) == (
        "`train_ranker`: `validation.patience`: expected None where `validation.fraction` is 0: "
        "there is nothing to be patient about, got 2."
    )


def test_a_field_that_no_setting_fills_keeps_its_name() -> None:
    with (
        pytest.raises(
            BadConfigurationError, match=r"`train_ranker`: `TransformerConfig\.key_size`"
        ),
        trainer_settings.in_the_words_of_the_file("ranker"),
    ):
        raise ConfigError("`TransformerConfig.key_size`: expected an even number, got 3.")
