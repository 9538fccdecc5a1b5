"""The trainer at work for a step: where it starts, progress in the log, errors by exit code.

JAX and the trainer are imported where something is trained: a day on which nothing is does without.
"""

import dataclasses
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import BadConfigurationError, BadDataError, StoppedError
from components.features import day_counts, shapes
from components.features.training_source import FeatureWindows
from components.release import models
from components.run import compilation, signals
from components.run.context import Context
from components.run.tracking import Tracker
from components.training import negatives, trainer_settings
from components.training.negatives import Negatives
from components.training.plan import Plan

if TYPE_CHECKING:
    from phoenix.model_runners import ModelConfig
    from phoenix.train.runner import Progress, TrainingResult

logger = logging.getLogger(__name__)

# Of a ranker and of a retrieval model: the numbers by which one sees whether they learn.
_LOGGED_METRICS = ("auc/", "recall_at_", "dwell_xauc", "validation_loss")


def train(
    context: Context,
    plan: Plan,
    model_config: "ModelConfig",
    *,
    source: FeatureWindows,
    work: Path,
    tracker: Tracker | None = None,
) -> "tuple[TrainingResult, Negatives | None]":
    """Trains as planned, or goes on with a training that was stopped.

    Args:
      context: The run of the training step.
      plan: With days to train on.
      model_config: The model.
      source: The windows of these days.
      work: Folder of the states on the way.
      tracker: Gets the points of the learning curve, too.

    Returns:
      What was trained, and whence a ranker had its negatives.

    Raises:
      BadConfigurationError: If the trainer cannot do what is configured, or not in this memory.
      BadDataError: If the champion or a state is damaged, or training cannot stay finite.
      StoppedError: If the process was asked to stop; the next run goes on.
    """
    compilation.use_cache(context.store)
    from phoenix.train.next_item import SequenceSource
    from phoenix.train.runner import TrainRunner

    logger.info(
        "Training %s on %d windows of %s to %s, from %s.",
        plan.role,
        source.num_windows,
        plan.days[0],
        plan.days[-1],
        plan.start.release.ref if plan.start else "scratch",
    )
    start = None
    if plan.start is not None:
        model = models.load_trained(plan.start.release.path(plan.role))
        start = dataclasses.replace(model, actions=plan.start.actions)
        if plan.start.actions != context.config.action_names:
            new = ", ".join(plan.new_actions(context.config)) or "none"
            logger.info("Its actions are moved by name; those it does not know: %s.", new)

    def on_progress(progress: "Progress") -> None:
        _log_progress(progress)
        if tracker is not None:
            tracker.log_point(progress.metrics)

    with (
        _errors_of_the_step(context, plan, work),
        trainer_settings.in_the_words_of_the_file(plan.role),
        signals.deferred_stop() as should_stop,
    ):
        train_config = trainer_settings.train_config(context.config, plan.role)
        drawn = negatives.of_training(context, plan.role, train_config, source)
        runner = TrainRunner(
            model_config=model_config,
            train_config=train_config,
            compute=trainer_settings.compute_config(context.config, plan.role),
            hash_spec=shapes.hash_spec(context.config.hashing),
            actions=context.config.action_names,
            source=SequenceSource(source) if train_config.learns_next_items else source,
            popularity=day_counts.popularity_before(context, plan.days)
            if model_config.reads_popularity
            else None,
            start=start,
            known_posts=negatives.posts_of_retrieval(context, model_config, train_config, source)
            if drawn is None
            else drawn.known_posts,
            checkpoint_directory=work,
            on_progress=on_progress,
            should_stop=should_stop,
        )
        result = runner.run()
        if plan.start is not None:
            steps, reason = result.optimizer
            went = f"went on after {steps} steps" if reason is None else f"is a new one: {reason}"
            logger.info("The optimizer of the champion %s.", went)
        return result, drawn


@contextmanager
def _errors_of_the_step(context: Context, plan: Plan, work: Path) -> Iterator[None]:
    """Raises errors of the trainer as those of the step, whose class is the exit code."""
    from jax.errors import JaxRuntimeError

    from phoenix.files.verified_files import CheckpointError
    from phoenix.train.optimizer import DivergenceError
    from phoenix.train.runner import StopTraining

    try:
        yield
    except DivergenceError as error:
        raise BadDataError(f"{context.step.name} of {context.day}: {error}") from error
    except (MemoryError, JaxRuntimeError) as error:
        # JAX has one class for all that goes wrong on a device, and names memory in the text alone.
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


def _log_progress(progress: "Progress") -> None:
    metrics = [
        f", {name} {value:.4f}"
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
        "".join(metrics),
    )
