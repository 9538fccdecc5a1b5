"""A ranker draws its negatives where its log has none, or where it is told to."""

import dataclasses
import datetime

import numpy as np
import pytest

from components import contract
from components.features.training_source import FeatureWindows, feature_windows
from components.run.context import Context
from components.training import negatives
from phoenix.data.windows import Windows
from phoenix.train.config import RankerTrainConfig, RetrievalTrainConfig
from phoenix.train.loss_config import DrawnPostsConfig

DAYS = ("2026-01-01", "2026-01-02")


@pytest.fixture
def context(three_days) -> Context:
    return Context(
        contract.TRAIN_RANKER, three_days.config, datetime.date(2026, 1, 3), three_days.store
    )


@pytest.fixture
def source(three_days, context) -> FeatureWindows:
    return feature_windows(
        context, [three_days.artifact("build_features", day).ref for day in DAYS]
    )


def config_of(drawn_per_window) -> RankerTrainConfig:
    return RankerTrainConfig(negatives=DrawnPostsConfig(drawn_per_window=drawn_per_window))


class WithoutNegatives(FeatureWindows):
    """The same windows with an action everywhere."""

    def __init__(self, source: FeatureWindows) -> None:
        self.__dict__.update(vars(source))

    def read(self, chunk: int) -> Windows:
        windows = super().read(chunk)
        return windows._replace(labels=windows.labels | windows.candidate_mask.astype(np.uint64))


def test_a_log_with_negatives_draws_none(context, source) -> None:
    decision = negatives.of_training(context, "ranker", config_of("auto"), source)
    assert decision is not None
    assert decision.known_posts is None
    assert decision.facts == {
        "drawn_per_window": 0,
        "reason": "the log has impressions without an action",
    }


def test_a_log_in_which_all_impressions_have_one_mark_draws_none(context, source) -> None:
    # The first action is a positive of this log, and no mark.
    actions = [
        action.model_copy(update={"is_positive": number > 0})
        for number, action in enumerate(context.config.actions)
    ]
    config = context.config.model_copy(update={"actions": actions})
    marked = dataclasses.replace(context, config=config)
    decision = negatives.of_training(marked, "ranker", config_of("auto"), WithoutNegatives(source))
    assert decision is not None
    name = config.action_names[0]
    assert decision.facts == {
        "drawn_per_window": 0,
        "reason": f"the log has impressions without an action beside {name}, which all have",
    }


def test_a_log_without_draws_as_many_as_a_window_has_places_and_says_so(
    context, source, caplog
) -> None:
    caplog.set_level("INFO")
    decision = negatives.of_training(context, "ranker", config_of("auto"), WithoutNegatives(source))
    assert decision is not None
    assert decision.drawn_per_window == context.config.build_features.num_candidates == 4
    assert decision.known_posts is not None
    assert len(decision.known_posts) == len(DAYS)
    assert "`train_ranker.negatives`: 4 posts are drawn for every window: 0 of " in caplog.text


def test_a_number_is_drawn_in_any_case_and_0_in_none(context, source) -> None:
    some = negatives.of_training(context, "ranker", config_of(3), source)
    none = negatives.of_training(context, "ranker", config_of(0), WithoutNegatives(source))
    assert some is not None
    assert none is not None
    assert dataclasses.astuple(some)[:2] == ("as configured", 3)
    assert some.known_posts is not None
    assert (none.drawn_per_window, none.known_posts) == (0, None)


def test_retrieval_has_negatives_of_its_own(context, source) -> None:
    config = RetrievalTrainConfig()
    assert negatives.of_training(context, "retrieval", config, WithoutNegatives(source)) is None
