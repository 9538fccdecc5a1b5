"""The rule by which evidence becomes a verdict.

Two questions are asked. An *improvement* is another recipe than the champion's, and has to be
surely better; what is not sure yet is asked again tomorrow, as a challenger. A *refresh* is the
champion's own recipe on newer days: nobody expects it to be surely better, and it replaces the
champion when it is surely not worse than by a margin, or not surely worse when the champion has
grown old.
"""

from dataclasses import dataclass
from enum import StrEnum

from components.settings.steps import EvaluateConfig
from phoenix.metrics.evidence import Evidence


class Question(StrEnum):
    """The question that is asked of a model."""

    IMPROVEMENT = "improvement"
    REFRESH = "refresh"


class Outcome(StrEnum):
    """The end of a question, or that it is asked again."""

    PROMOTED = "promoted"
    KEPT = "kept"  # the champion goes on, and the model is asked no more
    CHALLENGER = "challenger"  # not sure yet: scored on the next day, too


@dataclass(frozen=True)
class Verdict:
    """An outcome, the reason for it, and the interval that it rests on."""

    outcome: Outcome
    reason: str
    interval: tuple[float, float] | None = None  # of the gain over the champion


def of_improvement(evidence: Evidence, section: EvaluateConfig, *, min_gain: float) -> Verdict:
    """Judges whether a model of another recipe is surely better than the champion.

    Args:
      evidence: Of all days on which it was scored.
      section: The settings of the gate.
      min_gain: What it must surely gain at least.
    """
    # A recipe and its mixture are two chances to replace the champion, of one allowed error.
    num_chances = 2 if section.mixture_share else 1
    interval = evidence.sequence(1 - (1 - section.confidence) / num_chances)
    is_last = evidence.num_days >= section.challenger_days
    day = f"day {evidence.num_days} of {section.challenger_days}"
    unsure = Outcome.KEPT if is_last else Outcome.CHALLENGER
    num_users = len(evidence.user_ids)
    if interval is None or num_users < section.min_users:
        few = f"too few users, {num_users} of {section.min_users}"
        return Verdict(unsure, f"{few}, on {day}", interval)
    low, high = interval
    if low > min_gain:
        return Verdict(Outcome.PROMOTED, "surely better" + _more_than(min_gain), interval)
    if high <= min_gain:
        return Verdict(Outcome.KEPT, "surely not better" + _more_than(min_gain), interval)
    return Verdict(unsure, f"not surely better{_more_than(min_gain)}, on {day}", interval)


def of_refresh(
    evidence: Evidence, section: EvaluateConfig, *, champion_value: float, age_days: int
) -> Verdict:
    """Judges whether the champion's recipe on newer days may take its place.

    Args:
      evidence: Of this day alone: tomorrow there is another refresh.
      section: The settings of the gate.
      champion_value: The metric of the champion on this day.
      age_days: How many days the champion's data are older than the newest.
    """
    interval = evidence.interval(section.confidence)
    num_users = len(evidence.user_ids)
    if interval is None or num_users < section.min_users:
        few = f"too few users, {num_users} of {section.min_users}"
        return Verdict(Outcome.KEPT, few, interval)
    low, high = interval
    share = f"{section.refresh_margin:.1%} of the champion"
    if low > 0:
        return Verdict(Outcome.PROMOTED, "surely better", interval)
    if low > -section.refresh_margin * champion_value:
        return Verdict(Outcome.PROMOTED, f"surely not worse by {share}", interval)
    if age_days >= section.refresh_after_days and high >= 0:
        reason = f"not surely worse, and the champion's data are {age_days} days old"
        return Verdict(Outcome.PROMOTED, reason, interval)
    return Verdict(Outcome.KEPT, f"could be worse by more than {share}", interval)


def _more_than(min_gain: float) -> str:
    return f" by {min_gain:g}" if min_gain else ""
