"""The optimizer of the dense parameters, and the rule that a non-finite step changes nothing."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import optax

from phoenix.config import ConfigError, JsonConfig, check, check_choice, check_counts

Tree = TypeVar("Tree")
_AGE = 1000  # Steps after which the inverse square root has fallen to 0.7 of the peak.

Schedule = Literal["constant", "cosine", "linear", "inverse_sqrt"]
_SCHEDULES: tuple[Schedule, ...] = ("constant", "cosine", "linear", "inverse_sqrt")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(JsonConfig):
    """Any optimizer of optax with linear warm-up, a schedule and a global-norm clip."""

    name: str = "adamw"  # A function of optax with a learning rate; `contrib.` before those there.
    options: Mapping[str, float | bool] = field(default_factory=dict)  # Its other arguments.
    learning_rate: float = 2e-3  # Peak, > 0.
    warmup_steps: int = 0  # Steps from 0 to the peak.
    schedule: Schedule = "constant"  # After the warm-up; cosine and linear end at 0.
    clip_norm: float | None = 1.0  # > 0: largest global norm of the gradients; None clips nothing.
    weight_decay: float = 1e-3  # >= 0; of matrices only, where the optimizer lets one choose.
    b1: float = 0.9  # Of AdamW; other optimizers take theirs from `options`.
    b2: float = 0.98

    def __post_init__(self) -> None:
        check_counts(self, ["warmup_steps"], minimum=0)
        check_choice(self, "schedule", _SCHEDULES)
        clip = self.clip_norm
        for name, is_right, expected in (
            ("learning_rate", self.learning_rate > 0, "a number > 0"),
            ("clip_norm", clip is None or clip > 0, "None or a number > 0"),
            ("b1", 0 <= self.b1 < 1, "in [0, 1)"),
            ("b2", 0 <= self.b2 < 1, "in [0, 1)"),
            ("weight_decay", self.weight_decay >= 0, "a number >= 0"),
        ):
            check(is_right, f"OptimizerConfig.{name}", expected=expected, got=getattr(self, name))
        arguments = _arguments(self.name)
        check(
            "learning_rate" in arguments,
            "OptimizerConfig.name",
            expected="an optimizer of optax that trains the weights of the model themselves, e.g. "
            "adamw, lion, adafactor, contrib.muon",
            got=self.name,
        )
        known = sorted(arguments - {"learning_rate"})
        unknown = sorted(self.options.keys() - set(known))
        check(
            not unknown,
            "OptimizerConfig.options",
            expected=f"arguments of optax.{self.name}: {', '.join(known)}",
            got=unknown,
        )

    def make(self, num_steps: int) -> optax.GradientTransformation:
        """Returns the transformation for a run of `num_steps` steps.

        Args:
          num_steps: At least 1; the cosine and the linear schedule reach 0 there.

        Raises:
          ConfigError: If the optimizer needs arguments that are not there, or more of a step than
            its gradients.
        """
        # One object for equal arguments, so that what is compiled for it is found again.
        return _transformation(json.dumps(self.to_dict(), sort_keys=True), self._horizon(num_steps))

    def rate(self, step: int, num_steps: int) -> float:
        """The learning rate of a step, counted from 0, of a run of `num_steps` steps."""
        return float(jnp.asarray(_schedule(self, self._horizon(num_steps))(step)))

    def _horizon(self, num_steps: int) -> int:
        return num_steps if self.schedule in ("cosine", "linear") else 0


@lru_cache(maxsize=8)
def _transformation(description: str, num_steps: int) -> optax.GradientTransformation:
    config = OptimizerConfig.from_dict(json.loads(description))
    options: dict[str, Any] = dict(config.options)
    if config.name == "adamw":
        options = {"b1": config.b1, "b2": config.b2, **options}
    known = _arguments(config.name)
    if "weight_decay" in known:
        masks = [name for name in ("mask", "weight_decay_mask") if name in known]
        decay = {"weight_decay": config.weight_decay, **dict.fromkeys(masks, _matrices)}
        options = {**decay, **options}
    # Some optimizers take a rate, but no schedule of it.
    is_fixed = config.schedule == "constant" and not config.warmup_steps
    rate = config.learning_rate if is_fixed else _schedule(config, num_steps)
    leaves = {size: jax.ShapeDtypeStruct(size, jnp.float32) for size in ((2,), (2, 2))}
    try:
        optimizer = _maker(config.name)(learning_rate=rate, **options)
        jax.eval_shape(lambda tree: optimizer.update(tree, optimizer.init(tree), tree), leaves)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"`OptimizerConfig.name`: expected an optimizer that does with `options`, the schedule "
            f"and the gradients of a step, got {config.name!r}: {error}"
        ) from error
    if config.clip_norm is None:
        return optimizer
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), optimizer)


def _maker(name: str) -> Any:  # noqa: ANN401 - optax's optimizers share no type
    """The attribute of optax, or of `optax.contrib`, of that name; None where there is none."""
    contributed = name.removeprefix("contrib.")
    return getattr(optax if contributed == name else optax.contrib, contributed, None)


def _arguments(name: str) -> set[str]:
    """What the optimizer of a name takes; nothing where there is no such optimizer."""
    make = _maker(name)
    # The first are parts of optimizers; the second evaluate other weights than they train.
    is_other = any(part in name for part in ("scale_by_", "schedule_free", "_deprecated"))
    if is_other or not inspect.isfunction(make):
        return set()
    return set(inspect.signature(make).parameters)


def _matrices(params: Tree) -> Tree:
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)


def _schedule(config: OptimizerConfig, num_steps: int) -> optax.Schedule:
    peak, warmup_steps = config.learning_rate, config.warmup_steps
    rest = max(num_steps - warmup_steps, 1)
    after: dict[str, optax.Schedule] = {
        "constant": optax.constant_schedule(peak),
        "cosine": optax.cosine_decay_schedule(peak, rest),
        "linear": optax.linear_schedule(peak, 0.0, rest),
        "inverse_sqrt": lambda step: peak * jnp.sqrt(_AGE / (_AGE + step)),
    }
    if not warmup_steps:
        return after[config.schedule]
    # Counts from 1, so that the first step already moves.
    warmup = optax.linear_schedule(peak / warmup_steps, peak, warmup_steps - 1)
    return optax.join_schedules([warmup, after[config.schedule]], [warmup_steps])


class NonFiniteError(ArithmeticError):
    """Too many training steps had a loss or a gradient that is not a number."""


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
