"""Options of losses that are out of range are refused by name."""

import pytest

from phoenix.config import ConfigError
from phoenix.train.loss_config import NegativesConfig, RankingLossConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("action_weights", {"like": -1.0}),
        ("focal_gammas", {"like": 1.0, "hide": -0.5}),
        ("jrc_shares", {"like": 1.5}),
        ("popularity_power", 1.5),
        ("dwell", "huber"),
        ("dwell_weight", 0.0),
    ],
)
def test_a_field_that_cannot_be_used_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=f"RankingLossConfig.{field}"):
        RankingLossConfig(**{field: value})


def test_there_are_some_negatives():
    with pytest.raises(ConfigError, match="global_per_row"):
        NegativesConfig(global_per_row=-1)
    with pytest.raises(ConfigError, match="no other negatives"):
        NegativesConfig(in_batch=False)
    NegativesConfig(in_batch=False, hard_per_row=1)
