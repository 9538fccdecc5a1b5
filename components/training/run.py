"""One run of a training step: from its plan to the artifact with model, learning curve and facts.

The training of a day reads features of the days before it and nothing of the day itself. It starts
from the champion as of the day where that is a model of the same shape, with the days that it has
not seen, and from scratch on the whole window where it is not.
"""

import datetime
import functools
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.features import day_counts
from components.features.later_labels import LaterLabels, later_labels
from components.features.partitions import features_of
from components.features.training_source import FeatureWindows, feature_windows
from components.release import models, release_files
from components.run import hosts, provenance, tracking
from components.run.context import Context
from components.store.artifacts import Artifact, Draft, Ref
from components.tables import action_lists
from components.training import log_rules, trainer, trainer_settings
from components.training.auto import Origin
from components.training.leading import Leader, following, leading
from components.training.plan import Plan

if TYPE_CHECKING:
    from phoenix.model_runners import ModelConfig
    from phoenix.train.runner import TrainingResult

logger = logging.getLogger(__name__)

# What no number depends on by more than the order of sums.
_NOT_IN_THE_RECIPE = {
    "tracking": True,
    "window_budget": True,  # `window_days` is
    "input": {"prefetch"},
    "devices": {"num_data_shards", "num_table_shards"},
}


def run(
    context: Context, plan: Plan, model_config: "ModelConfig", *, origin: Origin | None
) -> Artifact:
    """Trains as planned and writes the artifact: model, learning curve, facts.

    Where several processes train together, each calls this; the first writes, and all return what
    it wrote.

    Args:
      context: The run, with numbers in place of settings that are `auto`.
      plan: The days and the start.
      model_config: The model of the configuration.
      origin: Whence the numbers are that were `auto`.

    Raises:
      BadConfigurationError: If the trainer cannot do what is configured, or not here.
      BadDataError: If features are missing or damaged, or training cannot stay finite.
      Unchanged: If there is nothing new.
    """
    hosts.join()
    if plan.reason is None:
        from components.training import check  # With the trainer, which other days do without.

        check.check(context.config, plan.role)
    feature_refs = features_of(context, plan.days)
    # What arrived by the end of the day before; later labels change no training of this day.
    yesterday = context.day - datetime.timedelta(days=1)
    labels = later_labels(context, plan.days, through=yesterday)
    if not hosts.is_leader():
        return _follow(context, plan, model_config, feature_refs, labels)
    champions = [] if plan.start is None else [plan.start.release.ref]
    inputs = [*feature_refs, *labels.refs, *champions, *_counts_before(context, plan, model_config)]
    auto = None if origin is None else origin.to_json()
    settings = {**settings_of(context, plan, model_config), "auto": auto}
    with (
        leading() as leader,
        context.write(inputs=inputs, config=settings, seed=context.config.seed) as draft,
    ):
        source = functools.partial(
            feature_windows,
            context,
            feature_refs,
            labels,
            has_evidence=model_config.reads_evidence,
        )
        facts = _make(context, plan, model_config, source, leader=leader, draft=draft)
        draft.facts.update(
            facts,
            partitions=[day.isoformat() for day in plan.days],
            actions=action_lists.to_json(context.config),
            started_from=plan.start and plan.start.release.ref.partition,
            new_actions=plan.new_actions(context.config),
            scratch_reason=plan.scratch_reason,
            auto=auto,
        )
    return context.written_artifact()


def _counts_before(context: Context, plan: Plan, model_config: "ModelConfig") -> list[Ref]:
    """Returns the features before the first day, whose counts a model reads, if it reads any."""
    if not (model_config.reads_popularity and plan.days):
        return []
    ref = day_counts.counted_before(context, plan.days[0])
    return [] if ref is None else [ref]


def settings_of(context: Context, plan: Plan, model_config: "ModelConfig") -> dict[str, Any]:
    """Returns the part of the configuration that shapes the artifact of a training."""
    config, section = context.config, trainer_settings.section_of(context.config, plan.role)
    negatives = {"negative_actions": config.negative_actions} if plan.role == "retrieval" else {}
    return {
        **negatives,
        plan.section_name: section.model_dump(mode="json", exclude=_NOT_IN_THE_RECIPE),
        "model": model_config.to_dict(),
        "hashing": config.hashing.model_dump(mode="json"),
        "actions": [
            [
                action.name,
                action.loss_weight,
                action.focal_gamma,
                action.jrc_share,
                action.is_positive,
            ]
            for action in config.actions
        ],
        "action_list": action_lists.recipe(config),
        "min_windows": section.min_windows,
        # Not trained, or from scratch, for another reason is another artifact.
        "reason": plan.reason,
        "scratch_reason": plan.scratch_reason,
    }


