"""The posts from which negatives are drawn: of a ranker whose log has none, and of retrieval."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.features.negatives import day_posts, impression_marks
from components.features.training_source import FeatureWindows
from components.run.context import Context
from phoenix.data.negatives.drawn_posts import LoggedNegatives
from phoenix.train.config import (
    RankerTrainConfig,
    RetrievalTrainConfig,
    TrainConfig,
    settings_for,
)

if TYPE_CHECKING:
    from phoenix.data.negatives.known_posts import PostsByDay
    from phoenix.model_runners import ModelConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Negatives:
    """The decision whether negatives are drawn, and from what."""

    reason: str
    drawn_per_window: int = 0
    known_posts: "PostsByDay | None" = None

    @property
    def facts(self) -> dict[str, Any]:
        """The decision, for the manifest of the training."""
        return {"drawn_per_window": self.drawn_per_window, "reason": self.reason}


def of_training(
    context: Context, role: str, train_config: TrainConfig, source: FeatureWindows
) -> Negatives | None:
    """Decides whether a ranker draws its negatives, and says so; None for retrieval.

    Args:
      context: The run of the training step.
      role: retrieval or ranker.
      train_config: Its settings.
      source: The windows to train on, of which as many are read as it takes to decide.

    Raises:
      BadDataError: If negatives are to be drawn, and something that says what was known is gone.
    """
    if role != "ranker":
        return None
    settings = settings_for(RankerTrainConfig, train_config).negatives
    number, reason = settings.drawn_per_window, "as configured"
    if number == "auto":
        logged = LoggedNegatives.of(source, marks=impression_marks.of_config(context.config))
        number, reason = 0, "the log has impressions without an action"
        if logged.without:
            names = impression_marks.names_of(logged.without, context.config)
            reason = f"{reason} beside {names}, which all have"
        if logged.are_missing:
            number = context.config.build_features.num_candidates
            reason = f"{logged.negatives} of {logged.impressions} impressions are without an action"
    if not number:
        return Negatives(reason)
    logger.info(
        "`train_ranker.negatives`: %d posts are drawn for every window: %s.", number, reason
    )
    posts = day_posts.of_days(context, source.refs, power=settings.power)
    return Negatives(reason, number, posts)


def posts_of_retrieval(
    context: Context, model_config: "ModelConfig", train_config: TrainConfig, source: FeatureWindows
) -> "PostsByDay | None":
    """Returns the posts of the days, where retrieval draws some and reads more than their ids.

    Args:
      context: The run of the training step.
      model_config: The model.
      train_config: Its settings.
      source: The windows to train on.

    Raises:
      BadDataError: If something that says what was known is gone.
    """
    if not model_config.reads_candidate_facts:
        return None
    if not settings_for(RetrievalTrainConfig, train_config).negatives.global_per_row:
        return None
    return day_posts.of_days(context, source.refs, has_rates=False)
