"""The moving parts of one training run: device state, place in the data, curve, patience."""

import hashlib
import json
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from phoenix.batches import padded, windows_between
from phoenix.checkpoint import described
from phoenix.embedding import initial_tables, lookup, settled, with_decay
from phoenix.hashing import KINDS
from phoenix.input_pipeline import BatchOrder, Prefetched
from phoenix.mergeable_metrics import merged
from phoenix.mesh import Placement, is_writer
from phoenix.optimizer import NonFiniteError, leaf_names, learning_rate_at, optimizer_of
from phoenix.train_config import VALIDATION_LOSS
from phoenix.train_states import StateEntry, TrainStates, restore
from phoenix.train_step import (
    Checked,
    Report,
    State,
    StepRule,
    states_of,
    train_step,
    validation_of,
)
from phoenix.train_task import Batch, task_of
from phoenix.trained import TrainedModel, trained_model
from phoenix.windows import Windows

if TYPE_CHECKING:
    from phoenix.training import TrainRunner

_STEPS_IN_FLIGHT = 2
# Followed during training; the others of a validation would make a point of the curve too long.
_FOLLOWED = ("accuracy", "auc", "mean", "xauc")


class Progress(NamedTuple):
    """What `on_progress` hears at every point of the curve."""

    step: int
    total_steps: int
    loss: float  # Mean since the last point.
    windows_per_second: float  # Since the last point.
    eta_seconds: float
    metrics: Mapping[str, float]  # The point of the curve.


