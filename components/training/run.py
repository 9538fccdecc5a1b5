"""What both training steps share: which days, from which model on, and how to keep what came out.

The training of a day reads features of the days before it and nothing of the day itself. It starts
from the champion as of the day where that is a model of the same shape, with the days that it has
not seen, and from scratch on the whole window where it is not.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.drawings import charts
from components.errors import BadConfigurationError, BadDataError, StoppedError
from components.features import shapes
from components.features.partitions import features_of
from components.features.training_source import FeatureWindows, feature_windows
from components.release import models
from components.release.models import MODEL
from components.run import compilation, hosts, signals, tracking
from components.run.context import Context
from components.store.artifacts import Artifact, Draft, Ref, Unchanged
from components.training import trainer_settings
from components.training.plan import Plan

if TYPE_CHECKING:
    from phoenix.model_runners import ModelConfig
    from phoenix.train.runner import Progress, TrainingResult

logger = logging.getLogger(__name__)

_NOTHING, _WRITTEN = "nothing", "written"  # what the leader says, beside the key of the draft
_LOGGED_METRICS = ("auc/", "recall_at_", "dwell_xauc", "validation_loss")
# What no number depends on by more than the order of sums.
_NOT_IN_THE_RECIPE = {
    "tracking": True,
    "input": {"prefetch"},
    "devices": {"num_data_shards", "num_table_shards"},
}


def run(context: Context, plan: Plan, model_config: "ModelConfig") -> Artifact:
    """Trains as planned and writes the artifact: model, learning curve, facts.

    Raises:
      BadConfigurationError: If the trainer cannot do what is configured, or not here.
      BadDataError: If features are missing or damaged, or training cannot stay finite.
      Unchanged: If there is nothing new.
    """
    config, section = context.config, trainer_settings.section_of(context.config, plan.role)
    hosts.join()
    if plan.reason is None:
        from components.training import check  # With the trainer, which other days do without.

        check.check(config, plan.role)
    inputs = features_of(context, plan.days)
    if plan.champion is not None:
        inputs.append(plan.champion.ref)
    settings = {
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
        "min_windows": section.min_windows,
        "reason": plan.reason,
    }
    if not hosts.is_leader():
        return _follow(context, plan, model_config, refs=inputs[: len(plan.days)])
    try:
        with context.write(inputs=inputs, config=settings, seed=config.seed) as draft:
            facts: dict[str, Any] = {"trained": False, "reason": plan.reason}
            if plan.reason is None:
                source = feature_windows(context, inputs[: len(plan.days)])
                if source.num_windows < section.min_windows:
                    facts["reason"] = (
                        f"{source.num_windows} windows, fewer than min_windows, "
                        f"{section.min_windows}"
                    )
                else:
                    facts = _train(context, plan, model_config, source=source, draft=draft)
            draft.facts.update(
                facts,
                partitions=[day.isoformat() for day in plan.days],
                started_from=plan.champion and plan.champion.ref.partition,
            )
            if not facts["trained"]:
                hosts.agree(_NOTHING)
                logger.info("Nothing is trained: %s.", facts["reason"])
    except Unchanged:
        hosts.agree(_NOTHING)
        hosts.agree(_WRITTEN)
        raise
    hosts.agree(_WRITTEN)
    return context.written_artifact()


def _train(
    context: Context,
    plan: Plan,
    model_config: "ModelConfig",
    *,
    source: FeatureWindows,
    draft: Draft,
) -> dict[str, Any]:
    section = trainer_settings.section_of(context.config, plan.role)
    hosts.agree(draft.key)
    work = work_folder(context, draft.key)
    title = f"{plan.section_name} of {context.day}"
    parameters = section.model_dump(mode="json")
    with tracking.tracked(section.tracking, name=title, parameters=parameters) as tracker:
        result = _result(context, plan, model_config, source=source, work=work, tracker=tracker)
        models.save(draft.folder / MODEL, result.model)
        _keep_curve(draft.folder, result, title=title)
        if tracker is not None:
            tracker.log_files(draft.folder)
    shutil.rmtree(work, ignore_errors=True)
    return {
        "trained": True,
        "windows": source.num_windows,
        "steps": result.steps,
        "result": result.state._asdict(),
        "skipped_steps": result.skipped_steps,
        "stopped_early": result.stopped_early,
        "first_loss": result.curve[0]["loss"] if result.curve else None,
        "last_loss": result.curve[-1]["loss"] if result.curve else None,
        "last_point": result.curve[-1] if result.curve else None,
    }


def _follow(
    context: Context, plan: Plan, model_config: "ModelConfig", *, refs: Sequence[Ref]
) -> Artifact:
    """Trains with the leader, if it trains, and returns what the leader wrote."""
    key = hosts.agree("")
    if key != _NOTHING:
        source = feature_windows(context, refs)
        _result(context, plan, model_config, source=source, work=work_folder(context, key))
    hosts.agree("")  # Waits until the leader has written.
    return context.written_artifact()


def _result(
    context: Context,
    plan: Plan,
    model_config: "ModelConfig",
    *,
    source: FeatureWindows,
    work: Path,
    tracker: tracking.Tracker | None = None,
) -> "TrainingResult":
    compilation.use_cache(context.store)
    from jax.errors import JaxRuntimeError

    from phoenix.files.verified_files import CheckpointError
    from phoenix.train.next_item import SequenceSource
    from phoenix.train.optimizer import NonFiniteError
    from phoenix.train.runner import StopTraining, TrainRunner

    logger.info(
        "Training %s on %d windows of %s to %s, from %s.",
        plan.role,
        source.num_windows,
        plan.days[0],
        plan.days[-1],
        plan.champion.ref if plan.champion else "scratch",
    )
    start = None
    if plan.champion is not None:
        start = models.load_trained(plan.champion.path(plan.role))

    def on_progress(progress: "Progress") -> None:
        _log_progress(progress)
        if tracker is not None:
            tracker.log_point(progress.metrics)

    how = trainer_settings.train_config(context.config, plan.role)
    try:
        with (
            trainer_settings.in_the_words_of_the_file(plan.role),
            signals.deferred_stop() as should_stop,
        ):
            return TrainRunner(
                model_config=model_config,
                train_config=how,
                compute=trainer_settings.compute_config(context.config, plan.role),
                hash_spec=shapes.hash_spec(context.config.hashing),
                actions=context.config.action_names,
                source=SequenceSource(source) if how.learns_next_items else source,
                start=start,
                checkpoint_directory=work,
                on_progress=on_progress,
                should_stop=should_stop,
            ).run()
    except NonFiniteError as error:
        raise BadDataError(f"{context.step.name} of {context.day}: {error}") from error
    except (MemoryError, JaxRuntimeError) as error:
        if isinstance(error, JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise BadConfigurationError(
            f"`{plan.section_name}`: there is not enough memory; lower `batch_size`, the sizes of "
            f"`model` or those of `hashing`, or raise `optimizer.accumulation_steps`: {error}"
        ) from error
    except CheckpointError as error:
        raise BadDataError(f"{error} Remove {work}: the training then starts anew.") from error
    except StopTraining as stop:
        raise StoppedError(f"{stop} The next run goes on from there.") from stop


def work_folder(context: Context, key: str) -> Path:
    """Where the states of this very training run are kept between a kill and the rerun.

    It depends on the recipe, so another run never finds it, and it is removed after success.
    """
    name = f"work/{context.step.name}-{key}"
    storage = context.store.storage
    if storage.is_local:
        return Path(storage.uri(name))
    return Path(tempfile.gettempdir()) / f"phoenix-{name.replace('/', '-')}"


def _log_progress(progress: "Progress") -> None:
    shown = [
        f"{name} {value:.4f}"
        for name, value in progress.metrics.items()
        if name.startswith(_LOGGED_METRICS)
    ]
    logger.info(
        "Step %d of %d: loss %.4f, %.0f windows/s, %.0f s to go%s.",
        progress.step,
        progress.total_steps,
        progress.loss,
        progress.windows_per_second,
        progress.eta_seconds,
        "".join(f", {each}" for each in shown),
    )


def _keep_curve(folder: Path, result: "TrainingResult", *, title: str) -> None:
    text = json.dumps(result.curve, indent=1, sort_keys=True)
    (folder / "curve.json").write_text(text + "\n", encoding="utf-8")
    charts.learning_curve(folder / "curve.svg", result.curve, title=title)
