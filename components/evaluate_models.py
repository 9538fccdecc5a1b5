"""Compare candidates, champion and baselines on this day; decide with reasons."""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from components import contract, step
from components.erasure import forgotten
from components.errors import BadConfigurationError
from components.evaluation import challengers as challenger_files
from components.evaluation import examples, figures, lessons
from components.evaluation.challengers import Challenger
from components.evaluation.contests import contests_of
from components.evaluation.entrants import Entrants, entrants_of, most_popular
from components.evaluation.gate import decide
from components.evaluation.ranking_contest import RankingContest
from components.evaluation.results import Result
from components.evaluation.retrieval_contest import RetrievalContest
from components.features import partitions
from components.features.later_labels import later_labels
from components.release import decisions, models, release_files, releases
from components.release.decisions import Decision
from components.run import compilation
from components.run.context import Context, Outcome
from components.settings.config import Config
from components.store.artifacts import Artifact
from components.tables import action_lists
from phoenix.memory import keep_freed_memory

logger = logging.getLogger(__name__)

_TRAININGS = {
    "retrieval": contract.TRAIN_RETRIEVAL.name,
    "ranker": contract.TRAIN_RANKER.name,
}


def run(context: Context, *, force: str | None = None, reason: str | None = None) -> Outcome:
    """Writes the decision, the metrics and the fallback recommender of the day.

    Args:
      context: The run.
      force: "promote" or "keep" overrules the gate for both models.
      reason: Why the gate is overruled.

    Raises:
      BadConfigurationError: If `force` comes without `reason`, or the other way round.
      BadDataError: If an input is missing or damaged.
      Unchanged: If there is nothing new.
    """
    if (force is None) != (not (reason or "").strip()):
        raise BadConfigurationError(
            f"--force and --reason come together, got {force!r} and {reason!r}."
        )
    config, day = context.config, context.day
    candidates = {role: context.read(_TRAININGS[role], day) for role in releases.ROLES}
    champion_ref = releases.champion_as_of(context.store, day)
    features = context.read(contract.BUILD_FEATURES.name, day)
    validated = context.read(contract.VALIDATE_EVENTS.name, day)
    past_refs = partitions.features_of(context, partitions.days_before(config, day, 1))
    labels = later_labels(context, [day], through=day)
    inputs = [features.ref, validated.ref, *past_refs, *(each.ref for each in candidates.values())]
    inputs += [champion_ref] if champion_ref is not None else []
    settings = _settings(config, force=force, reason=reason)
    with context.write(inputs=inputs, config=settings, seed=config.seed) as draft:
        compilation.use_cache(context.store)
        champion = None if champion_ref is None else context.store.read(champion_ref)
        earlier = None if champion is None else _evaluation_of(context, champion)
        # Compared is what the days before could have served, without what the day itself says.
        popular = most_popular(context, past_refs[0]) if past_refs else None
        fallback = most_popular(context, features.ref)
        contests = contests_of(context, features, validated, labels)
        if any(getattr(each, "drawn_per_window", 0) for each in contests.values()):
            popular = popular and replace(popular, is_among_drawn=True)
            fallback = replace(fallback, is_among_drawn=True)
        models.save(draft.folder / decisions.FALLBACK, fallback)
        by_role, report, handed_on = {}, {}, {}
        for role, contest in contests.items():
            entrants = entrants_of(
                context,
                role,
                candidates[role],
                champion,
                popular=popular,
                challengers=_challengers(config, earlier, role),
            )
            entrants, results = _judge_all(
                context, contest, entrants, _outputs_folder(config, draft.folder, role)
            )
            report[role] = {name: result.report for name, result in results.items()}
            deciding = figures.of_deciding_users(results, config.evaluate_models)
            decision, handed_on[role] = decide(
                context, entrants, deciding, contest.metric, force=force, reason=reason
            )
            lesson = lessons.sentence(config.evaluate_models, results)
            # A dash on the page says that there is no number, and not why.
            decision = replace(
                decision,
                reasons=(*decision.reasons, *([lesson] if lesson else []), *contest.gaps),
                **figures.of_decision(
                    context,
                    results,
                    metric=contest.metric,
                    entrant=decision.entrant,
                    earlier=None if earlier is None else earlier.facts[role],
                ),
                examples=examples.changes(results, contest.windows, validated.folder),
            )
            logger.info("%s %s: %s.", role, decision.verdict, "; ".join(decision.reasons))
            by_role[role] = decision
        challenger_files.write(draft.folder, handed_on)
        facts = _facts(context, by_role, force=force, reason=reason)
        _write_json(draft.folder / release_files.METRICS_FILE, report)
        _write_json(draft.folder / release_files.DECISION_FILE, facts)
        draft.facts.update(facts, metrics=_summary(report), actions=action_lists.to_json(config))
    return Outcome(context.written_artifact())


