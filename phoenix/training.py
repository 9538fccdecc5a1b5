"""One trainer for both models.

A step looks up the rows of a batch, differentiates the loss with respect to the dense parameters
and to those rows, and updates both in donated buffers. A step with a non-finite loss or gradient
changes nothing. Everything is a function of the inputs and the seed: two runs give the same bits,
and so does a run that was killed and resumed.
"""

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax

from phoenix import checkpoint
from phoenix.batches import (
    PostFrequencies,
    TrainBatch,
    WindowSource,
    epoch_order,
    model_inputs,
    padded,
    train_batch,
)
from phoenix.config import JsonConfig, check, check_counts
from phoenix.embedding import EmbeddingTables, initial_tables, lookup, update
from phoenix.hashing import HashSpec
from phoenix.objectives import ModelConfig, Objective, objective_of
from phoenix.optimizer import NonFiniteError, OptimizerConfig, leaf_names, non_finite_flags, select
from phoenix.recsys_model import RecsysBatch
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.trained import TrainedModel, trained_model

_STEPS_IN_FLIGHT = 2


@dataclass(frozen=True, kw_only=True)
class TrainConfig(JsonConfig):
    """How to train; the model's configuration says what."""

    seed: int = 0
    batch_size: int = 256  # Windows per step.
    epochs: int = 1
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    table_learning_rate: float = 0.05  # Of AdaGrad: root mean square of a row's first change.
    action_weights: Mapping[str, float] = field(default_factory=dict)  # Ranker; others have 1.
    positive_actions: Sequence[str] = ()  # Retrieval; empty means any action.
    validation_fraction: float = 0.0  # In [0, 1): the last windows of the source, never trained on.
    log_every: int = 50  # Steps between points of the curve.
    checkpoint_every: int = 1000  # Steps between training states, when there is a directory.
    max_skipped_steps: int = 10  # In a row; one more stops the run.

    _nested: ClassVar[Mapping[str, type[JsonConfig]]] = {"optimizer": OptimizerConfig}

    def __post_init__(self) -> None:
        object.__setattr__(self, "positive_actions", list(self.positive_actions))
        check_counts(self, ["batch_size", "epochs", "log_every", "checkpoint_every"])
        check_counts(self, ["seed", "max_skipped_steps"], minimum=0)
        check(
            self.table_learning_rate > 0,
            "TrainConfig.table_learning_rate",
            expected="a number > 0",
            got=self.table_learning_rate,
        )
        check(
            0 <= self.validation_fraction < 1,
            "TrainConfig.validation_fraction",
            expected="in [0, 1)",
            got=self.validation_fraction,
        )
        check(
            all(weight >= 0 for weight in self.action_weights.values()),
            "TrainConfig.action_weights",
            expected="weights >= 0",
            got=dict(self.action_weights),
        )


class Progress(NamedTuple):
    """What `on_progress` hears at every point of the curve."""

    step: int
    total_steps: int
    loss: float  # Mean since the last point.
    windows_per_second: float  # Since the last point.
    eta_seconds: float


class TrainingResult(NamedTuple):
    """A trained model, and how it came about."""

    model: TrainedModel
    curve: list[dict[str, float]]  # step, epoch, loss, and what the objective logs; no times
    steps: int  # Skipped ones included.
    skipped_steps: int


class _State(NamedTuple):
    params: hk.Params
    opt_state: optax.OptState
    tables: EmbeddingTables


class _Report(NamedTuple):
    loss: jax.Array
    is_non_finite: jax.Array  # [leaves of _Gradients] bool
    scalars: dict[str, jax.Array]


class _Checked(NamedTuple):
    """What must be finite, in the order and by the names of an error message."""

    loss: Any
    params: Any
    rows: Any


@dataclass(kw_only=True)
class TrainRunner:
    """Trains one model on one source; `run` may be called once."""

    model_config: ModelConfig
    train_config: TrainConfig
    hash_spec: HashSpec
    actions: tuple[str, ...]
    source: WindowSource
    start: TrainedModel | None = None  # Warm start: its parameters, rows and accumulators.
    checkpoint_directory: Path | None = None  # Resumes from what is there.
    on_progress: Callable[[Progress], None] | None = None

    def run(self) -> TrainingResult:
        """Trains to the end, from the last training state if there is one.

        Raises:
          ValueError: If the parts do not fit together, the source has no window to train on, or
            the training state belongs to another run.
          CheckpointError: If training states exist and all are damaged.
          NonFiniteError: If more steps in a row than allowed had to be skipped.
        """
        self.actions = tuple(self.actions)
        self._check_parts()
        config = self.train_config
        loop = _Loop(self)
        loop.resume()
        while loop.step < loop.total_steps:
            loop.run_step()
            is_last = loop.step == loop.total_steps
            if loop.step % config.log_every == 0 or loop.step % loop.steps_per_epoch == 0:
                loop.log_point()
            if loop.step % config.checkpoint_every == 0 or is_last:
                loop.save()
        model = trained_model(
            self.model_config,
            loop.state.params,
            loop.state.tables,
            actions=self.actions,
            hash_spec=self.hash_spec,
            seed=config.seed,
        )
        return TrainingResult(model, loop.curve, loop.step, loop.skipped_steps)

    def _check_parts(self) -> None:
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


