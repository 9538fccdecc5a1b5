"""The gate: candidate or champion, with reasons."""

from collections.abc import Mapping

from components.evaluation.contest import Result
from components.evaluation.entrants import Entrants
from components.release import decisions, models
from components.release.decisions import Comparison, Decision
from components.release.models import ModelFolder
from components.run.context import Context
from phoenix.metrics.evidence import Evidence
from phoenix.recommend.baselines import MostPopular


def compare(context: Context, metric: str, results: Mapping[str, Result], role: str) -> Comparison:
    """Compares candidate and champion of a role by a metric, with the interval of the gain."""
    section = context.config.evaluate_models
    candidate, champion = results.get("candidate"), results.get("champion")
    interval = None
    if candidate and champion and candidate.by_user and champion.by_user:
        interval = Evidence.of_day(candidate.by_user, champion.by_user).interval()
    return Comparison(
        metric=metric,
        candidate=candidate.value if candidate else None,
        champion=champion.value if champion else None,
        min_gain=section.retrieval_min_gain if role == "retrieval" else section.ranking_min_gain,
        interval=interval,
    )


def decide(
    context: Context,
    entrants: Entrants,
    comparison: Comparison,
    *,
    force: str | None,
    reason: str | None,
) -> Decision:
    """Decides which model of a role goes on, and why; `force` overrules the comparison."""
    untrained = None if entrants.has_candidate else entrants.candidate.facts["reason"]
    is_better, why = decisions.judge(comparison, untrained=untrained)
    reasons = [why, *(note for note in entrants.notes if note != untrained)]
    if force is not None:
        can_force = force == "keep" or entrants.has_candidate
        reasons.append(f"forced to {force}: {reason}" if can_force else "nothing to promote")
        is_better = force == "promote" and entrants.has_candidate
    role, champion = entrants.role, entrants.champion
    if is_better:
        return Decision(
            choice="candidate",
            reasons=tuple(reasons),
            comparison=comparison,
            source=entrants.candidate.ref,
            folder=models.MODEL,
            model=ModelFolder(entrants.candidate, models.MODEL).kind,
            trained_through=entrants.candidate.facts["partitions"][-1],
        )
    if champion is not None and champion.facts[role]["folder"] == role:
        return Decision(
            choice="champion",
            reasons=tuple(reasons),
            comparison=comparison,
            source=champion.ref,
            folder=role,
            model=champion.facts[role]["model"],
            trained_through=champion.facts[role]["trained_through"],
        )
    return Decision(
        choice="fallback",
        reasons=tuple(reasons),
        comparison=comparison,
        source=None,
        folder=decisions.FALLBACK,
        model=MostPopular.name,
        trained_through=context.day.isoformat(),
    )
