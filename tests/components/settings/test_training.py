"""Every setting of training arrives where it acts, and one that cannot act is refused."""

import pytest
from pydantic import ValidationError

from components.settings.config import Config
from components.training import model_configs, trainer_settings
from tests.components.numbered import numbered

ACTIONS = [
    {"name": "favorite", "is_positive": True, "loss_weight": 2.0, "focal_gamma": 1.5},
    {"name": "click", "jrc_share": 0.25},
]


def config_of(**sections) -> Config:
    config = Config.model_validate(
        {
            "store": "memory://training",
            "first_day": "2026-01-01",
            "actions": ACTIONS,
            "ingest_events": {"source": {"layout": "synthetic"}},
            **sections,
        }
    )
    return numbered(config)


def test_the_losses_of_each_action_reach_the_trainer() -> None:
    config = config_of()
    ranking = trainer_settings.train_config(config, "ranker").losses
    assert ranking.action_weights == {"favorite": 2.0, "click": 1.0}
    assert ranking.focal_gammas == {"favorite": 1.5, "click": 0.0}
    assert ranking.jrc_shares == {"favorite": 0.0, "click": 0.25}


def test_a_loss_of_the_dwell_time_gives_the_ranker_a_head() -> None:
    losses = {"dwell": "absolute_error", "dwell_weight": 0.5, "popularity_power": 0.3}
    config = config_of(train_ranker={"losses": losses})
    ranking = trainer_settings.train_config(config, "ranker").losses
    assert ranking.to_dict().items() >= losses.items()
    assert model_configs.ranker(config).num_continuous == 1
    assert model_configs.ranker(config_of()).num_continuous == 0


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_schedule_that_ends_at_nothing_is_refused_where_later_days_go_on(schedule) -> None:
    optimizer = {"schedule": schedule}
    with pytest.raises(ValidationError, match=r"`optimizer\.schedule_end` above 0, such as 0\.1"):
        config_of(train_ranker={"optimizer": optimizer})
    config_of(train_ranker={"optimizer": {**optimizer, "schedule_end": 0.1}})
    config_of(train_ranker={"optimizer": optimizer, "warm_start": False})


def test_negatives_weights_and_the_curve_reach_the_trainer() -> None:
    negatives = {"in_batch": False, "global_per_row": 3, "hard_per_row": 2}
    sections = {
        "negatives": negatives,
        "losses": {"impressions": 2.5},
        "recency_half_life_days": 2.0,
        "curve": {"every_steps": 7, "half_life_steps": 20.0},
        "validation": {"fraction": 0.1, "monitor": "validation_recall_at_10", "mode": "max"},
    }
    made = trainer_settings.train_config(config_of(train_retrieval=sections), "retrieval")
    assert made.negatives.to_dict() == negatives
    assert made.losses.impressions == 2.5
    assert made.recency_half_life_days == 2
    assert (made.curve.every_steps, made.curve.half_life_steps) == (7, 20)
    assert (made.validation.monitor, made.validation.mode) == ("validation_recall_at_10", "max")


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("train_ranker", {"losses": {"dwell": "huber"}}),
        ("train_ranker", {"losses": {"popularity_power": 1.5}}),
        ("train_ranker", {"losses": {"dwell_weight": 0}}),
        ("train_retrieval", {"losses": {"dwell": "squared_error"}}),
        ("train_ranker", {"objective": "next_item"}),
        ("train_ranker", {"negatives": {"in_batch": True}}),
        ("train_retrieval", {"negatives": {"in_batch": False}}),
        ("train_retrieval", {"negatives": {"hard_per_row": -1}}),
        ("train_retrieval", {"losses": {"impressions": -1}}),
        ("train_ranker", {"losses": {"impressions": 1}}),
        ("train_ranker", {"recency_half_life_days": 0}),
    ],
)
def test_what_a_model_cannot_learn_is_refused(section: str, values: dict) -> None:
    with pytest.raises(ValueError, match=rf"{section}\."):
        config_of(**{section: values})


def test_retrieval_reads_counts_unless_it_learns_next_items() -> None:
    assert config_of().train_retrieval.model.reads_counts
    model = {"user_pooling": "last"}
    for section in ({"model": model}, {"model": {**model, "reads_counts": False}}):
        values = {"objective": "next_item", **section}
        assert not config_of(train_retrieval=values).train_retrieval.model.reads_counts
    values = {"objective": "next_item", "model": {**model, "reads_counts": True}}
    assert config_of(train_retrieval=values).train_retrieval.model.reads_counts  # and is refused