class _Loop:
    """The moving parts of one run: device state, cursor and curve."""

    def __init__(self, runner: TrainRunner) -> None:
        self.runner, self.config = runner, runner.train_config
        num_windows = runner.source.num_windows
        self.num_train = num_windows - int(num_windows * self.config.validation_fraction)
        if self.num_train < 1:
            raise ValueError(f"There is no window to train on: the source has {num_windows}.")
        self.steps_per_epoch = -(-self.num_train // self.config.batch_size)
        self.total_steps = self.steps_per_epoch * self.config.epochs
        self.objective = objective_of(
            runner.model_config,
            runner.actions,
            action_weights=self.config.action_weights,
            positive_actions=self.config.positive_actions,
        )
        self.optimizer = self.config.optimizer.make(self.total_steps)
        is_retrieval = isinstance(runner.model_config, PhoenixRetrievalModelConfig)
        self.frequencies = (
            PostFrequencies.of(runner.source, self.num_train) if is_retrieval else None
        )
        self.state = self._initial_state()
        self.identity = self._identity()
        self.names = leaf_names(
            _Checked(0.0, self.state.params, lookup(self.state.tables, self._first_inputs()))
        )
        self.train_step = _train_step(
            self.objective, self.optimizer, self.config.table_learning_rate
        )
        self.step = self.skipped_steps = self.skipped_in_a_row = 0
        self.curve: list[dict[str, float]] = []
        self.losses: list[float] = []  # Since the last point of the curve.
        self.scalars: dict[str, float] = {}
        self.reports: deque[tuple[int, _Report]] = deque()
        self.order = np.empty(0, np.int64)
        self.order_epoch = -1
        self.point_time, self.point_step = time.monotonic(), 0

    def run_step(self) -> None:
        """Starts one step; its report is read when it has left the pipeline."""
        epoch, position = divmod(self.step, self.steps_per_epoch)
        if epoch != self.order_epoch:
            self.order = epoch_order(self.num_train, self.config.seed, epoch)
            self.order_epoch = epoch
        start = position * self.config.batch_size
        batch = self._batch(self.order[start : start + self.config.batch_size])
        self.state, report = self.train_step(self.state, batch)
        self.step += 1
        self.reports.append((self.step, report))
        if len(self.reports) > _STEPS_IN_FLIGHT:
            self._read_report()

    def log_point(self) -> None:
        """Adds a point to the curve, with the validation loss at the end of an epoch."""
        while self.reports:
            self._read_report()
        loss = float(np.mean(self.losses)) if self.losses else float("nan")
        epoch = (self.step - 1) // self.steps_per_epoch
        point = {"step": self.step, "epoch": epoch, "loss": loss, **self.scalars}
        if self.step % self.steps_per_epoch == 0 and self.num_train < self._num_windows:
            point["validation_loss"] = self._mean_validation_loss()
        if self.losses:  # A point without a finite step has nothing to say.
            self.curve.append(point)
        self.losses = []
        now = time.monotonic()
        rate = (self.step - self.point_step) / max(now - self.point_time, 1e-9)
        self.point_time, self.point_step = now, self.step
        if self.runner.on_progress is not None:
            remaining = (self.total_steps - self.step) / rate
            self.runner.on_progress(
                Progress(
                    self.step, self.total_steps, loss, rate * self.config.batch_size, remaining
                )
            )

    def save(self) -> None:
        """Writes a training state, if there is a place for it."""
        if self.runner.checkpoint_directory is None:
            return
        while self.reports:
            self._read_report()
        epoch, position = divmod(self.step, self.steps_per_epoch)
        checkpoint.save_training_state(
            self.runner.checkpoint_directory,
            self.step,
            dense={"params": self.state.params, "opt_state": self.state.opt_state},
            tables=self.state.tables,
            progress={
                "identity": self.identity,
                "seed": self.config.seed,
                "epoch": epoch,
                "position": position,
                "step": self.step,
                "skipped_steps": self.skipped_steps,
                "skipped_in_a_row": self.skipped_in_a_row,
                "curve": self.curve,
                "losses": self.losses,
                "scalars": self.scalars,
            },
        )

    def resume(self) -> None:
        """Continues from the newest intact training state, if there is one."""
        directory = self.runner.checkpoint_directory
        found = None if directory is None else checkpoint.load_training_progress(directory)
        if found is None:
            return
        path, progress = found
        if progress["identity"] != self.identity:
            raise ValueError(
                f"{path}: the training state belongs to a run with another configuration, data or "
                f"starting model; expected {self.identity}, got {progress['identity']}."
            )
        dense = {"params": self.state.params, "opt_state": self.state.opt_state}
        restored, tables = checkpoint.load_training_state(path, dense)
        self.state = _State(restored["params"], restored["opt_state"], tables)
        self.step = self.point_step = progress["step"]
        self.skipped_steps = progress["skipped_steps"]
        self.skipped_in_a_row = progress["skipped_in_a_row"]
        self.curve, self.losses = progress["curve"], progress["losses"]
        self.scalars = progress["scalars"]

    @property
    def _num_windows(self) -> int:
        return self.runner.source.num_windows

    def _read_report(self) -> None:
        step, report = self.reports.popleft()
        flags = np.asarray(report.is_non_finite)
        if not flags.any():
            self.skipped_in_a_row = 0
            self.losses.append(float(report.loss))
            self.scalars = {name: float(value) for name, value in report.scalars.items()}
            return
        self.skipped_steps += 1
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row > self.config.max_skipped_steps:
            where = [name for name, flag in zip(self.names, flags, strict=True) if flag]
            raise NonFiniteError(
                f"Step {step} of {self.total_steps} (epoch {(step - 1) // self.steps_per_epoch}) "
                f"is the {self.skipped_in_a_row}th in a row that is not finite, in {where[:5]}; "
                f"{self.config.max_skipped_steps} are allowed."
            )

    def _batch(self, index: np.ndarray) -> TrainBatch:
        windows = padded(self.runner.source.take(index), self.config.batch_size)
        inputs = model_inputs(windows, self.runner.actions, self.runner.model_config)
        return train_batch(windows, inputs, len(self.runner.actions), self.frequencies)

    def _first_inputs(self) -> RecsysBatch:
        return self._batch(np.arange(1)).inputs

    def _mean_validation_loss(self) -> float:
        losses, counts = [], []
        for start in range(self.num_train, self._num_windows, self.config.batch_size):
            stop = min(start + self.config.batch_size, self._num_windows)
            batch = self._batch(np.arange(start, stop))
            losses.append(float(_validation_loss(self.objective)(self.state, batch)))
            counts.append(stop - start)
        return float(np.average(losses, weights=counts))

    def _initial_state(self) -> _State:
        start = self.runner.start
        if start is None:
            tables = initial_tables(
                self.runner.hash_spec, self.runner.model_config.emb_size, self.config.seed
            )
            inputs = self._first_inputs()
            params = self.objective.initial_params(self.config.seed, inputs, lookup(tables, inputs))
        else:
            params, tables = start.params, start.tables
        # Own buffers: the step donates them, and the starting model stays usable.
        params, tables = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), (params, tables))
        return _State(params, self.optimizer.init(params), tables)

    def _identity(self) -> str:
        """Digest of what determines the run: configuration, start, a sample of the data."""
        runner = self.runner
        digest = hashlib.sha256()
        description = [
            type(runner.model_config).__name__,
            runner.model_config.to_dict(),
            self.config.to_dict(),
            runner.hash_spec.digest(),
            runner.actions,
            self._num_windows,
        ]
        digest.update(json.dumps(description, sort_keys=True).encode())
        sample = np.unique([0, self._num_windows // 2, self._num_windows - 1])
        for array in runner.source.take(sample):
            digest.update(np.ascontiguousarray(array).tobytes())
        for leaf in jax.tree.leaves(self.state.params):
            digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()


# Cached: runs of one configuration in one process compile once.
@lru_cache(maxsize=8)
def _train_step(
    objective: Objective, optimizer: optax.GradientTransformation, table_learning_rate: float
) -> Callable[[_State, TrainBatch], tuple[_State, _Report]]:
    def train_step(state: _State, batch: TrainBatch) -> tuple[_State, _Report]:
        rows = lookup(state.tables, batch.inputs)
        (loss, scalars), gradients = jax.value_and_grad(
            objective.loss, argnums=(0, 1), has_aux=True
        )(state.params, rows, batch)
        flags = non_finite_flags(_Checked(loss, *gradients))
        is_finite = ~jnp.any(flags)
        changes, opt_state = optimizer.update(gradients[0], state.opt_state, state.params)
        params = jax.tree.map(jnp.add, state.params, changes)
        params, opt_state = select(is_finite, (params, opt_state), (state.params, state.opt_state))
        tables = update(
            state.tables,
            batch.inputs,
            gradients[1],
            learning_rate=table_learning_rate,
            is_applied=is_finite,
        )
        return _State(params, opt_state, tables), _Report(loss, flags, scalars)

    return jax.jit(train_step, donate_argnums=0)


@lru_cache(maxsize=8)
def _validation_loss(objective: Objective) -> Callable[[_State, TrainBatch], jax.Array]:
    def validation_loss(state: _State, batch: TrainBatch) -> jax.Array:
        return objective.loss(state.params, lookup(state.tables, batch.inputs), batch)[0]

    return jax.jit(validation_loss)
