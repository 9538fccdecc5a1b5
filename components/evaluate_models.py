"""Compare candidates, champion and baselines on this day; decide with reasons."""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components import contract, step
from components.drawings import charts
from components.errors import BadConfigurationError
from components.evaluation.contest import RankingContest, RetrievalContest
from components.evaluation.entrants import entrants_of, most_popular
from components.evaluation.gate import compare, decide
from components.features import partitions, shapes, windows_files
from components.release import decisions, eligible_posts, models, releases
from components.release.decisions import Decision
from components.run import compilation
from components.run.context import Context, Outcome
from components.tables import data_files
from phoenix.memory import keep_freed_memory

logger = logging.getLogger(__name__)


def run(context: Context, *, force: str | None = None, reason: str | None = None) -> Outcome:
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
        popular = most_popular(context, past) if past else None
        fallback = most_popular(
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
            entrants = entrants_of(context, role, candidates[role], champion, popular=popular)
            outputs = (
                draft.folder / "outputs" / role if config.evaluate_models.keep_outputs else None
            )
            results = {
                name: contest.judge(model, outputs and outputs / name)
                for name, model in entrants.models.items()
            }
            report[role] = {name: result.report for name, result in results.items()}
            comparison = compare(context, contest.metric, results, role)
            made[role] = decide(context, entrants, comparison, force=force, reason=reason)
            logger.info("%s %s: %s.", role, made[role].verdict, "; ".join(made[role].reasons))
        _draw(draft.folder, report)
        facts = _facts(context, made, force=force, reason=reason)
        _write_json(draft.folder / "metrics.json", report)
        _write_json(draft.folder / "decision.json", facts)
        draft.facts.update(facts, metrics=_summary(report))
    return Outcome(context.written_artifact())


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
    charts.model_bars(folder / "metrics.svg", panels)
    shown = report["ranker"].get("candidate") or report["ranker"].get("champion") or {}
    curves = {
        action: (curve["predicted"], curve["observed"])
        for action, curve in shown.get("calibration", {}).items()
    }
    charts.calibration(folder / "calibration.svg", curves)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.EVALUATE_MODELS, run, argv)


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
