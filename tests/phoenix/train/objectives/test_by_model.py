"""Claims about the objective that belongs to a model."""

import dataclasses

import pytest

from phoenix.config import ConfigError
from phoenix.train.config import RankerTrainConfig, RetrievalTrainConfig
from phoenix.train.loss_config import RankingLossConfig
from phoenix.train.objectives.by_model import objective_of
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL
from tests.phoenix.train.objectives.forward import (
    make,
)

WITH_DWELL = dataclasses.replace(RANKER, num_continuous=1)


def test_foreign_actions_are_refused_by_name():
    for ranking in (
        RankingLossConfig(action_weights={"share": 2.0}),
        RankingLossConfig(focal_gammas={"share": 2.0}),
        RankingLossConfig(jrc_shares={"share": 0.5}),
    ):
        with pytest.raises(ValueError, match="share"):
            make(RANKER, losses=ranking)
    with pytest.raises(ValueError, match="2 actions, but the action list has 1"):
        objective_of(RANKER, ["like"], RankerTrainConfig())


def test_a_head_without_a_loss_and_a_loss_without_a_head_are_refused():
    with pytest.raises(ConfigError, match="num_continuous`: expected 0 where"):
        make(WITH_DWELL)
    with pytest.raises(ConfigError, match="num_continuous`: expected 1 where"):
        make(RANKER, losses=RankingLossConfig(dwell="squared_error"))


def test_factors_of_taste_do_not_go_with_sequences():
    settings = RetrievalTrainConfig(objective="next_item")
    with pytest.raises(ConfigError, match="taste_size"):
        objective_of(dataclasses.replace(RETRIEVAL, taste_size=3), ACTIONS, settings)
