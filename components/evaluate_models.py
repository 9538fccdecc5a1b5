"""Compare candidates, champion and baselines on this day; decide with reasons."""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components import (
    compilation,
    contract,
    data_files,
    decisions,
    drawings,
    eligible_posts,
    models,
    partitions,
    releases,
    shapes,
    step,
    windows_files,
)
from components.artifacts import Artifact, Ref
from components.contest import RankingContest, Result, RetrievalContest
from components.context import Context
from components.decisions import Comparison, Decision
from components.errors import BadConfigurationError
from components.models import ModelFolder
from phoenix import user_metrics
from phoenix.baselines import MostPopular, Random
from phoenix.memory import keep_freed_memory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entrants:
    """Who takes part for one role."""

    role: str
    candidate: Artifact  # of the training step; may hold no model
    champion: Artifact | None  # release
    models: Mapping[str, Any]  # candidate, champion, most_popular, random: those that there are
    notes: tuple[str, ...]  # why one of them is not there

    @property
    def has_candidate(self) -> bool:
        """Whether a model was trained for this day."""
        return "candidate" in self.models


def run(context: Context, *, force: str | None = None, reason: str | None = None) -> Artifact:
    """Writes the decision, the metrics, the drawings and the fallback recommender of the day.

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
    candidates = {role: context.read(f"train_{role}", day) for role in releases.ROLES}
    champion_ref = releases.champion_as_of(context.store, day)
    features = context.read("build_features", day)
    validated = context.read("validate_events", day)
    popularity_days = config.evaluate_models.popularity_days
    past_days = partitions.days_before(config, day, popularity_days)
    past = partitions.features_of(context, past_days)
    inputs = [features.ref, validated.ref, *past, *(each.ref for each in candidates.values())]
    inputs += [champion_ref] if champion_ref is not None else []
    settings = {
        "evaluate_models": config.evaluate_models.model_dump(mode="json"),
        "export_corpus": config.export_corpus.model_dump(mode="json"),
        "actions": [[a.name, a.score_weight, a.is_positive] for a in config.actions],
        "hashing": config.hashing.model_dump(mode="json"),
        "force": force,
        "reason": reason,
    }
    with context.write(inputs=inputs, config=settings, seed=config.seed) as draft:
        compilation.use_cache(context.store)
        champion = None if champion_ref is None else context.store.read(champion_ref)
        popular = _most_popular(context, past) if past else None
        fallback = _most_popular(
            context, [*past[max(0, len(past) + 1 - popularity_days) :], features.ref]
        )
        models.save(draft.folder / decisions.FALLBACK, fallback)
        spec = shapes.hash_spec(config.hashing)
        windows = windows_files.read_windows(features.folder, spec=spec)
        posts = validated.path(data_files.POSTS_FILE)
        contests = {
            "retrieval": RetrievalContest(
                config, windows, eligible_posts.collection_of(posts, config, day)
            ),
            "ranker": RankingContest(config, windows),
        }
        made, report = {}, {}
        for role, contest in contests.items():
            entrants = _entrants(context, role, candidates[role], champion, popular=popular)
            outputs = (
                draft.folder / "outputs" / role if config.evaluate_models.keep_outputs else None
            )
            results = {
                name: contest.judge(model, outputs and outputs / name)
                for name, model in entrants.models.items()
            }
            report[role] = {name: result.report for name, result in results.items()}
            comparison = _comparison(context, contest.metric, results, role)
            made[role] = _decide(context, entrants, comparison, force=force, reason=reason)
            logger.info("%s %s: %s.", role, made[role].verdict, "; ".join(made[role].reasons))
        _draw(draft.folder, report)
        facts = _facts(context, made, force=force, reason=reason)
        _write_json(draft.folder / "metrics.json", report)
        _write_json(draft.folder / "decision.json", facts)
        draft.facts.update(facts, metrics=_summary(report))
    return context.written()


def _most_popular(context: Context, refs: Sequence[Ref]) -> MostPopular:
    paths = [context.store.read_file(ref, data_files.IMPRESSIONS_FILE) for ref in refs]
    parts = [windows_files.read_candidates(path) for path in paths]
    return MostPopular.fit(
        np.concatenate([posts for posts, _ in parts]),
        np.concatenate([actions for _, actions in parts]),
        actions=context.config.action_names,
        positive_actions=[action.name for action in context.config.actions if action.is_positive],
    )


def _entrants(
    context: Context,
    role: str,
    candidate: Artifact,
    champion: Artifact | None,
    *,
    popular: MostPopular | None,
) -> Entrants:
    taking_part: dict[str, Any] = {}
    notes = []
    if candidate.facts["trained"]:
        taking_part["candidate"] = models.load(candidate.path(models.MODEL))
    else:
        notes.append(candidate.facts["reason"])
    usable = champion
    if champion is not None and (problem := _mismatch(context, champion, role)) is not None:
        notes.append(problem)
        usable = None
    if usable is not None and usable.facts[role]["folder"] == role:
        taking_part["champion"] = models.load(usable.path(role))
    elif popular is not None:  # also what a champion that is the most popular is today
        taking_part["champion"] = popular
    if popular is not None:
        taking_part["most_popular"] = popular
    taking_part["random"] = Random(context.config.action_names, context.config.seed)
    return Entrants(role, candidate, usable, taking_part, tuple(notes))


def _mismatch(context: Context, champion: Artifact, role: str) -> str | None:
    """Why the champion's model cannot be used with this configuration, or None."""
    description = ModelFolder(champion, champion.facts[role]["folder"]).description
    if tuple(description["actions"]) != context.config.action_names:
        return f"the champion of {champion.ref.partition} has other actions"
    spec = shapes.hash_spec(context.config.hashing).to_dict()
    if description.get("hash_spec", spec) != spec:
        return f"the champion of {champion.ref.partition} has other hashes"
    declared = [each.to_dict() for each in context.config.attributes.attributes]
    if description.get("config", {}).get("attributes", declared) != declared:
        return f"the champion of {champion.ref.partition} has other attributes"
    return None


