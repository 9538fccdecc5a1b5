"""One trainer for both models.

A step looks up the rows of a batch, differentiates the loss with respect to the dense parameters
and to those rows, and updates both in donated buffers. A step with a non-finite loss or gradient
changes nothing. Everything is a function of the inputs and the seed: two runs give the same bits,
and so does a run that was killed and resumed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from phoenix.data.engagement.popularity import PopularityByDay
from phoenix.data.hashing import HashSpec
from phoenix.data.negatives.known_posts import PostsByDay
from phoenix.data.window_source import WindowSource
from phoenix.files.verified_files import CheckpointError
from phoenix.model_runners import ModelConfig
from phoenix.recommend.trained import TrainedModel
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train.config import (
    ComputeConfig,
    RankerTrainConfig,
    RetrievalTrainConfig,
    TrainConfig,
    settings_for,
)
from phoenix.train.loop import TrainLoop
from phoenix.train.objectives.by_model import objective_of
from phoenix.train.optimizer import optimizer_of
from phoenix.train.placement import Placement, is_writer
from phoenix.train.progress import Progress
from phoenix.train.run import Run
from phoenix.train.states import StateEntry, TrainStates
from phoenix.train.step import OptimizerStart
from phoenix.train.validation import HeldOut

__all__ = ["Progress", "StopTraining", "TrainConfig", "TrainRunner", "TrainingResult"]


class StopTraining(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Training was asked to stop; what was done is saved where there is a checkpoint directory."""


class ChosenState(NamedTuple):
    """The state that became the model."""

    name: str  # last, best or epoch_<number>, as configured
    step: int  # Steps done by then.
    epoch: int  # Of the last of them, counted from 1, as in `epoch_<number>`.
    monitor: str  # The metric by which states are compared,
    value: float | None  # and its value, if this state was validated.


class TrainingResult(NamedTuple):
    """A trained model, and how it came about."""

    model: TrainedModel
    state: ChosenState
    curve: list[dict[str, float]]  # step, epoch, loss, and what the objective logs; no times
    steps: int  # To the end of the run, whichever state became the model; skipped ones included.
    skipped_steps: int
    optimizer: OptimizerStart
    stopped_early: bool = False


def check_settings(
    model_config: ModelConfig,
    train_config: TrainConfig,
    actions: Sequence[str],
    compute: ComputeConfig,
) -> None:
    """Checks that what each object allows fits together, and to this machine; reads no data.

    Raises:
      ConfigError: If it does not.
      ValueError: If the configurations know other actions than `actions`.
    """
    is_retrieval = isinstance(model_config, PhoenixRetrievalModelConfig)
    settings_for(RetrievalTrainConfig if is_retrieval else RankerTrainConfig, train_config)
    parts = compute.devices.num_data_shards * train_config.optimizer.accumulation_steps
    train_config.check(
        train_config.batch_size % parts == 0,
        "batch_size",
        expected="a multiple of `devices.num_data_shards` x `optimizer.accumulation_steps`, "
        f"{parts}",
        got=train_config.batch_size,
    )
    objective_of(model_config, actions, train_config)
    optimizer_of(train_config, 1)
    Placement.of(compute)


def _never() -> bool:
    return False


