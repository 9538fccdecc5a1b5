"""The objective that belongs to a model."""

from collections.abc import Sequence

import numpy as np

from phoenix.config import check
from phoenix.data.windows import Engagement, check_actions, unpack_actions
from phoenix.model_runners import ModelConfig
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.train.config import RankerTrainConfig, RetrievalTrainConfig, TrainConfig, settings_for
from phoenix.train.objectives.objective import Objective
from phoenix.train.objectives.ranking import RankingObjective
from phoenix.train.objectives.retrieval import RetrievalObjective


def objective_of(
    config: ModelConfig, actions: Sequence[str], train_config: TrainConfig, *, num_drawn: int = 0
) -> Objective:
    """Returns the objective that belongs to the model of `config`.

    Args:
      config: Of the ranker or the retrieval model.
      actions: The names of the A actions, in the order of the bits.
      train_config: Its losses.
      num_drawn: The last candidates of each row that a ranker is shown, which were drawn for it.

    Raises:
      ConfigError: If the settings are those of the other model, or the ranker has another number
        of continuous heads than its loss needs.
      ValueError: If an action is unknown, or the ranker's number of actions differs.
    """
    if not isinstance(config, PhoenixModelConfig):
        settings = settings_for(RetrievalTrainConfig, train_config)
        settings.check(
            not (config.has_counts and settings.learns_next_items),
            "objective",
            expected="engagement where `model.reads_counts` is true: of a sequence there are no "
            "counts",
            got=settings.objective,
        )
        settings.check(
            not (config.has_candidate_facts and settings.learns_next_items),
            "objective",
            expected="engagement where the candidate tower reads facts: those of a sequence are "
            "not known",
            got=settings.objective,
        )
        settings.check(
            not (config.taste_size and settings.learns_next_items),
            "objective",
            expected="engagement where `model.taste_size` is above 0: a sequence has no events "
            "without engagement",
            got=settings.objective,
        )
        engagement = Engagement.of(actions, settings.positive_actions, settings.negative_actions)
        is_positive, is_negative = unpack_actions(np.array(engagement), len(actions)) > 0
        return RetrievalObjective(
            config,
            tuple(is_positive.tolist()),
            tuple(is_negative.tolist()),
            settings.negatives,
            settings.losses.impressions,
        )
    ranking = settings_for(RankerTrainConfig, train_config).losses
    by_action = (ranking.action_weights, ranking.focal_gammas, ranking.jrc_shares)
    check_actions(set().union(*by_action), actions)
    if config.num_actions != len(actions):
        raise ValueError(
            f"The ranker predicts {config.num_actions} actions, but the action list has "
            f"{len(actions)}: {list(actions)}."
        )
    num_heads = int(ranking.dwell != "none")
    check(
        config.num_continuous == num_heads,
        "PhoenixModelConfig.num_continuous",
        expected=f"{num_heads} where `losses.dwell` is {ranking.dwell!r}",
        got=config.num_continuous,
    )
    return RankingObjective(
        config,
        action_weights=tuple(ranking.action_weights.get(action, 1.0) for action in actions),
        focal_gammas=tuple(ranking.focal_gammas.get(action, 0.0) for action in actions),
        jrc_shares=tuple(ranking.jrc_shares.get(action, 0.0) for action in actions),
        popularity_power=ranking.popularity_power,
        dwell=ranking.dwell,
        dwell_weight=ranking.dwell_weight,
        num_drawn=num_drawn,
    )
