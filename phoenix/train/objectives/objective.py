"""What every objective has in common.

Glossary of shapes:
  B: batch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import haiku as hk
import jax
import numpy as np

from phoenix.recsys_model import RecsysBatch, RecsysEmbeddings

# Scalars to log as they are, and states of `phoenix.metrics.mergeable` to be added up.
Observed = dict[str, Any]
Output = TypeVar("Output")


class SeededBatch(Protocol):
    """The part of a batch that a forward pass reads."""

    @property
    def inputs(self) -> RecsysBatch:
        """The inputs of the model."""
        ...

    @property
    def seeds(self) -> np.ndarray | None:
        """`[B]` uint32, all equal: of what is dropped; None drops nothing."""
        ...


class Objective(Protocol):
    """A model with its loss, as pure functions of parameters and looked-up rows; hashable."""

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns trainable initial parameters; only the shapes of the arrays matter."""
        ...

    def norms(self, batch: Any) -> Any:  # noqa: ANN401 - every objective has its own kinds
        """Returns what the terms of the loss are means over; it takes no parameter to know that."""
        ...

    def loss(
        self,
        params: hk.Params,
        rows: RecsysEmbeddings,
        batch: Any,  # noqa: ANN401 - every objective has batches of its own kind
        norms: Any = None,  # noqa: ANN401
    ) -> tuple[jax.Array, Observed]:
        """Returns the float32 loss of a batch of the objective's kind, and what it observed.

        With the norms of a larger batch it is a part of that: over the parts, losses, gradients and
        all that is observed add up to those of the batch.
        """
        ...


@dataclass(frozen=True)
class Network(Generic[Output]):
    """The modules of a model as pure functions of parameters and looked-up rows."""

    function: Callable[[RecsysBatch, RecsysEmbeddings], Output]  # Makes the modules.

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns initial parameters; only the shapes of the arrays matter."""
        return jax.jit(self._pure.init)(jax.random.key(seed), batch, rows)

    def output(self, params: hk.Params, batch: SeededBatch, rows: RecsysEmbeddings) -> Output:
        """Returns the output for a batch of training, of which features may be dropped."""
        # All seeds are equal: rows stand for the batch, so that it can be split over devices.
        key = None if batch.seeds is None else jax.random.key(batch.seeds[0])
        return self._pure.apply(params, key, batch.inputs, rows)

    @property
    def _pure(self) -> hk.Transformed:
        return hk.transform(self.function)