@dataclass(kw_only=True)
class TrainRunner:
    """Trains one model on one source, once.

    Override `validate` or `point` to add metrics of your own: what they return is in the curve, can
    be monitored for early stopping and the best checkpoint, and is tracked.
    """

    model_config: ModelConfig
    train_config: TrainConfig
    hash_spec: HashSpec
    actions: tuple[str, ...]
    source: WindowSource
    popularity: PopularityByDay | None = None  # where the model reads it
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    start: TrainedModel | None = None  # Warm start: its parameters, rows and accumulators.
    # A ranker draws negatives from them: the posts of the days of all windows. None draws nothing.
    known_posts: PostsByDay | None = None
    checkpoint_directory: Path | None = None  # Resumes from what is there.
    on_progress: Callable[[Progress], None] | None = None
    should_stop: Callable[[], bool] = _never  # Asked after every step.
    _has_started: bool = field(default=False, init=False, repr=False, compare=False)

    def validate(self, held_out: HeldOut) -> dict[str, float]:
        """Returns metrics of the windows that are held out, by default all of the objective."""
        return held_out.metrics()

    def point(self, metrics: dict[str, float]) -> dict[str, float]:
        """Returns a point of the curve: what is given, by default."""
        return metrics

    def run(self) -> TrainingResult:
        """Trains to the end, from the last training state if there is one.

        Raises:
          ConfigError: If a device is missing, or the configuration asks for what is not there.
          ValueError: If the parts do not fit together, the source has no window to train on, or
            the training state belongs to another run.
          CheckpointError: If training states exist and all are damaged.
          DivergenceError: If more steps in a row than allowed had to be skipped, or the loss of a
            validation is not finite.
          StopTraining: If `should_stop` said so.
          OSError: If a training state could not be written; older ones are untouched.
          RuntimeError: If this runner has trained before.
        """
        if self._has_started:
            raise RuntimeError("This runner has trained before: make another one to train again.")
        self._check_settings()
        loop = TrainLoop(self._make_run())
        if self.train_config.is_validated and not self._has_own_metrics:
            loop.check_monitor()
        self._has_started = True
        states = self._states()
        if states is not None and (newest := states.find()) is not None:
            loop.resume(newest)
        try:
            with loop:
                self._train(loop, states)
        finally:
            if states is not None:
                states.wait()
        # Of the whole run: below, that of the state which becomes the model takes its place.
        progress = loop.progress
        model = self._result(loop, states)
        return TrainingResult(
            model=model,
            state=self._model_state(loop),
            curve=progress.curve,
            steps=progress.step,
            skipped_steps=progress.skipped_steps,
            optimizer=loop.optimizer,
            stopped_early=progress.step < loop.run.epochs.num_steps,
        )

    def checkpoint(self, name: str) -> TrainedModel:
        """Returns the model of a checkpoint of this run: `last`, `best` or `epoch_<number>`.

        Raises:
          CheckpointError: If there is none of that name, or it is damaged.
          ValueError: If it belongs to another run.
        """
        states = self._states()
        state = None if states is None else states.find(name)
        if state is None:
            where = self.checkpoint_directory or "no checkpoint directory"
            raise CheckpointError(f"{where}: expected a checkpoint {name!r}; there are none.")
        return _model_of(TrainLoop(self._make_run()), state)

    @property
    def _has_own_metrics(self) -> bool:
        """Whether a subclass validates its own way: its metrics are known after a validation."""
        return type(self).validate is not TrainRunner.validate

    def _check_settings(self) -> None:
        check_settings(self.model_config, self.train_config, tuple(self.actions), self.compute)
        if self.checkpoint_directory is None and self.train_config.checkpoints.result != "last":
            raise self.train_config.error(
                "checkpoints",
                "result",
                expected="'last' where there is no checkpoint directory",
                got=f"{self.train_config.checkpoints.result!r}.",
            )

    def _make_run(self) -> Run:
        return Run(
            model_config=self.model_config,
            train_config=self.train_config,
            hash_spec=self.hash_spec,
            actions=tuple(self.actions),
            source=self.source,
            popularity=self.popularity,
            compute=self.compute,
            start=self.start,
            known_posts=self.known_posts,
        )

    def _train(self, loop: TrainLoop, states: TrainStates | None) -> None:
        config, progress, epochs = self.train_config, loop.progress, loop.run.epochs
        while progress.step < epochs.num_steps and not loop.is_patience_over:
            loop.run_step()
            is_stopped = self._is_stopped(progress.step)
            is_last = progress.step == epochs.num_steps
            is_epoch_end = epochs.is_end(progress.step)
            is_best = loop.is_validation_due and loop.validate(self.validate)
            if progress.step % config.curve.every_steps == 0 or is_epoch_end:
                point = loop.log_point(self.point)
                if self.on_progress is not None and is_writer():
                    self.on_progress(point)
            # A short run is done again sooner than it is read back.
            is_due = progress.step % config.checkpoint_every_steps == 0
            is_due |= is_last and epochs.num_steps >= config.checkpoint_every_steps
            is_due |= is_epoch_end and config.checkpoints.keeps_epochs
            is_due |= is_best and config.checkpoints.result == "best"
            if states is not None and (is_due or is_stopped):
                loop.save(states, is_best=is_best)
            if is_stopped and not is_last:
                if states is not None:
                    states.wait()
                raise StopTraining(f"Stopped after step {progress.step} of {epochs.num_steps}.")

    def _is_stopped(self, step: int) -> bool:
        """Whether to stop after `step`; several processes must all stop at the same one."""
        if jax.process_count() == 1:
            return self.should_stop()
        if step % self.train_config.curve.every_steps:
            return False
        from jax.experimental import multihost_utils

        should_stop = np.array(self.should_stop())
        return bool(np.any(multihost_utils.process_allgather(should_stop)))

    def _result(self, loop: TrainLoop, states: TrainStates | None) -> TrainedModel:
        if self.train_config.checkpoints.result == "last" or states is None:
            return loop.model()
        state = states.find(self.train_config.checkpoints.result)
        return loop.model() if state is None else _model_of(loop, state)

    def _model_state(self, loop: TrainLoop) -> ChosenState:
        config, progress = self.train_config, loop.progress
        return ChosenState(
            name=config.checkpoints.result,
            step=progress.step,
            epoch=loop.run.epochs.epoch_of(progress.step) + 1,
            monitor=config.validation.monitor,
            value=progress.value_of(config.validation.monitor),
        )

    def _states(self) -> TrainStates | None:
        if self.checkpoint_directory is None:
            return None
        return TrainStates(self.checkpoint_directory, keep=self.train_config.checkpoints.keep)


def _model_of(loop: TrainLoop, state: StateEntry) -> TrainedModel:
    loop.resume(state)
    return loop.model()
