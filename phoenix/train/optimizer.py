"""The optimizer of the dense parameters, and the rule that a non-finite step changes nothing."""

import dataclasses
import inspect
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from phoenix.train.config import TrainConfig

Tree = TypeVar("Tree")
_AGE = 1000  # Steps after which the inverse square root has fallen to 0.7 of the peak.
_ADAMW = {"b1": 0.9, "b2": 0.98}  # Where `optimizer.options` says nothing else.


def optimizer_of(config: TrainConfig, schedule_steps: int) -> optax.GradientTransformation:
    """Returns the optimizer of the dense parameters, whose learning rate follows a schedule.

    Any optimizer of optax with linear warm-up, a schedule and a global-norm clip. Weight decay is
    that of matrices only, where the optimizer lets one choose.

    Args:
      config: How to train.
      schedule_steps: At least 1; the cosine and the linear schedule end there. Of a run that goes
        on from a model, the steps before count: its state knows how many there were.

    Raises:
      ConfigError: If there is no such optimizer of weights, or it takes other options, needs
        arguments that are not there, or more of a step than its gradients.
    """
    # One object for equal arguments, so that what is compiled for it is found again.
    relevant = TrainConfig(
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        clip_norm=config.clip_norm,
        optimizer=dataclasses.replace(
            config.optimizer, table_half_life=None, accumulation_steps=1, schedule_steps=None
        ),
    )
    description = json.dumps(relevant.to_dict(), sort_keys=True)
    return _transformation(description, _horizon(config, schedule_steps))


def learning_rate_at(config: TrainConfig, step: int, schedule_steps: int) -> float:
    """Returns the learning rate of a step, counted from 0 since the optimizer began."""
    return float(jnp.asarray(_schedule(config, _horizon(config, schedule_steps))(step)))


def _horizon(config: TrainConfig, schedule_steps: int) -> int:
    """The steps that a schedule depends on; 0 where it does not depend on any."""
    return schedule_steps if config.optimizer.schedule in ("cosine", "linear") else 0


@lru_cache(maxsize=8)
def _transformation(description: str, schedule_steps: int) -> optax.GradientTransformation:
    config = TrainConfig.from_dict(json.loads(description))
    arguments = _check_arguments(config)
    name, options = config.optimizer.name, dict[str, Any](config.optimizer.options)
    if name == "adamw":
        options = {**_ADAMW, **options}
    if "weight_decay" in arguments:
        masks = [name for name in ("mask", "weight_decay_mask") if name in arguments]
        decay = {"weight_decay": config.weight_decay, **dict.fromkeys(masks, _matrices)}
        options = {**decay, **options}
    # Some optimizers take a rate, but no schedule of it.
    is_fixed = config.optimizer.schedule == "constant" and not config.optimizer.warmup_steps
    rate = config.learning_rate if is_fixed else _schedule(config, schedule_steps)
    leaves = {size: jax.ShapeDtypeStruct(size, jnp.float32) for size in ((2,), (2, 2))}
    try:
        optimizer = _maker(name)(learning_rate=rate, **options)
        jax.eval_shape(lambda tree: optimizer.update(tree, optimizer.init(tree), tree), leaves)
    except (TypeError, ValueError) as error:
        raise config.error(
            "optimizer",
            "name",
            expected="an optimizer that does with `optimizer.options`, the schedule and the "
            "gradients of a step",
            got=f"{name!r}: {error}",
        ) from error
    if config.clip_norm is not None:
        optimizer = optax.chain(optax.clip_by_global_norm(config.clip_norm), optimizer)
    half_life = config.optimizer.average_half_life
    return optimizer if half_life is None else _with_average(optimizer, half_life)


class _Averaged(NamedTuple):
    """The state of an optimizer, and the average of the parameters after its steps."""

    inner: optax.OptState
    total: Any  # like the parameters: the sum of those after each step, older ones less
    weight: jax.Array  # of all steps in the sum


def _with_average(
    optimizer: optax.GradientTransformation, half_life: float
) -> optax.GradientTransformation:
    """Returns an optimizer that also averages what it makes; see `averaged`.

    Source: Polyak and Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging", with
    a decay as in Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better
    Generalization". The sum begins at 0 and is divided by its weight, so that the parameters
    before the first step are no part of it.
    """
    share = 0.5 ** (1 / half_life)

    def init(params: optax.Params) -> _Averaged:
        return _Averaged(
            optimizer.init(params), jax.tree.map(jnp.zeros_like, params), jnp.zeros(())
        )

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, _Averaged]:
        assert isinstance(state, _Averaged)
        changes, inner = optimizer.update(updates, state.inner, params)
        total = jax.tree.map(
            lambda old, value, change: share * old + (1 - share) * (value + change),
            state.total,
            params,
            changes,
        )
        return changes, _Averaged(inner, total, share * state.weight + (1 - share))

    return optax.GradientTransformation(init, update)


