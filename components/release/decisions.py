"""The decision of a day: the model that goes on for each of the two roles, and the reasons.

A decision names one of three: the `candidate` that was trained for the day, the model of the
`champion` release, or the `fallback`, the most popular recommender fitted through the day, which is
also what a champion that is the most popular becomes on the next day.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from components.release.models import ModelFolder
from components.store.artifacts import Artifact, Ref, Store

FALLBACK = "fallback"  # folder of the most popular recommender, in evaluations and releases

Choice = Literal["candidate", "champion", "fallback"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The numbers of candidate and champion, as far as there are any."""

    metric: str
    candidate: float | None
    champion: float | None
    min_gain: float
    interval: tuple[float, float] | None  # of the gain: 95 %, users are what is drawn

    @property
    def gain(self) -> float | None:
        """Candidate minus champion."""
        if self.candidate is None or self.champion is None:
            return None
        return self.candidate - self.champion


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The model of one role that goes on, and the reasons for it."""

    choice: Choice
    reasons: tuple[str, ...]
    comparison: Comparison
    source: Ref | None  # artifact with the chosen model; None is the evaluation itself
    folder: str  # of the model in that artifact
    model: str  # kind, e.g. two_tower
    trained_through: str  # newest day whose data are in the model

    @property
    def verdict(self) -> str:
        """`promoted` if the candidate replaces what was there, else `kept`."""
        return "promoted" if self.choice == "candidate" else "kept"

    def to_json(self) -> dict[str, Any]:
        """Returns the decision as JSON-able values."""
        return {
            **asdict(self.comparison),
            "gain": self.comparison.gain,
            "verdict": self.verdict,
            "choice": self.choice,
            "reasons": list(self.reasons),
            "source": None if self.source is None else asdict(self.source),
            "folder": self.folder,
            "model": self.model,
            "trained_through": self.trained_through,
        }


def judge(comparison: Comparison, *, untrained: str | None) -> tuple[bool, str]:
    """Returns whether the rule of the gate promotes a candidate, and the reason.

    A candidate is promoted if its metric is finite, better than the champion's, and by at least
    `min_gain`. Equal is not better.

    Args:
      comparison: The numbers.
      untrained: Why there is no candidate; None if there is one.
    """
    if untrained is not None:
        return False, f"no candidate: {untrained}"
    gain = comparison.gain
    if gain is None:
        return False, f"no {comparison.metric}: nobody on this day can be measured"
    # The same beginning in every answer, so that a table of days can be read down.
    numbers = (
        f"{comparison.metric} {comparison.candidate:.4f} against {comparison.champion:.4f} of the "
        f"champion, gain {gain:+.4f}"
    )
    if not math.isfinite(gain):
        return False, f"{numbers}: not finite"
    if gain <= 0:
        return False, f"{numbers}: not better"
    if gain < comparison.min_gain:
        return False, f"{numbers}: less than the required {comparison.min_gain}"
    return True, f"{numbers}: at least the required {comparison.min_gain}"


def model_of(store: Store, evaluation: Artifact, role: str) -> ModelFolder:
    """Opens the model that an evaluation decided on for `role`, verified.

    Raises:
      BadDataError: If its artifact is missing or damaged.
    """
    decision = evaluation.facts[role]
    source = decision["source"]
    artifact = evaluation if source is None else store.read(Ref(**source))
    return ModelFolder(artifact, decision["folder"])
