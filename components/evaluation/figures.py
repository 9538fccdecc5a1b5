"""The figure that is published with a decision, of users who had no part in it.

A model is chosen because it did well on the users who decided, and partly by luck, so what it
reached on them promises too much. A fixed share of the users, the same on all days, decides
nothing: what the chosen model reaches on them is the figure of the decision, and the evaluation of
the next day measures it on them once more.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components.evaluation.results import Result
from components.run.context import Context
from components.settings.steps import EvaluateConfig
from phoenix.data.hashing import user_shares
from phoenix.metrics.evidence import Evidence
from phoenix.recommend.baselines import MostPopular


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The metric of the gate of one model, on users who decide nothing.

    Attributes:
      day: On which it was measured.
      metric: Of the gate.
      users: So many of them the metric is defined for.
      value: Of the model.
      over_most_popular: What it is above the most popular recommender; None of that one itself.
      interval: Of that difference, for one look; None with fewer than two users.
    """

    day: str
    metric: str
    users: int
    value: float
    over_most_popular: float | None
    interval: tuple[float, float] | None


def decides_nothing(user_ids: np.ndarray, section: EvaluateConfig) -> np.ndarray:
    """`[N]` bool: whether each of `[N]` users is one of those whose figure is published."""
    return user_shares(user_ids, section.figure_salt) < section.figure_share


def of_deciding_users(results: Mapping[str, Result], section: EvaluateConfig) -> dict[str, Result]:
    """Returns the results of those users by whom models are compared."""
    return {
        name: result.where(lambda users: ~decides_nothing(users, section))
        for name, result in results.items()
    }


def of_decision(
    context: Context,
    results: Mapping[str, Result],
    *,
    metric: str,
    entrant: str,
    earlier: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Returns the figure of the model that goes on, and the one of the champion once more.

    Args:
      context: The run.
      results: Of all users of the day.
      metric: The name of the metric of the gate.
      entrant: The name of the model that goes on.
      earlier: The decision by which the champion was released, as it was recorded; None without.

    Returns:
      `figure`, and `restated` with the `published` figure of the champion and its own of `today`;
      None for what nobody has a value of.
    """
    published = None if earlier is None else earlier.get("figure")  # formats before 4 have none
    today = _figure(context, results, metric, "champion")
    return {
        "figure": _figure(context, results, metric, entrant),
        "restated": None if published is None else {"published": published, "today": today},
    }


def _figure(
    context: Context, results: Mapping[str, Result], metric: str, name: str
) -> dict[str, Any] | None:
    section = context.config.evaluate_models
    others = {
        each: result.where(lambda users: decides_nothing(users, section)).by_user
        for each, result in results.items()
        if each in (name, MostPopular.name)
    }
    own, popular = others.get(name), others.get(MostPopular.name)
    if own is None or not len(own.values):
        return None
    evidence = None
    if popular is not None and results[name] is not results[MostPopular.name]:
        evidence = Evidence.of_day(own, popular)
    figure = Figure(
        day=context.day.isoformat(),
        metric=metric,
        users=len(own.values),
        value=own.mean,
        over_most_popular=None if evidence is None else evidence.mean,
        interval=None if evidence is None else evidence.interval(section.confidence),
    )
    return asdict(figure)
