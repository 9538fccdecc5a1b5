"""Values out of range are refused by name, and a configuration survives JSON."""

import json

import pytest

from phoenix.config import ConfigError
from phoenix.loss_config import RankingLossConfig
from phoenix.optimizer import OptimizerConfig
from phoenix.train_config import ComputeConfig, TrainConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_size", 0),
        ("epochs", 0),
        ("seed", -1),
        ("table_learning_rate", 0.0),
        ("table_half_life", 0.0),
        ("validation_fraction", 1.0),
        ("accumulation_steps", 3),
        ("length_buckets", [0]),
        ("patience", 2),
        ("result", "best"),
        ("result", "epoch_2"),
        ("result", "newest"),
        ("monitor_mode", "up"),
        ("validate_every_steps", 0),
    ],
)
def test_a_field_that_cannot_be_used_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=f"TrainConfig.{field}"):
        TrainConfig(**{field: value})


def test_shards_are_counts():
    with pytest.raises(ConfigError, match=r"ComputeConfig\.num_table_shards"):
        ComputeConfig(num_table_shards=0)


def test_a_configuration_survives_json():
    config = TrainConfig(
        positive_actions=("like",),
        ranking=RankingLossConfig(action_weights={"like": 2.0}, dwell="absolute_error"),
        length_buckets=(2, 4),
        validation_fraction=0.1,
        patience=3,
        result="best",
        optimizer=OptimizerConfig(name="lion", warmup_steps=5, options={"b1": 0.8}),
    )
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_better_is_by_more_than_the_least_change_and_in_the_stated_direction():
    falling = TrainConfig(min_change=0.1)
    assert falling.is_better(1.0, None)
    assert falling.is_better(0.8, 1.0)
    assert not falling.is_better(0.95, 1.0)
    rising = TrainConfig(monitor_mode="max")
    assert rising.is_better(1.1, 1.0)
    assert not rising.is_better(1.0, 1.0)
