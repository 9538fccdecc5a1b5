"""The decision of a day: the model that goes on for each of the two roles, and the reasons.

A decision names one of four: the `candidate` that was trained for the day, a `challenger` of an
earlier day, the model of the `champion` release, or the `fallback`, the most popular recommender
fitted through the day, which is also what a champion that is the most popular becomes on the next
day.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from components.release.models import ModelFolder
from components.store.artifacts import Artifact, Ref, Store
from phoenix.recommend.baselines import MostPopular

FALLBACK = "fallback"  # folder of the most popular recommender, in evaluations and releases

# In the recipe of a training: why that day was trained from scratch, or not at all, and whence
# numbers are that stand in it anyway.
_CIRCUMSTANCES = {"reason", "scratch_reason", "auto"}

Choice = Literal["candidate", "challenger", "champion", "fallback"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The numbers of candidate and champion, as far as there are any."""

    metric: str
    candidate: float | None
    champion: float | None
    min_gain: float
    gain_of: str  # the entrant that takes the champion's place; where none does, the candidate
    gain: float | None  # of that one over the champion
    interval: tuple[float, float] | None  # of the gain: 95 %, users are what is drawn


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The model of one role that goes on, and the reasons for it."""

    choice: Choice
    reasons: tuple[str, ...]
    comparison: Comparison
    source: Ref | None  # artifact with the chosen model; None is the evaluation itself
    folder: str  # of the model in that artifact
    model: str  # kind, e.g. two_tower, or what a mixture is of
    model_share: float = 1.0  # the rest is most popular: below 1 it is a mixture
    trained_through: str  # newest day whose data are in the model
    entrant: str  # name under which the model took part in the evaluation
    recipe: str | None  # of the model, as `recipe_digest`; None where no format said it
    question: str | None  # that was asked of the candidate; None without one
    challengers: Sequence[Mapping[str, Any]]  # that are asked again on the next day
    # That spoke against a promotion, each with its entrant and its numbers.
    vetoes: Sequence[Mapping[str, Any]] = ()
    # Of the model that goes on, on users who had no part in the decision; None without numbers.
    figure: Mapping[str, Any] | None = None
    # The figure with which the champion was published, and its own of this day.
    restated: Mapping[str, Any] | None = None
    # The first posts of a few users under the champion and under the candidate.
    examples: Sequence[Mapping[str, Any]] = ()

    @property
    def verdict(self) -> str:
        """`promoted` if a model replaces the champion, `challenger` if one still may, or `kept`."""
        if self.choice in ("candidate", "challenger"):
            return "promoted"
        return "challenger" if self.challengers else "kept"

    def to_json(self) -> dict[str, Any]:
        """Returns the decision as JSON-able values."""
        return {
            **asdict(self.comparison),
            "verdict": self.verdict,
            "choice": self.choice,
            "reasons": list(self.reasons),
            "source": None if self.source is None else asdict(self.source),
            "folder": self.folder,
            "model": self.model,
            "model_share": self.model_share,
            "trained_through": self.trained_through,
            "entrant": self.entrant,
            "recipe": self.recipe,
            "question": self.question,
            "challengers": list(self.challengers),
            "vetoes": list(self.vetoes),
            "figure": self.figure,
            "restated": self.restated,
            "examples": list(self.examples),
        }


def entrant(decision: Mapping[str, Any]) -> str:
    """Returns the name under which the model of a recorded decision took part in the evaluation."""
    if "entrant" in decision:
        return decision["entrant"]
    # Formats before 3 name the choice alone.
    return MostPopular.name if decision["choice"] == FALLBACK else decision["choice"]


def recipe_digest(training: Artifact, share: float = 1.0) -> str:
    """SHA-256 of what shapes a model beside its data: two days of one recipe have the same.

    The code is no part of it: an upgrade is meant to make the same model better, and a champion of
    the version before would otherwise have to be surely beaten by its own recipe.

    Args:
      training: Of the model.
      share: Of the model in a mixture.
    """
    config = training.manifest["recipe"]["config"]
    recipe = {name: value for name, value in config.items() if name not in _CIRCUMSTANCES}
    recipe |= {} if share == 1 else {"model_share": share}
    text = json.dumps(recipe, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def model_of(store: Store, evaluation: Artifact, role: str) -> ModelFolder:
    """Opens the model that an evaluation decided on for `role`, verified.

    Raises:
      BadDataError: If its artifact is missing or damaged.
    """
    decision = evaluation.facts[role]
    source = decision["source"]
    artifact = evaluation if source is None else store.read(Ref(**source))
    return ModelFolder(artifact, decision["folder"])
