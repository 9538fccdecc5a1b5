"""The optimizer of the dense parameters, and the rule that a non-finite step changes nothing."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

import jax
import jax.numpy as jnp
import optax

from phoenix.config import JsonConfig, check, check_choice, check_counts

Tree = TypeVar("Tree")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(JsonConfig):
    """AdamW with linear warm-up and a global-norm clip."""

    learning_rate: float = 2e-3  # Peak, > 0.
    warmup_steps: int = 0  # Steps from 0 to the peak.
    schedule: Literal["constant", "cosine"] = "constant"  # After the warm-up; cosine ends at 0.
    clip_norm: float = 1.0  # > 0: largest global norm of the gradients.
    weight_decay: float = 1e-3  # At least 0; matrices only, not norms and scalars.
    b1: float = 0.9
    b2: float = 0.98

    def __post_init__(self) -> None:
        check_counts(self, ["warmup_steps"], minimum=0)
        check_choice(self, "schedule", ["constant", "cosine"])
        for field in ("learning_rate", "clip_norm"):
            value = getattr(self, field)
            check(value > 0, f"OptimizerConfig.{field}", expected="a number > 0", got=value)
        for field in ("b1", "b2"):
            value = getattr(self, field)
            check(0 <= value < 1, f"OptimizerConfig.{field}", expected="in [0, 1)", got=value)
        check(
            self.weight_decay >= 0,
            "OptimizerConfig.weight_decay",
            expected="a number >= 0",
            got=self.weight_decay,
        )

    def make(self, num_steps: int) -> optax.GradientTransformation:
        """Returns the transformation for a run of `num_steps` steps.

        Args:
          num_steps: At least 1; the cosine schedule reaches 0 there.
        """
        # One object for equal arguments, so that what is compiled for it is found again.
        return _transformation(self, num_steps if self.schedule == "cosine" else 0)


@lru_cache(maxsize=8)
def _transformation(config: OptimizerConfig, num_steps: int) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.adamw(
            _schedule(config, num_steps),
            b1=config.b1,
            b2=config.b2,
            weight_decay=config.weight_decay,
            mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim >= 2, params),
        ),
    )


def _schedule(config: OptimizerConfig, num_steps: int) -> optax.Schedule:
    peak, warmup_steps = config.learning_rate, config.warmup_steps
    if config.schedule == "cosine":
        after = optax.cosine_decay_schedule(peak, max(num_steps - warmup_steps, 1))
    else:
        after = optax.constant_schedule(peak)
    if not warmup_steps:
        return after
    # Counts from 1, so that the first step already moves.
    warmup = optax.linear_schedule(peak / warmup_steps, peak, warmup_steps - 1)
    return optax.join_schedules([warmup, after], [warmup_steps])


class NonFiniteError(ArithmeticError):
    """Too many training steps had a loss or a gradient that is not a number."""


def non_finite_flags(tree: object) -> jax.Array:
    """`[number of leaves]` bool: true where a leaf holds a NaN or an infinity."""
    return jnp.stack([~jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)])


def leaf_names(tree: object) -> tuple[str, ...]:
    """Names of the leaves in the order of `non_finite_flags`, e.g. `loss` or `params/linear/w`."""
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return tuple(jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths)


def select(is_new: jax.Array, new: Tree, old: Tree) -> Tree:
    """Returns `new` where `is_new`, else `old`, leaf by leaf; both have one structure."""
    return jax.tree.map(lambda a, b: jnp.where(is_new, a, b), new, old)
