"""The settings of a training, in the terms of the trainer and refused in those of the file.

The trainer is what judges them. `check` asks it before any data is read, so that `phoenix doctor`
says today what would fail tonight.
"""

import operator
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.training import RetrievalTrainingConfig, TrainingConfig

if TYPE_CHECKING:
    from phoenix.loss_config import RankingLossConfig
    from phoenix.next_item import NextItemConfig
    from phoenix.train_config import ComputeConfig, TrainConfig

# Where the fields of the trainer stand in a section: class -> field -> place.
_PLACES: Mapping[str, Mapping[str, str]] = {
    "TrainConfig": {
        "batch_size": "batch_size",
        "epochs": "epochs",
        "shuffle_windows": "input.shuffle_windows",
        "length_buckets": "input.length_buckets",
        "validation_fraction": "validation.fraction",
        "table_learning_rate": "table_learning_rate",
        "table_half_life": "optimizer.table_half_life",
        "accumulation_steps": "optimizer.accumulation_steps",
        "max_skipped_steps": "max_skipped_steps",
        "recency_half_life_days": "recency_half_life_days",
        "validate_every_epochs": "validation.every_epochs",
        "validate_every_steps": "validation.every_steps",
        "monitor": "validation.monitor",
        "monitor_mode": "validation.mode",
        "patience": "validation.patience",
        "min_change": "validation.min_change",
        "checkpoint_every": "checkpoint_every_steps",
        "checkpoint_epochs": "checkpoints.every_epoch",
        "keep_checkpoints": "checkpoints.keep",
        "result": "checkpoints.result",
        "log_every": "curve.every_steps",
        "metrics_half_life": "curve.half_life_steps",
    },
    "OptimizerConfig": {
        "name": "optimizer.name",
        "options": "optimizer.options",
        "learning_rate": "learning_rate",
        "warmup_steps": "optimizer.warmup_steps",
        "schedule": "optimizer.schedule",
        "clip_norm": "clip_norm",
        "weight_decay": "weight_decay",
    },
    "ComputeConfig": {
        "device": "devices.device",
        "num_data_shards": "devices.num_data_shards",
        "num_table_shards": "devices.num_table_shards",
        "prefetch": "input.prefetch",
    },
}
_WORDS = {"next_item": "objective: next_item"}  # What is more than the value of one setting.


def section_of(config: Config, role: str) -> TrainingConfig:
    """Returns the section of the step that trains the model of a role: retrieval or ranker."""
    return config.train_retrieval if role == "retrieval" else config.train_ranker


def check(config: Config, role: str) -> None:
    """Asks the trainer whether it can do what a section says, here; reads no data.

    Raises:
      BadConfigurationError: If it cannot; names the settings as the file does.
    """
    from components.training import model_configs  # With JAX, which the data steps do without.
    from phoenix.training import check_settings

    with in_the_words_of_the_file(role):
        model = model_configs.retrieval if role == "retrieval" else model_configs.ranker
        check_settings(
            model(config),
            train_config(config, role),
            config.action_names,
            compute_config(config, role),
        )


@contextmanager
def in_the_words_of_the_file(role: str) -> Iterator[None]:
    """Says what the trainer refuses of its fields of those of the configuration file.

    Raises:
      BadConfigurationError: If the trainer raises a ConfigError.
    """
    from phoenix.config import ConfigError

    try:
        yield
    except ConfigError as error:
        problem = re.sub(r"`([\w.]+)`", lambda name: f"`{_place(name[1])}`", str(error))
        raise BadConfigurationError(f"`train_{role}`: {problem}") from error


def train_config(config: Config, role: str) -> "TrainConfig":
    """Returns how the trainer is to train the model of a role."""
    from phoenix.loss_config import NegativesConfig
    from phoenix.optimizer import OptimizerConfig
    from phoenix.train_config import TrainConfig

    section = section_of(config, role)
    return TrainConfig(
        seed=config.seed,
        optimizer=OptimizerConfig(**_values(section, "OptimizerConfig")),
        ranking=_ranking(config),
        negatives=NegativesConfig(**config.train_retrieval.negatives.model_dump()),
        impressions_weight=config.train_retrieval.losses.impressions,
        positive_actions=[action.name for action in config.actions if action.is_positive],
        next_item=_next_item(section),
        **_values(section, "TrainConfig"),
    )


def compute_config(config: Config, role: str) -> "ComputeConfig":
    """Returns on what the trainer is to train the model of a role."""
    from phoenix.train_config import ComputeConfig

    return ComputeConfig(**_values(section_of(config, role), "ComputeConfig"))


def _values(section: TrainingConfig, name: str) -> dict[str, Any]:
    fields = _PLACES[name].items()
    return {field: operator.attrgetter(place)(section) for field, place in fields}


def _place(name: str) -> str:
    """Where a field stands in the file: `TrainConfig.batch_size`, or `batch_size` alone."""
    owner, _, field = name.rpartition(".")
    for known, fields in _PLACES.items():
        if owner in ("", known) and field in fields:
            return fields[field]
    return _WORDS.get(field, name)


def _ranking(config: Config) -> "RankingLossConfig":
    from phoenix.loss_config import RankingLossConfig

    return RankingLossConfig(
        action_weights={action.name: action.loss_weight for action in config.actions},
        focal_gammas={action.name: action.focal_gamma for action in config.actions},
        jrc_shares={action.name: action.jrc_share for action in config.actions},
        **config.train_ranker.losses.model_dump(),
    )


def _next_item(section: TrainingConfig) -> "NextItemConfig | None":
    from phoenix.next_item import NextItemConfig

    if not isinstance(section, RetrievalTrainingConfig) or section.objective != "next_item":
        return None
    return NextItemConfig(max_listed_posts=section.max_listed_posts)
