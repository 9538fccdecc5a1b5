"""The settings of a training, in the classes of the trainer and refused by the file's names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.trainer_sections import trainer_values
from components.settings.training import TrainingConfig
from phoenix.config import ConfigError
from phoenix.train.config import ComputeConfig, RankerTrainConfig, RetrievalTrainConfig, TrainConfig
from phoenix.train.loss_config import RankingLossConfig

Number = TypeVar("Number", bool, int, float)


def section_of(config: Config, role: str) -> TrainingConfig:
    """Returns the section of the step that trains the model of a role: retrieval or ranker."""
    return config.train_retrieval if role == "retrieval" else config.train_ranker


def number(value: Number | Literal["auto"]) -> Number:
    """Returns the number of a setting that may be `auto`, of a configuration without any `auto`."""
    assert not isinstance(value, str), "expected numbers in place of `auto`: see `training.auto`"
    return value


def train_config(config: Config, role: str) -> TrainConfig:
    """Returns how the trainer is to train the model of a role.

    Raises:
      ConfigError: If settings do not fit each other; see `in_the_words_of_the_file`.
    """
    values = {"seed": config.seed}
    if role == "retrieval":
        values |= trainer_values(RetrievalTrainConfig, config.train_retrieval.model_dump())
        values |= {
            "positive_actions": config.positive_actions,
            "negative_actions": config.negative_actions,
        }
        return RetrievalTrainConfig.from_dict(values)
    values |= trainer_values(RankerTrainConfig, config.train_ranker.model_dump())
    return RankerTrainConfig.from_dict({**values, "losses": ranking_losses(config).to_dict()})


def ranking_losses(config: Config) -> RankingLossConfig:
    """Returns the losses of the ranker: those of its section, and those of the actions."""
    values: dict[str, Any] = trainer_values(RankerTrainConfig, config.train_ranker.model_dump())
    return RankingLossConfig(
        action_weights={action.name: action.loss_weight for action in config.actions},
        focal_gammas={action.name: action.focal_gamma for action in config.actions},
        jrc_shares={action.name: action.jrc_share for action in config.actions},
        **values["losses"],
    )


def compute_config(config: Config, role: str) -> ComputeConfig:
    """Returns on what the trainer is to train the model of a role."""
    section = section_of(config, role)
    return ComputeConfig.from_dict(trainer_values(ComputeConfig, section.model_dump()))


@contextmanager
def in_the_words_of_the_file(role: str) -> Iterator[None]:
    """Names what the trainer refuses by the path in the configuration file.

    Raises:
      BadConfigurationError: If the trainer raises a ConfigError.
    """
    try:
        yield
    except ConfigError as error:
        place = f"`{'.'.join(error.field)}`: " if error.field else ""
        raise BadConfigurationError(f"`train_{role}`: {place}{error.problem}") from error
