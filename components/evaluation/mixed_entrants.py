"""Mixtures among the entrants of a day: each beside its model, while neither part is surely better.

Equal to a model and the most popular recommender alone, a mixture has to be surely better than the
champion. It is asked at all only where the day does not say which of the two is better: where one
surely is, that one is the answer, and the evidence of their mixture ends.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from components.evaluation.challengers import Challenger
from components.evaluation.results import Result
from components.settings.steps import EvaluateConfig
from phoenix.metrics.evidence import Evidence
from phoenix.recommend.baselines import MostPopular

CANDIDATE = "mixture"  # the name of the one with the candidate of the day


@dataclass(frozen=True)
class Mixed:
    """A mixture of an entrant and the most popular recommender."""

    model: str  # the name of the entrant
    share: float  # of the model


def of_models(
    names: Iterable[str], share: float, challengers: Iterable[Challenger]
) -> dict[str, Mixed]:
    """Returns the mixtures that take part beside models.

    Args:
      names: Of the models.
      share: Of the candidate in its mixture; 0: it has none.
      challengers: Of the day; a mixture among them whose model takes no part any more has ended.
    """
    mixed = {CANDIDATE: Mixed("candidate", share)} if share else {}
    for each in challengers:
        if each.share < 1:
            mixed[each.name] = Mixed(replace(each, share=1.0).name, each.share)
    return {name: each for name, each in mixed.items() if each.model in names}


def settled(section: EvaluateConfig, each: Mixed, results: Mapping[str, Result]) -> str | None:
    """Returns which part of a mixture is surely better alone, in words; None where neither is.

    Args:
      section: The settings of the gate.
      each: The mixture.
      results: Of the users who decide, by the names of the entrants.
    """
    own, popular = results.get(each.model), results.get(MostPopular.name)
    if own is None or popular is None or popular.by_user is None:
        return None  # an empty day says nothing
    words = f"the {each.model.replace('challenger_', 'challenger of ')}"
    if own.by_user is None:
        return f"{words} has no numbers"
    evidence = Evidence.of_day(own.by_user, popular.by_user)
    interval = evidence.interval(section.confidence)
    if interval is None or len(evidence.user_ids) < section.min_users:
        return None
    low, high = interval
    if low > 0:
        return f"{words} is surely better than most popular"
    return f"{words} is surely worse than most popular" if high < 0 else None
