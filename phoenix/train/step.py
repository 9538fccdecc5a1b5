"""One step of training: look up, differentiate, update; a step that is not finite changes nothing.

Glossary of shapes:
  B: batch, k: parts into which a batch is cut to save memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import optax

from phoenix.data.window_source import pad_windows, windows_between
from phoenix.embedding import Decay, EmbeddingTables, initial_tables, lookup, with_decay
from phoenix.recommend.action_weights import with_actions
from phoenix.recsys_model import RecsysEmbeddings
from phoenix.train.objectives.objective import Objective, Observed
from phoenix.train.optimizer import non_finite_flags, optimizer_of, restored, select
from phoenix.train.placement import Placement
from phoenix.train.run import Run
from phoenix.train.task import Batch, Task


class State(NamedTuple):
    """All that a step changes; it is donated to the step."""

    params: hk.Params
    opt_state: optax.OptState
    tables: EmbeddingTables
    step: jax.Array  # int32 steps done, skipped ones included
    metrics: dict[str, Any]  # States of `metrics.mergeable`; older steps count less.


class Report(NamedTuple):
    """The outcome of a step, read when it is done."""

    loss: jax.Array
    is_non_finite: jax.Array  # [leaves of Checked] bool
    scalars: dict[str, jax.Array]


class Checked(NamedTuple):
    """The arrays that must be finite, in the order and by the names of an error message."""

    loss: Any
    params: Any
    rows: Any


@dataclass(frozen=True)
class StepRule:
    """The rule of a step; hashable, so that runs of one rule in one process compile once."""

    objective: Objective
    optimizer: optax.GradientTransformation
    table_learning_rate: float
    table_half_life: float | None
    accumulation_steps: int  # k
    metrics_half_life: float  # Steps after which a step counts half in the metrics.
    placement: Placement

    def decay(self, step: int | jax.Array) -> Decay | None:
        """The decay of the tables' accumulators at `step`, if there is one."""
        return None if self.table_half_life is None else Decay(self.table_half_life, step)


Step = Callable[[State, Batch], tuple[State, Report]]
_Gradients = tuple[hk.Params, RecsysEmbeddings]


@lru_cache(maxsize=8)
def train_step(rule: StepRule) -> Step:
    """Returns the compiled step."""
    placement = rule.placement

    def step(state: State, batch: Batch) -> tuple[State, Report]:
        """Learns from one batch."""
        differentiate = _gradients_of_batch if rule.accumulation_steps == 1 else _gradients_in_parts
        loss, observed, gradients = differentiate(rule, state, batch)
        flags = non_finite_flags(Checked(loss, *gradients))
        is_finite = ~jnp.any(flags)
        changes, opt_state = rule.optimizer.update(gradients[0], state.opt_state, state.params)
        params = jax.tree.map(jnp.add, state.params, changes)
        params, opt_state = select(is_finite, (params, opt_state), (state.params, state.opt_state))
        tables = placement.update(
            state.tables,
            batch.inputs,
            gradients[1],
            learning_rate=rule.table_learning_rate,
            decay=rule.decay(state.step),
            is_applied=is_finite,
        )
        share = 0.5 ** (1 / rule.metrics_half_life)
        newest = states_of(observed)
        metrics = jax.tree.map(lambda old, new: share * old + new, state.metrics, newest)
        metrics = select(is_finite, metrics, state.metrics)
        scalars = {name: value for name, value in observed.items() if name not in newest}
        report = Report(loss, flags, scalars)
        return State(params, opt_state, tables, state.step + 1, metrics), report

    return jax.jit(step, donate_argnums=0)


def states_of(observed: Observed) -> dict[str, Any]:
    """Returns the states of metrics among the observations of an objective: the tuples."""
    return {name: value for name, value in observed.items() if isinstance(value, tuple)}


@lru_cache(maxsize=8)
def validation_of(
    objective: Objective, placement: Placement
) -> Callable[[hk.Params, EmbeddingTables, Batch], tuple[jax.Array, dict[str, Any]]]:
    """Returns the compiled loss and the states of a batch, to validate by."""

    def validate(
        params: hk.Params, tables: EmbeddingTables, batch: Batch
    ) -> tuple[jax.Array, dict[str, Any]]:
        """The loss of a batch, and the states of its metrics."""
        rows = placement.lookup(tables, batch.inputs)
        loss, observed = objective.loss(params, rows, batch)
        return loss, states_of(observed)

    return jax.jit(validate)


def _gradients_of_batch(
    rule: StepRule,
    state: State,
    batch: Batch,
    norms: Any = None,  # noqa: ANN401 - see `Objective.norms`
) -> tuple[jax.Array, Observed, _Gradients]:
    rows = rule.placement.lookup(state.tables, batch.inputs)
    differentiate = jax.value_and_grad(rule.objective.loss, argnums=(0, 1), has_aux=True)
    (loss, observed), gradients = differentiate(state.params, rows, batch, norms)
    return loss, observed, gradients