def _settings(config: Config, *, force: str | None, reason: str | None) -> dict[str, Any]:
    """The part of the configuration that shapes the comparison and the decision."""
    return {
        "evaluate_models": config.evaluate_models.model_dump(mode="json"),
        "export_corpus": config.export_corpus.model_dump(mode="json"),
        "actions": [[a.name, a.score_weight, a.is_positive] for a in config.actions],
        "action_list": action_lists.recipe(config),
        "hashing": config.hashing.model_dump(mode="json"),
        "force": force,
        "reason": reason,
        # Evidence is handed on by user.
        **forgotten.recipe(config),
    }


def _evaluation_of(context: Context, release: Artifact) -> Artifact:
    """Opens the evaluation that decided on the champion's release, verified."""
    return context.store.read(challenger_files.evaluation_of(release))


def _challengers(config: Config, earlier: Artifact | None, role: str) -> list[Challenger]:
    """Returns the challengers that the evaluation before this one left."""
    return [] if earlier is None else challenger_files.read(earlier, role, config)


def _outputs_folder(config: Config, folder: Path, role: str) -> Path | None:
    """Returns where the predictions for a role are kept, if they are."""
    return folder / "outputs" / role if config.evaluate_models.keep_outputs else None


def _judge_all(
    context: Context,
    contest: RetrievalContest | RankingContest,
    entrants: Entrants,
    outputs: Path | None,
) -> tuple[Entrants, dict[str, Result]]:
    """Returns the results of all who take part, mixtures only where they are asked.

    Returns:
      The entrants without mixtures that the day has settled, and the results by name.
    """
    section = context.config.evaluate_models
    alone = {name: each for name, each in entrants.models.items() if name not in entrants.mixtures}
    results = _judge(contest, alone, outputs)
    entrants = entrants.without_settled(section, figures.of_deciding_users(results, section))
    mixed = {name: each for name, each in entrants.models.items() if name in entrants.mixtures}
    return entrants, results | _judge(contest, mixed, outputs)


def _judge(
    contest: RetrievalContest | RankingContest, models: Mapping[str, Any], outputs: Path | None
) -> dict[str, Result]:
    """Returns the result of each recommender, by its name; none on an empty day."""
    if not len(contest.windows.user_ids):
        return {}  # nobody can be asked: the gate keeps what is there, and says why
    results: dict[str, Result] = {}
    by_model: dict[int, Result] = {}  # a champion may be the most popular recommender itself
    for name, model in models.items():
        if id(model) not in by_model or outputs is not None:
            by_model[id(model)] = contest.judge(model, None if outputs is None else outputs / name)
        results[name] = by_model[id(model)]
    return results


def _facts(
    context: Context,
    by_role: Mapping[str, Decision],
    *,
    force: str | None,
    reason: str | None,
) -> dict[str, Any]:
    """Returns what is decided, for the file of the decision and for the manifest."""
    is_promoted = any(decision.verdict == "promoted" for decision in by_role.values())
    policy = context.config.evaluate_models.approval
    return {
        "day": context.day.isoformat(),
        **{role: decision.to_json() for role, decision in by_role.items()},
        "forced": force,
        "force_reason": reason,
        "approval": policy,
        # Whoever forced the decision has looked at it already.
        "needs_approval": policy == "when_promoted" and is_promoted and force is None,
        "gain_of_an_impression": "sum of the positive weights of the actions that followed, "
        "without actions that every impression has",
    }


def _summary(report: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the metrics without actions and slices, as a table of days shows them."""
    return {
        role: {
            name: {key: value for key, value in values.items() if not isinstance(value, dict)}
            for name, values in by_model.items()
        }
        for role, by_model in report.items()
    }


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.EVALUATE_MODELS, run, argv)


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