def _make(
    context: Context,
    plan: Plan,
    model_config: "ModelConfig",
    open_source: Callable[[], FeatureWindows],
    *,
    leader: Leader,
    draft: Draft,
) -> dict[str, Any]:
    """Trains if there is reason and data enough, and returns the facts."""
    reason = plan.reason
    if reason is None:
        source = open_source()
        min_windows = trainer_settings.section_of(context.config, plan.role).min_windows
        if source.num_windows >= min_windows:
            leader.begin(draft.key)
            return _train(context, plan, model_config, source=source, draft=draft)
        path = f"{context.step.name}.min_windows"
        reason = f"{source.num_windows} windows, and `{path}` asks for {min_windows}"
    logger.info("Nothing is trained: %s.", reason)
    return {"trained": False, "reason": reason}


def _train(
    context: Context,
    plan: Plan,
    model_config: "ModelConfig",
    *,
    source: FeatureWindows,
    draft: Draft,
) -> dict[str, Any]:
    """Trains, writes model and learning curve into the draft, and returns the facts."""
    section = trainer_settings.section_of(context.config, plan.role)
    work = work_folder(context, draft.key)
    title = f"{plan.section_name} of {context.day}"
    parameters = section.model_dump(mode="json")
    with tracking.tracked(section.tracking, name=title, parameters=parameters) as tracker:
        result, negatives = trainer.train(
            context, plan, model_config, source=source, work=work, tracker=tracker
        )
        models.save(draft.folder / models.MODEL, result.model)
        _write_curve(draft.folder, result)
        if tracker is not None:
            tracker.log_curve(draft.folder / release_files.CURVE_FILE, title)
    # Only now: until everything is in the draft, a kill is repaired from the states in there.
    shutil.rmtree(work, ignore_errors=True)
    return {
        "trained": True,
        "device": provenance.environment()["device"],  # rounding differs by the kind of device
        "windows": source.num_windows,
        "steps": result.steps,
        "too_short": log_rules.too_few_steps(result.steps, source.num_windows),
        "result": result.state._asdict(),
        "skipped_steps": result.skipped_steps,
        "optimizer": result.optimizer._asdict(),
        "stopped_early": result.stopped_early,
        "first_loss": result.curve[0]["loss"] if result.curve else None,
        "last_loss": result.curve[-1]["loss"] if result.curve else None,
        "last_point": result.curve[-1] if result.curve else None,
        **({} if negatives is None else {"negatives": negatives.facts}),
    }


def _follow(
    context: Context,
    plan: Plan,
    model_config: "ModelConfig",
    feature_refs: Sequence[Ref],
    labels: LaterLabels,
) -> Artifact:
    """Trains with the leader, if it trains, and returns what the leader wrote."""
    with following() as key:
        if key is not None:
            has_evidence = model_config.reads_evidence
            source = feature_windows(context, feature_refs, labels, has_evidence=has_evidence)
            work = work_folder(context, key)
            trainer.train(context, plan, model_config, source=source, work=work)
    return context.written_artifact()


def work_folder(context: Context, key: str) -> Path:
    """The folder of the states of this very training run, from a kill to the rerun.

    It depends on the recipe, so another run never finds it, and it is removed after success.

    Args:
      context: The run of the training step.
      key: Of the artifact.
    """
    name = f"work/{context.step.name}-{key}"
    storage = context.store.storage
    if storage.is_local:
        return Path(storage.uri(name))
    # The trainer needs a file system: beside a remote store, states last as long as this machine.
    return Path(tempfile.gettempdir()) / f"phoenix-{name.replace('/', '-')}"


def _write_curve(folder: Path, result: "TrainingResult") -> None:
    """Writes the points of the learning curve."""
    text = json.dumps(result.curve, indent=1, sort_keys=True)
    (folder / release_files.CURVE_FILE).write_text(text + "\n", encoding="utf-8")