def _gradients_in_parts(
    rule: StepRule, state: State, batch: Batch
) -> tuple[jax.Array, Observed, _Gradients]:
    """Sums over k parts of a batch, one part in memory at a time.

    A part counts by its share in the weights of the batch, which need no parameter. A plain mean
    would count an impression more where its part has few, and a part of padding alone as a loss of
    0. Part i takes every k-th row from i on, so that each device keeps
    its own rows.
    """
    k = rule.accumulation_steps
    norms = rule.objective.norms(batch)
    parts = jax.tree.map(lambda x: jnp.reshape(x, (-1, k, *x.shape[1:])).swapaxes(0, 1), batch)

    def add(
        total: tuple[jax.Array, hk.Params], part: Batch
    ) -> tuple[tuple[jax.Array, hk.Params], tuple[Observed, RecsysEmbeddings]]:
        """Adds the gradients of a part to those before it."""
        loss, observed, (params, rows) = _gradients_of_batch(rule, state, part, norms)
        return jax.tree.map(jnp.add, total, (loss, params)), (observed, rows)

    zeros = jax.tree.map(jnp.zeros_like, (jnp.zeros(()), state.params))
    (loss, params), (observed, rows) = jax.lax.scan(add, zeros, parts)
    observed = jax.tree.map(lambda x: jnp.sum(x, axis=0), observed)

    def in_order(x: jax.Array) -> jax.Array:
        """The rows of the parts `[k, B / k, ...]` in their order in the batch, `[B, ...]`."""
        return jnp.reshape(x.swapaxes(0, 1), (-1, *x.shape[2:]))

    whole: RecsysEmbeddings = jax.tree.map(in_order, rows)
    return loss, observed, (params, whole)


def step_rule(run: Run, task: Task) -> StepRule:
    """Returns the rule by which the steps of a run learn."""
    config = run.train_config
    return StepRule(
        objective=task.objective,
        optimizer=optimizer_of(config, run.schedule_steps),
        table_learning_rate=config.table_learning_rate,
        table_half_life=config.optimizer.table_half_life,
        accumulation_steps=config.optimizer.accumulation_steps,
        metrics_half_life=config.curve.half_life_steps,
        placement=Placement.of(run.compute),
    )


class OptimizerStart(NamedTuple):
    """Where the optimizer of the dense parameters begins."""

    steps_before: int = 0  # that it has done in trainings before
    new_because: str | None = None  # why a warm start has a new one; None of any other start


class Beginning(NamedTuple):
    """The state before the first step."""

    state: State
    checked: Checked  # like what must be finite
    optimizer: OptimizerStart


def beginning(run: Run, task: Task, rule: StepRule) -> Beginning:
    """Returns the beginning of a run: that of a new model, or the model to start from."""
    config, placement = run.train_config, rule.placement
    first = next(windows_between(run.source, 0, 1, limit=1))
    batch = task.make_batch(pad_windows(first, config.batch_size), None)
    begin = partial(task.objective.initial_params, config.seed, batch.inputs)
    if run.start is None:
        tables = initial_tables(run.hash_spec, run.model_config.emb_size, config.seed)
        rows = lookup(tables, batch.inputs)
        params, is_moved = begin(rows), False
    else:
        params, tables = run.start.params, run.start.tables
        rows = lookup(tables, batch.inputs)
        # Losses have parameters, too, and may be other ones than those of the model to start from.
        structures = jax.tree.structure(params), jax.tree.structure(jax.eval_shape(begin, rows))
        is_moved = run.start.actions != run.actions or len(set(structures)) > 1
        if is_moved:
            params = with_actions(params, begin(rows), own=run.start.actions, actions=run.actions)
    tables = with_decay(tables, is_decaying=config.optimizer.table_half_life is not None)
    # Own buffers: the step donates them, and the starting model stays usable.
    params, tables = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), (params, tables))
    observed = jax.eval_shape(task.objective.loss, params, rows, batch)[1]
    metrics = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), states_of(observed))
    fresh = rule.optimizer.init(params)
    opt_state, optimizer = _optimizer_start(run, fresh, is_moved=is_moved)
    state = State(
        *placement.everywhere((params, opt_state)),
        placement.tables(tables),
        placement.everywhere(jnp.zeros((), jnp.int32)),
        placement.everywhere(metrics),
    )
    return Beginning(state, Checked(0.0, params, rows), optimizer)


def _optimizer_start(
    run: Run, fresh: optax.OptState, *, is_moved: bool
) -> tuple[optax.OptState, OptimizerStart]:
    """The state of the optimizer before the first step: that of the model to start from, if any."""
    if run.start is None:
        return fresh, OptimizerStart()
    earlier = run.start.optimizer
    if earlier is None:
        return fresh, OptimizerStart(new_because="the model has none with it")
    if is_moved:
        reason = "the model was trained with other actions or losses"
        return fresh, OptimizerStart(new_because=reason)
    state = restored(fresh, earlier.arrays)
    if state is None:
        return fresh, OptimizerStart(new_because="the model was trained by another one")
    return state, OptimizerStart(earlier.steps)
