"""The gate: which model goes on, with reasons, and which recipes are asked again tomorrow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from components.evaluation import mixed_entrants, verdicts, vetoes
from components.evaluation.challengers import Challenger
from components.evaluation.entrants import Entrants
from components.evaluation.results import Result
from components.evaluation.verdicts import Outcome, Question, Verdict
from components.evaluation.vetoes import Veto
from components.release import decisions, mixtures, models
from components.release.decisions import Comparison, Decision
from components.release.models import ModelFolder
from components.release.shares import share_of
from components.run.context import Context
from components.store.artifacts import Artifact
from phoenix.metrics.evidence import Evidence
from phoenix.recommend.baselines import MostPopular


@dataclass(frozen=True)
class _Contender:
    """A model that may replace the champion, and what became of it on this day."""

    name: str  # among the entrants
    training: Artifact
    question: Question
    today: Evidence | None  # of this day alone; None where nobody could be measured
    challenger: Challenger  # with the evidence of this day, if there is any
    verdict: Verdict
    vetoes: Sequence[Veto] = ()


def decide(
    context: Context,
    entrants: Entrants,
    results: Mapping[str, Result],
    metric: str,
    *,
    force: str | None,
    reason: str | None,
) -> tuple[Decision, list[Challenger]]:
    """Decides which model of a role goes on, and why; `force` overrules the evidence.

    Args:
      context: The run.
      entrants: Who takes part.
      results: Of the users who decide, by the names of the entrants.
      metric: The name of the metric of the gate.
      force: "promote" or "keep", with its `reason`; None lets the evidence decide.
      reason: Why the evidence is overruled.

    Returns:
      The decision, and the challengers that are handed on to the next day's evaluation.
    """
    own = {"candidate": 1.0}
    if mixed_entrants.CANDIDATE in entrants.models:
        own[mixed_entrants.CANDIDATE] = entrants.mixtures[mixed_entrants.CANDIDATE].share
    contenders = [
        *(
            _candidate(context, entrants, results, name, share=share)
            for name, share in own.items()
            if entrants.has_candidate
        ),
        *(
            _challenger(context, entrants, results, each)
            for each in entrants.challengers
            if each.name in entrants.models
        ),
    ]
    contenders = [_with_veto(context, each, results) for each in contenders]
    reasons = [_sentence(each, results, metric) for each in contenders]
    reasons += entrants.notes
    winner = _winner(contenders)
    if force is not None:
        can_force = force == "keep" or entrants.has_candidate
        reasons.append(f"forced to {force}: {reason}" if can_force else "nothing to promote")
        is_promoted = force == "promote" and entrants.has_candidate
        winner = contenders[0] if is_promoted else None
    comparison = _comparison(context, entrants.role, metric, results, contenders, winner)
    # Whatever is promoted is a new champion, with which the others were never compared. Its own
    # recipe on newer days is the same one.
    is_other = winner is not None and winner.question is Question.IMPROVEMENT
    challengers = [] if is_other else _handed_on(context, contenders, reasons)
    decision = _decision(context, entrants, winner, comparison=comparison, reasons=reasons)
    question = next((str(each.question) for each in contenders if each.name == "candidate"), None)
    handed_on = [each.to_json() for each in challengers]
    spoke = [
        {"entrant": each.name, **veto.to_json()} for each in contenders for veto in each.vetoes
    ]
    decision = replace(decision, question=question, challengers=handed_on, vetoes=spoke)
    return decision, challengers


def _comparison(
    context: Context,
    role: str,
    metric: str,
    results: Mapping[str, Result],
    contenders: Sequence[_Contender],
    winner: _Contender | None,
) -> Comparison:
    """Returns the numbers of this day, with the gain of the winner, or without one the candidate's.

    Args:
      context: The run.
      role: Of the models.
      metric: The name of the metric of the gate.
      results: Of the users who decide, by the names of the entrants.
      contenders: All that may replace the champion.
      winner: The one that does.
    """
    candidate, champion = results.get("candidate"), results.get("champion")
    name = "candidate" if winner is None else winner.name
    today = next((each.today for each in contenders if each.name == name), None)
    confidence = context.config.evaluate_models.confidence
    return Comparison(
        metric=metric,
        candidate=candidate.value if candidate else None,
        champion=champion.value if champion else None,
        min_gain=_min_gain(context, role),
        gain_of=name,
        gain=_gain(results.get(name), champion),
        interval=None if today is None else today.interval(confidence),
    )


def _gain(own: Result | None, champion: Result | None) -> float | None:
    if own is None or champion is None or own.value is None or champion.value is None:
        return None
    return own.value - champion.value


def _candidate(
    context: Context, entrants: Entrants, results: Mapping[str, Result], name: str, *, share: float
) -> _Contender:
    """Returns the candidate as a contender, or its mixture, in which it has a share."""
    section, training = context.config.evaluate_models, entrants.candidate
    recipe, opponent = decisions.recipe_digest(training, share), entrants.opponent
    own, champion = results.get(name), results.get("champion")
    today = _evidence(own, champion)
    earlier = next((each for each in entrants.challengers if each.recipe == recipe), None)
    question = Question.REFRESH if recipe == opponent else Question.IMPROVEMENT
    if today is None:
        evidence = Evidence.none() if earlier is None else earlier.evidence
        # A day that measures nobody says nothing against a recipe; a model without numbers does.
        goes_on = earlier is not None and own is None
        outcome = Outcome.CHALLENGER if goes_on else Outcome.KEPT
        verdict = Verdict(outcome, "nobody can be measured")
    elif question is Question.REFRESH:
        evidence = today
        through = date.fromisoformat(entrants.champion_trained_through)
        verdict = verdicts.of_refresh(
            today,
            section,
            champion_value=(champion.value if champion else None) or 0.0,
            age_days=(context.day - through).days,
        )
    else:
        evidence = today if earlier is None else earlier.evidence + today
        min_gain = _min_gain(context, entrants.role)
        verdict = verdicts.of_improvement(evidence, section, min_gain=min_gain)
    challenger = Challenger(training.ref, recipe, opponent, evidence, share)
    return _Contender(name, training, question, today, challenger, verdict)


def _challenger(
    context: Context, entrants: Entrants, results: Mapping[str, Result], challenger: Challenger
) -> _Contender:
    """Returns a challenger of an earlier day with the evidence of this one."""
    today = _evidence(results.get(challenger.name), results.get("champion"))
    if today is None:  # the day is empty, and nobody looked
        verdict = Verdict(Outcome.CHALLENGER, "nobody can be measured")
    else:
        challenger = replace(challenger, evidence=challenger.evidence + today)
        verdict = verdicts.of_improvement(
            challenger.evidence,
            context.config.evaluate_models,
            min_gain=_min_gain(context, entrants.role),
        )
    training = entrants.trainings[challenger.name]
    return _Contender(challenger.name, training, Question.IMPROVEMENT, today, challenger, verdict)


def _with_veto(
    context: Context, contender: _Contender, results: Mapping[str, Result]
) -> _Contender:
    """Returns a contender whose promotion is taken back where something speaks against it."""
    if contender.verdict.outcome is not Outcome.PROMOTED:
        return contender
    found = vetoes.of(context.config.evaluate_models, contender.name, results)
    if not found:
        return contender
    told = f"{contender.verdict.reason}, but vetoed: {vetoes.sentence(found)}"
    verdict = replace(contender.verdict, outcome=Outcome.KEPT, reason=told)
    return replace(contender, verdict=verdict, vetoes=found)


def _winner(contenders: Sequence[_Contender]) -> _Contender | None:
    """Returns the promoted contender of whose gain one can be surest, or None."""
    promoted = [each for each in contenders if each.verdict.outcome is Outcome.PROMOTED]

    def least_gain(contender: _Contender) -> float:
        return contender.verdict.interval[0] if contender.verdict.interval else float("-inf")

    return max(promoted, key=least_gain, default=None)


def _handed_on(
    context: Context, contenders: Sequence[_Contender], reasons: list[str]
) -> list[Challenger]:
    """Returns the challengers of the next day, the newest first, and says who had to go."""
    unsure = [each for each in contenders if each.verdict.outcome is Outcome.CHALLENGER]
    unsure.sort(key=lambda each: each.training.ref.partition, reverse=True)
    num_places = context.config.evaluate_models.max_challengers
    # A mixture has the place of its model.
    placed = list(dict.fromkeys(each.training.ref for each in unsure))[:num_places]
    for each in unsure:
        if each.training.ref not in placed:
            reasons.append(
                f"{_words(each.name)}: dropped, there is room for {num_places} "
                "(evaluate_models.max_challengers)"
            )
    return [each.challenger for each in unsure if each.training.ref in placed]


def _decision(
    context: Context,
    entrants: Entrants,
    winner: _Contender | None,
    *,
    comparison: Comparison,
    reasons: Sequence[str],
) -> Decision:
    """Returns the decision for the winner, or for what is there, without the question."""
    role, champion = entrants.role, entrants.champion
    values: dict[str, Any] = {
        "reasons": tuple(reasons),
        "comparison": comparison,
        "question": None,
        "challengers": (),
    }
    if winner is not None:
        share = winner.challenger.share
        return Decision(
            choice="candidate" if winner.training is entrants.candidate else "challenger",
            source=winner.training.ref,
            folder=models.MODEL,
            model=mixtures.label(ModelFolder(winner.training, models.MODEL).kind, share),
            model_share=share,
            trained_through=winner.training.facts["partitions"][-1],
            entrant=winner.name,
            recipe=winner.challenger.recipe,
            **values,
        )
    if champion is not None and champion.facts[role]["folder"] == role:
        return Decision(
            choice="champion",
            source=champion.ref,
            folder=role,
            model=champion.facts[role]["model"],
            model_share=share_of(champion.facts[role]),
            trained_through=champion.facts[role]["trained_through"],
            entrant="champion",
            recipe=champion.facts[role].get("recipe"),
            **values,
        )
    return Decision(
        choice="fallback",
        source=None,
        folder=decisions.FALLBACK,
        model=MostPopular.name,
        trained_through=context.day.isoformat(),
        entrant=MostPopular.name,
        recipe=None,
        **values,
    )


def _evidence(contender: Result | None, champion: Result | None) -> Evidence | None:
    """Returns the evidence of this day, or None where one of the two gave no numbers."""
    if contender is None or champion is None or not contender.by_user or not champion.by_user:
        return None
    if not len(champion.by_user.user_ids):
        return None
    return Evidence.of_day(contender.by_user, champion.by_user)


def _min_gain(context: Context, role: str) -> float:
    section = context.config.evaluate_models
    return section.retrieval_min_gain if role == "retrieval" else section.ranking_min_gain


def _sentence(contender: _Contender, results: Mapping[str, Result], metric: str) -> str:
    """Returns the reason of a verdict with its numbers, so that a table of days reads down."""
    asked = f"{_words(contender.name)}, {contender.question}"
    own, champion = results.get(contender.name), results.get("champion")
    if own is None or champion is None or own.value is None or champion.value is None:
        return f"{asked}: {contender.verdict.reason}"
    numbers = f"{metric} {own.value:.4f} against {champion.value:.4f} of the champion"
    evidence, ends = contender.challenger.evidence, contender.verdict.interval
    interval = "" if ends is None else f" ({ends[0]:+.4f} to {ends[1]:+.4f})"
    days = f" over {evidence.num_days} days" if evidence.num_days > 1 else ""
    gain = f"gain {evidence.mean:+.4f}{days}{interval}"
    return f"{asked}: {numbers}, {gain}: {contender.verdict.reason}"


def _words(name: str) -> str:
    return name.replace("challenger_", "challenger of ").replace("mixture_", "mixture of ")