def averaged(params: Tree, opt_state: optax.OptState) -> Tree:
    """Returns the parameters that make the model: their average, where the optimizer keeps one."""
    if not isinstance(opt_state, _Averaged):
        return params
    weight = opt_state.weight
    return jax.tree.map(
        lambda last, total: jnp.where(weight > 0, total / jnp.maximum(weight, 1e-30), last),
        params,
        opt_state.total,
    )


def state_arrays(opt_state: optax.OptState) -> dict[str, np.ndarray]:
    """Returns copies of the arrays of an optimizer's state by their paths, as `restored` takes."""
    leaves = map(np.array, jax.tree.leaves(opt_state))
    return dict(zip(leaf_names(opt_state), leaves, strict=True))


def restored(fresh: Tree, arrays: Mapping[str, np.ndarray]) -> Tree | None:
    """Returns the state of an optimizer with the arrays of an earlier one.

    Args:
      fresh: The state before the first step.
      arrays: Of `state_arrays`.

    Returns:
      None where they are those of another optimizer, or of other parameters.
    """
    # Copies: the step donates them, and JAX may share memory with NumPy.
    leaves, structure = jax.tree.flatten(fresh)
    names = leaf_names(fresh)
    sizes = {name: (leaf.shape, leaf.dtype) for name, leaf in zip(names, leaves, strict=True)}
    if sizes != {name: (array.shape, array.dtype) for name, array in arrays.items()}:
        return None
    return jax.tree.unflatten(structure, [jnp.array(arrays[name], copy=True) for name in names])


def _check_arguments(config: TrainConfig) -> set[str]:
    """Returns what the configured optimizer takes, its options among it."""
    name, options = config.optimizer.name, config.optimizer.options
    arguments = _arguments(name)
    config.check(
        "learning_rate" in arguments,
        "optimizer",
        "name",
        expected="an optimizer of optax that trains the weights of the model themselves, e.g. "
        "adamw, lion, adafactor, contrib.muon",
        got=name,
    )
    free = sorted(arguments - {"learning_rate"})
    unknown = sorted(options.keys() - set(free))
    config.check(
        not unknown,
        "optimizer",
        "options",
        expected=f"arguments of optax.{name}: {', '.join(free)}",
        got=unknown,
    )
    return arguments


def _maker(name: str) -> Any:  # noqa: ANN401 - optax's optimizers share no type
    """The attribute of optax, or of `optax.contrib`, of that name; None where there is none."""
    contributed = name.removeprefix("contrib.")
    return getattr(optax if contributed == name else optax.contrib, contributed, None)


def _arguments(name: str) -> set[str]:
    """The arguments of the optimizer of a name; nothing where there is no such optimizer."""
    make = _maker(name)
    # The first are parts of optimizers; the second evaluate other weights than they train.
    is_other = any(part in name for part in ("scale_by_", "schedule_free", "_deprecated"))
    if is_other or not inspect.isfunction(make):
        return set()
    return set(inspect.signature(make).parameters)


def _matrices(params: Tree) -> Tree:
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)


def _schedule(config: TrainConfig, schedule_steps: int) -> optax.Schedule:
    peak, warmup_steps = config.learning_rate, config.optimizer.warmup_steps
    rest, end = max(schedule_steps - warmup_steps, 1), config.optimizer.schedule_end
    after: dict[str, optax.Schedule] = {
        "constant": optax.constant_schedule(peak),
        "cosine": optax.cosine_decay_schedule(peak, rest, alpha=end),
        "linear": optax.linear_schedule(peak, peak * end, rest),
        "inverse_sqrt": lambda step: peak * jnp.sqrt(_AGE / (_AGE + step)),
    }
    if not warmup_steps:
        return after[config.optimizer.schedule]
    # Counts from 1, so that the first step already moves.
    warmup = optax.linear_schedule(peak / warmup_steps, peak, warmup_steps - 1)
    return optax.join_schedules([warmup, after[config.optimizer.schedule]], [warmup_steps])


class DivergenceError(ArithmeticError):
    """Training has left the finite numbers: in too many steps in a row, or in a validation."""


def non_finite_flags(tree: object) -> jax.Array:
    """`[number of leaves]` bool: true where a leaf holds a NaN or an infinity.

    Also where the sum of its squares is beyond float32, which the clip and AdaGrad would take. One
    pass finds that; to look at every number takes three.
    """
    sums = [jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)]
    return ~jnp.isfinite(jnp.stack(sums))


def leaf_names(tree: object) -> tuple[str, ...]:
    """Names of the leaves in the order of `non_finite_flags`, e.g. `loss` or `params/linear/w`."""
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return tuple(jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths)


def select(is_new: jax.Array, new: Tree, old: Tree) -> Tree:
    """Returns `new` where `is_new`, else `old`, leaf by leaf; both have one structure."""
    return jax.tree.map(lambda a, b: jnp.where(is_new, a, b), new, old)