class TrainLoop:
    """One run; use it in a `with`, which ends the thread that makes batches."""

    def __init__(self, runner: "TrainRunner") -> None:
        self.runner, self.config = runner, runner.train_config
        self.num_windows = sum(runner.source.chunk_sizes)
        self.num_train = self.num_windows - int(self.num_windows * self.config.validation.fraction)
        self._check_sizes()
        self.placement = Placement.of(runner.compute)
        self.order = BatchOrder.of(
            runner.source,
            self.num_train,
            seed=self.config.seed,
            batch_size=self.config.batch_size,
            shuffle_windows=self.config.input.shuffle_windows,
            length_buckets=self.config.input.length_buckets,
        )
        per_epoch = [self.order.num_batches(epoch) for epoch in range(self.config.epochs)]
        self.epoch_ends = np.cumsum(per_epoch)  # [epochs] steps done at the end of each
        self.total_steps = int(self.epoch_ends[-1])
        self.task = task_of(
            runner.model_config,
            self.config,
            hash_spec=runner.hash_spec,
            actions=tuple(runner.actions),
            source=runner.source,
            num_train=self.num_train,
        )
        self.rule = StepRule(
            objective=self.task.objective,
            optimizer=optimizer_of(self.config, self.total_steps),
            table_learning_rate=self.config.table_learning_rate,
            table_half_life=self.config.optimizer.table_half_life,
            accumulation_steps=self.config.optimizer.accumulation_steps,
            metrics_half_life=self.config.curve.half_life_steps,
            placement=self.placement,
        )
        self.state, names = self._initial_state()
        self.names = leaf_names(names)
        self.identity = self._identity()
        self.step = self.skipped_steps = self.skipped_in_a_row = 0
        self.curve: list[dict[str, float]] = []
        self.losses: list[float] = []  # Since the last point of the curve.
        self.scalars: dict[str, float] = {}
        self.validation: dict[str, float] = {}  # The last one, until it is in the curve.
        self.best: float | None = None
        self.is_new_best = False
        self.waited = 0  # Validations since the best one.
        self.reports: deque[tuple[int, Report]] = deque()
        self.batches: Prefetched[Batch] | None = None
        self.point_time, self.point_step = time.monotonic(), 0

    def __enter__(self) -> "TrainLoop":
        return self

    def __exit__(self, *_: object) -> None:
        if self.batches is not None:
            self.batches.close()

    @property
    def epoch(self) -> int:
        """The epoch of the last step."""
        return int(np.searchsorted(self.epoch_ends, max(self.step, 1)))

    @property
    def is_epoch_end(self) -> bool:
        """Whether the last step was the last one of its epoch."""
        return self.step == self.epoch_ends[self.epoch]

    @property
    def is_validation_due(self) -> bool:
        """Whether the configuration asks for a validation after the last step."""
        if not self.config.is_validated:
            return False
        every = self.config.validation.every_steps
        if every is not None and self.step % every == 0:
            return True
        return self.is_epoch_end and (self.epoch + 1) % self.config.validation.every_epochs == 0

    @property
    def is_patience_over(self) -> bool:
        """Whether training should stop early."""
        return (
            self.config.validation.patience is not None
            and self.waited >= self.config.validation.patience
        )

    @property
    def monitored(self) -> float | None:
        """The monitored metric after the last step, if that was validated."""
        point = self.curve[-1] if self.curve and self.curve[-1]["step"] == self.step else {}
        return {**point, **self.validation}.get(self.config.validation.monitor)

    def run_step(self) -> None:
        """Starts one step; its report is read when it has left the pipeline."""
        if self.batches is None:
            self.batches = Prefetched(self.made_batches(), self.runner.compute.input.prefetch)
        self.state, report = train_step(self.rule)(self.state, next(self.batches))
        self.step += 1
        self.is_new_best = False
        self.reports.append((self.step, report))
        if len(self.reports) > _STEPS_IN_FLIGHT:
            self._read_report()

    def check_monitor(self, names: Iterable[str] | None = None) -> None:
        """Refuses to go by a metric that is not there.

        Args:
          names: The metrics of a validation; by default those that one of the objective may have.
        """
        if names is None:
            metrics = jax.tree.map(self.placement.host, self.state.metrics)
            of_objective = [f"validation_{name}" for name, _ in self._values(metrics)]
            names = [VALIDATION_LOSS, *of_objective]
        self.config.check(
            self.config.validation.monitor in names,
            "validation",
            "monitor",
            expected=f"a metric of the validation: {', '.join(sorted(names))}",
            got=self.config.validation.monitor,
        )

    def validate(self) -> None:
        """Judges the held-out windows, and keeps count of how long nothing got better.

        Raises:
          NonFiniteError: If the loss is none, because the weights have become too large.
        """
        self._read_reports()
        found = self.runner.validate(HeldOut(self))
        loss = found.get(VALIDATION_LOSS, 0.0)
        if not math.isfinite(loss):
            raise NonFiniteError(
                f"The validation after step {self.step} of {self.total_steps} is not finite: its "
                f"loss is {loss}."
            )
        self.validation = {name: value for name, value in found.items() if math.isfinite(value)}
        self.check_monitor(self.validation)
        value = self.validation[self.config.validation.monitor]
        self.is_new_best = self.config.validation.is_better(value, self.best)
        self.waited = 0 if self.is_new_best else self.waited + 1
        if self.is_new_best:
            self.best = value

    def log_point(self) -> Progress:
        """Adds a point to the curve, with the validation if there was one since the last."""
        self._read_reports()
        loss = float(np.mean(self.losses)) if self.losses else float("nan")
        rate = learning_rate_at(self.config, self.step - 1, self.total_steps)
        point = {"step": self.step, "epoch": self.epoch, "loss": loss, "learning_rate": rate}
        metrics = jax.tree.map(self.placement.host, self.state.metrics)
        followed = self.named(metrics, _FOLLOWED)
        point = self.runner.point({**point, **self.scalars, **followed, **self.validation})
        if self.losses:  # A point without a finite step has nothing to say.
            self.curve.append(point)
        self.losses, self.validation = [], {}
        now = time.monotonic()
        speed = (self.step - self.point_step) / max(now - self.point_time, 1e-9)
        self.point_time, self.point_step = now, self.step
        return Progress(
            self.step,
            self.total_steps,
            loss,
            speed * self.config.batch_size,
            (self.total_steps - self.step) / speed,
            point,
        )

    def save(self, states: TrainStates) -> None:
        """Starts to write a training state."""
        self._read_reports()
        tables = self.placement.host_tables(self.state.tables, self._num_rows)
        if not is_writer():
            return
        ends_epoch = self.is_epoch_end and self.config.checkpoints.keeps_epochs
        sign = 1 if self.config.validation.mode == "min" else -1
        states.save(
            self.step,
            dense=self._dense(),
            tables=tables,
            progress={
                **self._description(),
                "identity": self.identity,
                "train_config": self.config.to_dict(),
                "step": self.step,
                "epoch": self.epoch,
                "finished_epoch": self.epoch + 1 if ends_epoch else None,
                "metric": sign * self.best if self.is_new_best and self.best is not None else None,
                "skipped_steps": self.skipped_steps,
                "skipped_in_a_row": self.skipped_in_a_row,
                "curve": self.curve,
                "losses": self.losses,
                "scalars": self.scalars,
                "validation": self.validation,
                "best": self.best,
                "waited": self.waited,
            },
        )

    def resume(self, found: StateEntry) -> None:
        """Continues from a training state.

        Raises:
          ValueError: If it belongs to another run; says what differs.
        """
        progress = found.progress
        if progress["identity"] != self.identity:
            ours = {**self._description(), "train_config": self.config.to_dict()}
            raise ValueError(
                f"{found.path}: the training state belongs to a run with another configuration, "
                f"data or starting model: {_differences(ours, progress)}."
            )
        dense, tables = restore(found.path, self._dense())
        self.state = State(
            *self.placement.everywhere((dense["params"], dense["opt_state"])),
            self.placement.tables(tables),
            self.placement.everywhere(jnp.asarray(progress["step"], jnp.int32)),
            self.placement.everywhere(dense["metrics"]),
        )
        for name in ("step", "skipped_steps", "skipped_in_a_row", "curve", "losses", "scalars"):
            setattr(self, name, progress[name])
        for name in ("validation", "best", "waited"):
            setattr(self, name, progress[name])
        self.point_step = self.step

    def model(self) -> TrainedModel:
        """The model as it is now, in its own buffers."""
        self._read_reports()
        tables = self.placement.host_tables(self.state.tables, self._num_rows)
        return trained_model(
            self.runner.model_config,
            jax.tree.map(lambda leaf: jnp.array(np.asarray(leaf), copy=True), self.state.params),
            settled(jax.tree.map(jnp.array, tables), self.rule.decay(self.step)),
            actions=self.runner.actions,
            hash_spec=self.runner.hash_spec,
            seed=self.config.seed,
        )

    def named(
        self, states: Mapping[str, Any], only: Sequence[str] | None = None
    ) -> dict[str, float]:
        """The metrics of states that are defined, one for each action where they are per action.

        Args:
          states: Of `mergeable_metrics`, by what was counted.
          only: Names of metrics; None means all.
        """
        return {name: value for name, value in self._values(states, only) if math.isfinite(value)}

    def batch(self, windows: Windows, num_rows: int, step: int | None) -> Batch:
        """What the step takes of some windows, padded to `num_rows`, on the devices.

        Args:
          windows: At most `num_rows`.
          num_rows: B.
          step: What is random depends on it; None, in a validation, leaves nothing to chance.
        """
        return self.placement.batch(self.task.batch(padded(windows, num_rows), step))

    def made_batches(self) -> Iterator[Batch]:
        """The batches from the current step to the end."""
        starts = [0, *self.epoch_ends]
        current = int(np.searchsorted(self.epoch_ends, self.step, side="right"))
        first = self.step - int(starts[current])
        for epoch in range(current, self.config.epochs):
            items = self.order.batches(self.runner.source, epoch, first)
            for step, item in enumerate(items, start=int(starts[epoch]) + first):
                yield self.batch(*item, step)
            first = 0

    def _values(
        self, states: Mapping[str, Any], only: Sequence[str] | None = None
    ) -> Iterator[tuple[str, float]]:
        for counted, state in states.items():
            for metric, values in state.values().items():
                if only is not None and metric not in only:
                    continue
                if np.ndim(values):
                    names = [f"{metric}/{action}" for action in self.runner.actions]
                else:
                    names = [counted if metric == "mean" else f"{counted}_{metric}"]
                yield from zip(names, np.atleast_1d(values).tolist(), strict=True)

    def _read_reports(self) -> None:
        while self.reports:
            self._read_report()

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
            epoch = int(np.searchsorted(self.epoch_ends, step))
            raise NonFiniteError(
                f"Step {step} of {self.total_steps} (epoch {epoch}) is not finite, in {where[:5]}: "
                f"number {self.skipped_in_a_row} in a row, where "
                f"{self.config.max_skipped_steps} are allowed."
            )

    def _initial_state(self) -> tuple[State, Checked]:
        first = next(windows_between(self.runner.source, 0, 1, limit=1))
        full = padded(first, self.config.batch_size)
        batch = self.task.batch(full, None)
        inputs = batch.inputs
        start = self.runner.start
        if start is None:
            spec, emb_size = self.runner.hash_spec, self.runner.model_config.emb_size
            tables = initial_tables(spec, emb_size, self.config.seed)
            rows = lookup(tables, inputs)
            params = self.task.objective.initial_params(self.config.seed, inputs, rows)
        else:
            params, tables = start.params, start.tables
            rows = lookup(tables, inputs)
        tables = with_decay(tables, is_decaying=self.config.optimizer.table_half_life is not None)
        # Own buffers: the step donates them, and the starting model stays usable.
        params, tables = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), (params, tables))
        dense = self.placement.everywhere((params, self.rule.optimizer.init(params)))
        step = self.placement.everywhere(jnp.zeros((), jnp.int32))
        observed = jax.eval_shape(self.task.objective.loss, params, rows, batch)[1]
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), states_of(observed))
        metrics = self.placement.everywhere(zeros)
        state = State(*dense, self.placement.tables(tables), step, metrics)
        return state, Checked(0.0, params, rows)

    def _dense(self) -> dict[str, Any]:
        state = self.state
        return {"params": state.params, "opt_state": state.opt_state, "metrics": state.metrics}

    def _description(self) -> dict[str, Any]:
        runner = self.runner
        return described(runner.model_config, runner.actions, runner.hash_spec, self.config.seed)

    @property
    def _num_rows(self) -> list[int]:
        return [getattr(self.runner.hash_spec, kind).num_rows for kind in KINDS]

    def _check_sizes(self) -> None:
        if self.num_train < 1:
            raise ValueError(f"There is no window to train on: the source has {self.num_windows}.")
        self.config.check(
            not self.config.is_validated or self.num_train < self.num_windows,
            "validation",
            "fraction",
            expected=f"0, or a window to validate on among {self.num_windows}",
            got=self.config.validation.fraction,
        )

    def _identity(self) -> str:
        """Digest of what determines the run: configuration, start, a sample of the data."""
        runner = self.runner
        digest = hashlib.sha256()
        described_run = [
            type(runner.model_config).__name__,
            runner.model_config.to_dict(),
            self.config.to_dict(),
            runner.hash_spec.digest(),
            runner.actions,
            list(runner.source.chunk_sizes),
        ]
        digest.update(json.dumps(described_run, sort_keys=True).encode())
        sizes = runner.source.chunk_sizes
        chunks = [chunk for chunk, size in enumerate(sizes) if size]
        for chunk in sorted({chunks[0], chunks[-1]}):
            sample = np.unique([0, sizes[chunk] // 2, sizes[chunk] - 1])
            for array in runner.source.read(chunk).rows(sample):
                digest.update(np.ascontiguousarray(array).tobytes())
        # Else they follow from the seed, but for the last bit on another kind of processor.
        if runner.start is not None:
            for leaf in jax.tree.leaves(runner.start.params):
                digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class HeldOut:
    """The windows that are held out, and the model as it is now."""

    loop: TrainLoop

    def windows(self) -> Iterator[Windows]:
        """Yields them in order, a batch at a time."""
        loop = self.loop
        yield from windows_between(
            loop.runner.source, loop.num_train, loop.num_windows, limit=loop.config.batch_size
        )

    def model(self) -> TrainedModel:
        """The model as it is now."""
        return self.loop.model()

    def metrics(self) -> dict[str, float]:
        """The mean loss over all windows, and every metric of the objective that is defined."""
        loop, losses, counts = self.loop, [], []
        judged = validation_of(loop.task.objective, loop.placement)
        total: dict[str, Any] = {}
        for windows in self.windows():
            batch = loop.batch(windows, loop.config.batch_size, None)
            loss, states = judged(loop.state.params, loop.state.tables, batch)
            losses.append(float(loss))
            counts.append(len(windows.user_ids))
            wide = jax.tree.map(lambda x: np.float64(loop.placement.host(x)), states)
            total = {
                name: merged(total[name], state) if name in total else state
                for name, state in wide.items()
            }
        named = {f"validation_{name}": value for name, value in loop.named(total).items()}
        return {VALIDATION_LOSS: float(np.average(losses, weights=counts)), **named}


def _differences(ours: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> str:
    """Which fields differ, with both values; the data or the start where none does."""
    found = []
    for name, value in ours.items():
        other = theirs.get(name)
        if value == other:
            continue
        if isinstance(value, dict) and isinstance(other, dict):
            found.append(_differences(value, other, f"{prefix}{name}."))
        else:
            found.append(f"`{prefix}{name}` expected {value!r:.80}, got {other!r:.80}")
    return "; ".join(found[:5]) or "the windows or the starting weights differ"
