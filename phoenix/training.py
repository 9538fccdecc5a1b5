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

from phoenix.batches import WindowSource
from phoenix.hashing import HashSpec
from phoenix.mesh import Placement, is_writer
from phoenix.model_runners import ModelConfig
from phoenix.objectives import objective_of
from phoenix.optimizer import optimizer_of
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train_config import (
    ComputeConfig,
    RankerTrainConfig,
    RetrievalTrainConfig,
    TrainConfig,
    settings_for,
)
from phoenix.train_loop import HeldOut, Progress, TrainLoop
from phoenix.train_states import StateEntry, TrainStates
from phoenix.trained import TrainedModel
from phoenix.verified_files import CheckpointError

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


@dataclass(kw_only=True)
class TrainRunner:
    """Trains one model on one source; `run` may be called once.

    Override `validate` or `point` to add metrics of your own: what they return is in the curve, can
    be monitored for early stopping and the best checkpoint, and is tracked.
    """

    model_config: ModelConfig
    train_config: TrainConfig
    hash_spec: HashSpec
    actions: tuple[str, ...]
    source: WindowSource
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    start: TrainedModel | None = None  # Warm start: its parameters, rows and accumulators.
    checkpoint_directory: Path | None = None  # Resumes from what is there.
    on_progress: Callable[[Progress], None] | None = None
    should_stop: Callable[[], bool] = bool  # Asked after every step; never, by default.

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
          NonFiniteError: If more steps in a row than allowed had to be skipped, or the loss of a
            validation is not finite.
          StopTraining: If `should_stop` said so.
          OSError: If a training state could not be written; older ones are untouched.
        """
        self._check_parts()
        loop = TrainLoop(self)
        # Whoever overrides `validate` may have more metrics than are known before the first one.
        if self.train_config.is_validated and type(self).validate is TrainRunner.validate:
            loop.check_monitor()
        states = self._states()
        if states is not None and (found := states.find()) is not None:
            loop.resume(found)
        try:
            with loop:
                self._train(loop, states)
        finally:
            if states is not None:
                states.wait()
        # Before the chosen state, maybe an earlier one, takes the place of the last.
        story = loop.curve, loop.step, loop.skipped_steps, loop.step < loop.total_steps
        model = self._result(loop, states)
        return TrainingResult(model, self._chosen(loop), *story)

    def checkpoint(self, name: str) -> TrainedModel:
        """Returns the model of a checkpoint of this run: `last`, `best` or `epoch_<number>`.

        Raises:
          CheckpointError: If there is none of that name, or it is damaged.
          ValueError: If it belongs to another run.
        """
        states = self._states()
        found = None if states is None else states.find(name)
        if found is None:
            where = self.checkpoint_directory or "no checkpoint directory"
            raise CheckpointError(f"{where}: expected a checkpoint {name!r}; there are none.")
        return self._restored(TrainLoop(self), found)

    def _train(self, loop: TrainLoop, states: TrainStates | None) -> None:
        config = self.train_config
        while loop.step < loop.total_steps and not loop.is_patience_over:
            loop.run_step()
            is_stopped = self._is_stopped(loop)
            is_last = loop.step == loop.total_steps
            is_epoch_end = loop.is_epoch_end
            if loop.is_validation_due:
                loop.validate()
            if loop.step % config.curve.every_steps == 0 or is_epoch_end:
                progress = loop.log_point()
                if self.on_progress is not None and is_writer():
                    self.on_progress(progress)
            # A short run is done again sooner than it is read back.
            is_due = loop.step % config.checkpoint_every_steps == 0
            is_due |= is_last and loop.total_steps >= config.checkpoint_every_steps
            is_due |= is_epoch_end and config.checkpoints.keeps_epochs
            is_due |= loop.is_new_best and config.checkpoints.result == "best"
            if states is not None and (is_due or is_stopped):
                loop.save(states)
            if is_stopped and not is_last:
                if states is not None:
                    states.wait()
                raise StopTraining(f"Stopped after step {loop.step} of {loop.total_steps}.")

    def _is_stopped(self, loop: TrainLoop) -> bool:
        """Whether to stop now; several processes must all stop at the same step."""
        if jax.process_count() == 1:
            return self.should_stop()
        if loop.step % self.train_config.curve.every_steps:
            return False
        from jax.experimental import multihost_utils

        asked = np.array(self.should_stop())
        return bool(np.any(multihost_utils.process_allgather(asked)))

    def _result(self, loop: TrainLoop, states: TrainStates | None) -> TrainedModel:
        if self.train_config.checkpoints.result == "last" or states is None:
            return loop.model()
        found = states.find(self.train_config.checkpoints.result)
        return loop.model() if found is None else self._restored(loop, found)

    def _chosen(self, loop: TrainLoop) -> ChosenState:
        config = self.train_config
        return ChosenState(
            config.checkpoints.result,
            loop.step,
            loop.epoch + 1,
            config.validation.monitor,
            loop.monitored,
        )

    def _restored(self, loop: TrainLoop, found: StateEntry) -> TrainedModel:
        loop.resume(found)
        return loop.model()

    def _states(self) -> TrainStates | None:
        if self.checkpoint_directory is None:
            return None
        return TrainStates(self.checkpoint_directory, keep=self.train_config.checkpoints.keep)

    def _check_parts(self) -> None:
        self.actions = tuple(self.actions)
        check_settings(self.model_config, self.train_config, self.actions, self.compute)
        if self.checkpoint_directory is None and self.train_config.checkpoints.result != "last":
            raise self.train_config.error(
                "checkpoints",
                "result",
                expected="'last' where there is no checkpoint directory",
                got=f"{self.train_config.checkpoints.result!r}.",
            )
        spec, hashes = self.hash_spec, self.model_config.hashes
        expected = (hashes.num_user_hashes, hashes.num_item_hashes, hashes.num_author_hashes)
        actual = (spec.user.num_hashes, spec.post.num_hashes, spec.author.num_hashes)
        if expected != actual:
            raise ValueError(
                f"The model reads {expected} hashes per user, post and author; the hash "
                f"specification has {actual}."
            )
        if self.start is None:
            return
        for name, ours, theirs in (
            ("configuration", self.model_config, self.start.config),
            ("hash specification", spec, self.start.hash_spec),
            ("action list", self.actions, self.start.actions),
        ):
            if ours != theirs:
                raise ValueError(f"The model to start from has another {name}: {theirs}.")
