"""Values out of range are refused by their path, and a configuration survives JSON."""

import json

import pytest

from phoenix.config import ConfigError
from phoenix.train.config import (
    CheckpointsConfig,
    ComputeConfig,
    InputConfig,
    OptimizerConfig,
    RankerTrainConfig,
    RetrievalTrainConfig,
    TrainConfig,
    ValidationConfig,
    settings_for,
)
from phoenix.train.loss_config import RankingLossConfig


def changed(kind, path, value):
    """The values of a configuration of that kind, all defaults but one."""
    values = kind().to_dict()
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return values


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("batch_size", 0),
        ("batch_size", True),
        ("epochs", 0),
        ("epochs", 1_000_001),
        ("learning_rate", 0.0),
        ("learning_rate", float("inf")),
        ("table_learning_rate", 0.0),
        ("clip_norm", 0),
        ("weight_decay", -1.0),
        ("optimizer.table_half_life", 0.0),
        ("optimizer.accumulation_steps", 3),
        ("optimizer.warmup_steps", -1),
        ("optimizer.schedule", "stepwise"),
        ("optimizer.options", {"b1": "0.9"}),
        ("input.length_buckets", [0]),
        ("validation.fraction", 1.0),
        ("validation.patience", 2),
        ("validation.mode", "up"),
        ("validation.every_steps", 0),
        ("checkpoints.result", "best"),
        ("checkpoints.result", "epoch_2"),
        ("checkpoints.result", "newest"),
        ("checkpoints.every_epoch", 1),
        ("losses.dwell", "huber"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_its_path(path, value):
    field = tuple(path.split("."))
    with pytest.raises(ConfigError, match=rf"^`RankerTrainConfig\.{path}`: expected ") as refused:
        RankerTrainConfig.from_dict(changed(RankerTrainConfig, field, value))
    assert refused.value.field == field


def test_a_seed_is_a_count():
    with pytest.raises(ConfigError, match=r"TrainConfig\.seed"):
        TrainConfig(seed=-1)


def test_a_list_of_posts_cannot_be_cut_into_parts():
    with pytest.raises(ConfigError, match="1 where `objective: next_item` is set") as refused:
        RetrievalTrainConfig(objective="next_item", optimizer=OptimizerConfig(accumulation_steps=2))
    assert refused.value.field == ("optimizer", "accumulation_steps")


def test_shards_are_counts():
    path = ("devices", "num_table_shards")
    with pytest.raises(ConfigError, match=r"ComputeConfig\.devices\.num_table_shards"):
        ComputeConfig.from_dict(changed(ComputeConfig, path, 0))


def test_a_configuration_survives_json():
    config = RankerTrainConfig(
        losses=RankingLossConfig(action_weights={"like": 2.0}, dwell="absolute_error"),
        input=InputConfig(length_buckets=(2, 4)),
        validation=ValidationConfig(fraction=0.1, patience=3),
        checkpoints=CheckpointsConfig(result="best"),
        optimizer=OptimizerConfig(name="lion", warmup_steps=5, options={"b1": 0.8}),
    )
    assert RankerTrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    towers = RetrievalTrainConfig(positive_actions=["like"], objective="next_item")
    assert RetrievalTrainConfig.from_dict(json.loads(json.dumps(towers.to_dict()))) == towers


def test_better_is_by_more_than_the_least_change_and_in_the_stated_direction():
    falling = ValidationConfig(min_change=0.1)
    assert falling.is_better(1.0, None)
    assert falling.is_better(0.8, 1.0)
    assert not falling.is_better(0.95, 1.0)
    rising = ValidationConfig(mode="max")
    assert rising.is_better(1.1, 1.0)
    assert not rising.is_better(1.0, 1.0)


def test_settings_of_another_model_are_refused():
    towers = RetrievalTrainConfig()
    assert settings_for(RetrievalTrainConfig, towers) is towers
    with pytest.raises(ConfigError, match="a RankerTrainConfig for this model, got a Retrieval"):
        settings_for(RankerTrainConfig, towers)
