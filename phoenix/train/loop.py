"""The moving parts of one training run: device state, batches made ahead, reports read behind."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from phoenix.data.input_pipeline import Prefetched
from phoenix.data.window_source import pad_windows
from phoenix.data.windows import Windows
from phoenix.embedding import settled_tables
from phoenix.recommend.trained import OptimizerState, TrainedModel
from phoenix.train.config import VALIDATION_LOSS
from phoenix.train.optimizer import (
    DivergenceError,
    averaged,
    leaf_names,
    learning_rate_at,
    state_arrays,
)
from phoenix.train.placement import is_writer
from phoenix.train.progress import Pace, Progress, RunProgress
from phoenix.train.run import Run
from phoenix.train.states import StateEntry, TrainStates, restore
from phoenix.train.step import Report, State, beginning, step_rule, train_step, validation_of
from phoenix.train.task import Batch, Known, task_of
from phoenix.train.validation import (
    HeldOut,
    LossAndStates,
    finite,
    metric_values,
    validation_metrics,
)

_STEPS_IN_FLIGHT = 2
# Followed during training; the others of a validation would make a point of the curve too long.
_CURVE_METRICS = ("accuracy", "auc", "mean", "xauc")


class TrainLoop:
    """The steps of one run; use it in a `with`, which ends the thread that makes batches."""

    def __init__(self, run: Run) -> None:
        """Makes the state before the first step, on the devices."""
        self.run = run
        self.task = task_of(
            run.model_config,
            run.train_config,
            hash_spec=run.hash_spec,
            actions=run.actions,
            split=run.split,
            known=Known(run.popularity, run.known_posts),
        )
        self.rule = step_rule(run, self.task)
        start = beginning(run, self.task, self.rule)
        self.state = start.state
        self.leaf_names = leaf_names(start.checked)
        self.optimizer = start.optimizer
        self.progress = RunProgress()
        self.batches: Prefetched[Batch] | None = None
        self._reports: deque[tuple[int, Report]] = deque()  # Of steps that may not be done yet.
        self._pace = Pace(0)

    def __enter__(self) -> "TrainLoop":
        """Returns the loop itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the thread that makes batches, if a step started it."""
        if self.batches is not None:
            self.batches.close()

    @property
    def is_validation_due(self) -> bool:
        """Whether the configuration asks for a validation after the last step."""
        config, step, epochs = self.run.train_config, self.progress.step, self.run.epochs
        if not config.is_validated:
            return False
        every = config.validation.every_steps
        if every is not None and step % every == 0:
            return True
        num_epochs = epochs.epoch_of(step) + 1
        return epochs.is_end(step) and num_epochs % config.validation.every_epochs == 0

    @property
    def is_patience_over(self) -> bool:
        """Whether training should stop early."""
        patience = self.run.train_config.validation.patience
        return patience is not None and self.progress.waited >= patience

    def check_monitor(self) -> None:
        """Refuses to go by a metric that no validation by the objective alone can have."""
        states = jax.tree.map(self.rule.placement.host, self.state.metrics)
        self._check_monitor([VALIDATION_LOSS, *validation_metrics(states, self.run.actions)])

    def resume(self, state: StateEntry) -> None:
        """Continues from a training state.

        Raises:
          ValueError: If it belongs to another run; says what differs.
        """
        self.run.check_state(state)
        dense, tables = restore(state.path, self._dense())
        self.progress = RunProgress.from_json(state.progress)
        placement = self.rule.placement
        self.state = State(
            *placement.everywhere((dense["params"], dense["opt_state"])),
            placement.tables(tables),
            placement.everywhere(jnp.asarray(self.progress.step, jnp.int32)),
            placement.everywhere(dense["metrics"]),
        )
        self._pace = Pace(self.progress.step)

    def run_step(self) -> None:
        """Starts one step; its report is read when it has left the pipeline."""
        if self.batches is None:
            self.batches = Prefetched(self.remaining_batches(), self.run.compute.input.prefetch)
        self.state, report = train_step(self.rule)(self.state, next(self.batches))
        self.progress.step += 1
        # The steps run while the host goes on: reading a report at once would wait for its step.
        self._reports.append((self.progress.step, report))
        if len(self._reports) > _STEPS_IN_FLIGHT:
            self._read_report()

    def remaining_batches(self) -> Iterator[Batch]:
        """Makes the batches from the current step to the end."""
        epochs, source = self.run.epochs, self.run.split.train
        for step, (windows, num_rows) in epochs.batches(source, self.progress.step):
            yield self._device_batch(windows, num_rows, step)

    def validate(self, metrics_of: Callable[[HeldOut], dict[str, float]]) -> bool:
        """Validates on the held-out windows, and returns whether the model is the best one so far.

        Args:
          metrics_of: Returns the metrics of the held-out windows, the monitored one among them.

        Raises:
          ConfigError: If it is not.
          DivergenceError: If the loss is none, because the weights have become too large.
        """
        self._read_reports()
        config, progress = self.run.train_config, self.progress
        metrics = metrics_of(self._held_out())
        loss = metrics.get(VALIDATION_LOSS, 0.0)
        if not math.isfinite(loss):
            raise DivergenceError(
                f"The validation after step {progress.step} of {self.run.epochs.num_steps} is not "
                f"finite: its loss is {loss}."
            )
        progress.validation = finite(metrics)
        self._check_monitor(progress.validation)
        value = progress.validation[config.validation.monitor]
        is_best = config.validation.is_better(value, progress.best)
        progress.add_validation(value, is_best=is_best)
        return is_best

    def log_point(self, point_of: Callable[[dict[str, float]], dict[str, float]]) -> Progress:
        """Adds a point to the curve, with the validation if there was one since the last.

        Args:
          point_of: Returns the point, given all that is known.
        """
        self._read_reports()
        config, progress, epochs = self.run.train_config, self.progress, self.run.epochs
        step, num_steps = progress.step, epochs.num_steps
        states = jax.tree.map(self.rule.placement.host, self.state.metrics)
        loss = float(np.mean(progress.losses)) if progress.losses else float("nan")
        rate = learning_rate_at(config, self._optimizer_steps - 1, self.run.schedule_steps)
        place = {"step": step, "epoch": epochs.epoch_of(step), "loss": loss, "learning_rate": rate}
        curve_metrics = finite(metric_values(states, self.run.actions, only=_CURVE_METRICS))
        point = point_of({**place, **progress.scalars, **curve_metrics, **progress.validation})
        progress.add_point(point)
        steps_per_second = self._pace.measure(step)
        return Progress(
            step=step,
            total_steps=num_steps,
            loss=loss,
            windows_per_second=steps_per_second * config.batch_size,
            eta_seconds=(num_steps - step) / steps_per_second,
            metrics=point,
        )

    def save(self, states: TrainStates, *, is_best: bool = False) -> None:
        """Starts to write a training state.

        Args:
          states: Where to write it.
          is_best: Whether a validation just found this model to be the best one.
        """
        self._read_reports()
        tables = self.rule.placement.host_tables(self.state.tables, self.run.table_sizes)
        if not is_writer():
            return
        config, progress, epochs = self.run.train_config, self.progress, self.run.epochs
        epoch = epochs.epoch_of(progress.step)
        ends_epoch = config.checkpoints.keeps_epochs and epochs.is_end(progress.step)
        # `best` is the state of the smallest metric, so one to be maximised changes its sign.
        sign = 1 if config.validation.mode == "min" else -1
        states.save(
            progress.step,
            dense=self._dense(),
            tables=tables,
            progress={
                **self.run.description(),
                **progress.to_json(),
                "epoch": epoch,
                "finished_epoch": epoch + 1 if ends_epoch else None,
                "metric": sign * progress.best if is_best and progress.best is not None else None,
            },
        )

    def model(self) -> TrainedModel:
        """The model as it is now, in its own buffers."""
        self._read_reports()
        tables = self.rule.placement.host_tables(self.state.tables, self.run.table_sizes)
        return self.run.model(
            jax.tree.map(lambda leaf: jnp.array(np.asarray(leaf), copy=True), self._params),
            settled_tables(jax.tree.map(jnp.array, tables), self.rule.decay(self.progress.step)),
            OptimizerState(
                state_arrays(self.state.opt_state),
                self._optimizer_steps,
                self.run.schedule_steps,
            ),
        )

    def _held_out(self) -> HeldOut:
        return HeldOut(
            source=self.run.split.validation,
            start=0,
            stop=self.run.num_windows - self.run.num_train,
            batch_size=self.run.train_config.batch_size,
            actions=self.run.actions,
            loss_and_states=self._loss_and_states,
            model=self.model,
        )

    def _loss_and_states(self, windows: Windows) -> LossAndStates:
        """The mean loss of windows by the model as it is now, and the states of their metrics."""
        placement = self.rule.placement
        batch = self._device_batch(windows, self.run.train_config.batch_size, None)
        validate = validation_of(self.rule.objective, placement)
        loss, states = validate(self._params, self.state.tables, batch)
        return float(loss), jax.tree.map(lambda x: np.float64(placement.host(x)), states)

    def _device_batch(self, windows: Windows, num_rows: int, step: int | None) -> Batch:
        """The batch of some windows, padded to `num_rows`, on the devices."""
        return self.rule.placement.split_rows(
            self.task.make_batch(pad_windows(windows, num_rows), step)
        )

    def _check_monitor(self, names: Iterable[str]) -> None:
        config = self.run.train_config
        monitor = config.validation.monitor
        config.check(
            monitor in names,
            "validation",
            "monitor",
            expected=f"a metric of the validation: {', '.join(sorted(names))}",
            got=monitor,
        )

    def _read_reports(self) -> None:
        while self._reports:
            self._read_report()

    def _read_report(self) -> None:
        step, report = self._reports.popleft()
        flags = np.asarray(report.is_non_finite)
        if not flags.any():
            scalars = {name: float(value) for name, value in report.scalars.items()}
            self.progress.add_step(float(report.loss), scalars)
            return
        self.progress.add_skipped_step()
        number, allowed = self.progress.skipped_in_a_row, self.run.train_config.max_skipped_steps
        if number > allowed:
            where = [name for name, flag in zip(self.leaf_names, flags, strict=True) if flag]
            epochs = self.run.epochs
            raise DivergenceError(
                f"Step {step} of {epochs.num_steps} (epoch {epochs.epoch_of(step)}) is not finite, "
                f"in {where[:5]}: number {number} in a row, where {allowed} are allowed."
            )

    @property
    def _optimizer_steps(self) -> int:
        """The steps that the optimizer has done, those before a warm start included."""
        done = self.progress.step - self.progress.skipped_steps
        return self.optimizer.steps_before + done

    @property
    def _params(self) -> hk.Params:
        """The dense parameters of the model as it is now."""
        return averaged(self.state.params, self.state.opt_state)

    def _dense(self) -> dict[str, Any]:
        state = self.state
        return {"params": state.params, "opt_state": state.opt_state, "metrics": state.metrics}