def _comparison(
    context: Context, metric: str, results: Mapping[str, Result], role: str
) -> Comparison:
    section = context.config.evaluate_models
    candidate, champion = results.get("candidate"), results.get("champion")
    interval = None
    if candidate and champion and candidate.by_user and champion.by_user:
        interval = user_metrics.gain_interval(
            candidate.by_user, champion.by_user, seed=context.config.seed
        )
    return Comparison(
        metric=metric,
        candidate=candidate.value if candidate else None,
        champion=champion.value if champion else None,
        min_gain=section.retrieval_min_gain if role == "retrieval" else section.ranking_min_gain,
        interval=interval,
    )


def _decide(
    context: Context,
    entrants: Entrants,
    comparison: Comparison,
    *,
    force: str | None,
    reason: str | None,
) -> Decision:
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


def _facts(
    context: Context,
    made: Mapping[str, Decision],
    *,
    force: str | None,
    reason: str | None,
) -> dict[str, Any]:
    is_promoted = any(decision.verdict == "promoted" for decision in made.values())
    policy = context.config.evaluate_models.approval
    return {
        "day": context.day.isoformat(),
        **{role: decision.to_json() for role, decision in made.items()},
        "forced": force,
        "force_reason": reason,
        "approval": policy,
        "needs_approval": policy == "when_promoted" and is_promoted and force is None,
        "gain_of_an_impression": "sum of the positive weights of the actions that followed",
    }


def _summary(report: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The metrics without actions and slices: what a table of days shows."""
    return {
        role: {
            name: {key: value for key, value in values.items() if not isinstance(value, dict)}
            for name, values in by_model.items()
        }
        for role, by_model in report.items()
    }


def _draw(folder: Path, report: Mapping[str, Mapping[str, Any]]) -> None:
    panels = {
        f"{role} {metric}": {name: values.get(metric) for name, values in report[role].items()}
        for role in releases.ROLES
        for metric in report[role]["random"]
        if metric.startswith(("ndcg@", "recall@")) or metric == "gauc"
    }
    drawings.model_bars(folder / "metrics.svg", panels)
    shown = report["ranker"].get("candidate") or report["ranker"].get("champion") or {}
    curves = {
        action: (curve["predicted"], curve["observed"])
        for action, curve in shown.get("calibration", {}).items()
    }
    drawings.calibration(folder / "calibration.svg", curves)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.EVALUATE_MODELS, run, argv)


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
