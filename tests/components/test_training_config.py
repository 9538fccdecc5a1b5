"""Every setting of training arrives where it acts, and one that cannot act is refused."""

import pytest

from components import model_configs, training_window
from components.config import Config

ACTIONS = [
    {"name": "favorite", "is_positive": True, "loss_weight": 2.0, "focal_gamma": 1.5},
    {"name": "click", "jrc_share": 0.25},
]


def config_of(**sections) -> Config:
    return Config.model_validate(
        {
            "store": "memory://training",
            "first_day": "2026-01-01",
            "actions": ACTIONS,
            "ingest_events": {"source": {"layout": "synthetic"}},
            **sections,
        }
    )


def test_the_losses_of_each_action_reach_the_trainer() -> None:
    config = config_of()
    ranking = training_window.train_config(config, "ranker").ranking
    assert ranking.action_weights == {"favorite": 2.0, "click": 1.0}
    assert ranking.focal_gammas == {"favorite": 1.5, "click": 0.0}
    assert ranking.jrc_shares == {"favorite": 0.0, "click": 0.25}


def test_a_loss_of_the_dwell_time_gives_the_ranker_a_head() -> None:
    losses = {"dwell": "absolute_error", "dwell_weight": 0.5, "popularity_power": 0.3}
    config = config_of(train_ranker={"losses": losses})
    ranking = training_window.train_config(config, "ranker").ranking
    assert ranking.to_dict().items() >= losses.items()
    assert model_configs.ranker(config).num_continuous == 1
    assert model_configs.ranker(config_of()).num_continuous == 0


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("train_ranker", {"losses": {"dwell": "huber"}}),
        ("train_ranker", {"losses": {"popularity_power": 1.5}}),
        ("train_ranker", {"losses": {"dwell_weight": 0}}),
        ("train_retrieval", {"losses": {"dwell": "squared_error"}}),
        ("train_ranker", {"objective": "next_item"}),
    ],
)
def test_what_a_model_cannot_learn_is_refused(section: str, values: dict) -> None:
    with pytest.raises(ValueError, match=rf"{section}\."):
        config_of(**{section: values})
