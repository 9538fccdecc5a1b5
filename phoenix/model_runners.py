"""Model runners: the forward function of a model and its initial parameters.

`phoenix.runners` has them under their public place, beside the runners that use them.
"""

import dataclasses
import logging
from abc import ABC, abstractmethod

import haiku as hk
import jax
from jax.typing import ArrayLike

from phoenix.grok import TrainingState
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.recsys_model import PhoenixModelConfig, RecsysModelOutput
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig, RetrievalOutput

logger = logging.getLogger("rank")

ModelConfig = PhoenixModelConfig | PhoenixRetrievalModelConfig


@dataclasses.dataclass
class BaseModelRunner(ABC):
    """Makes the forward function of a model and its initial parameters.

    Attributes:
      bs_per_device: Users per local device; below 1 for less than one user per device.
      rng_seed: Of the initial parameters.
      batch_size: Users per call, at least 1; set by `initialize`.
      forward: The transformed model; set by `initialize`.
    """

    bs_per_device: float = 2.0
    rng_seed: int = 42
    batch_size: int = dataclasses.field(init=False, default=0)
    forward: hk.Transformed = dataclasses.field(init=False)

    @property
    @abstractmethod
    def model(self) -> ModelConfig:
        """The model configuration."""

    @property
    def _model_name(self) -> str:
        return "model"

    @abstractmethod
    def make_forward_fn(self) -> hk.Transformed:
        """The transformed model."""

    def initialize(self) -> None:
        """Prepares the forward function; the dtypes of the configuration are kept."""
        self.model.initialize()
        devices = jax.local_devices()
        self.batch_size = max(1, int(self.bs_per_device * len(devices)))
        logger.info(
            "Initializing %s: %d devices, batch size %d",
            self._model_name,
            len(devices),
            self.batch_size,
        )
        self.forward = self.make_forward_fn()


class ModelRunner(BaseModelRunner):
    """Model runner of the ranker."""

    def __init__(
        self, model: PhoenixModelConfig, bs_per_device: float = 2.0, rng_seed: int = 42
    ) -> None:
        """Args: `model` is the configuration; the others as in `BaseModelRunner`."""
        super().__init__(bs_per_device, rng_seed)
        self._model = model

    @property
    def model(self) -> PhoenixModelConfig:
        """The ranker configuration."""
        return self._model

    @property
    def _model_name(self) -> str:
        return "ranking model"

    def make_forward_fn(self) -> hk.Transformed:
        """The ranker as `apply(params, rng, batch, embeddings) -> RecsysModelOutput`."""

        def forward(batch: RecsysBatch, embeddings: RecsysEmbeddings) -> RecsysModelOutput:
            """Scores a batch."""
            return self.model.make()(batch, embeddings)

        return hk.transform(forward)

    def init(
        self, rng: jax.Array, data: RecsysBatch, embeddings: RecsysEmbeddings
    ) -> TrainingState:
        """Initial parameters from `rng`, by the second half of its split."""
        return TrainingState(_jitted_init(self.forward, rng, data, embeddings))

    def load_or_init(
        self, init_data: RecsysBatch, init_embeddings: RecsysEmbeddings
    ) -> TrainingState:
        """Initial parameters from `rng_seed`; loading is the checkpoint's business."""
        return self.init(jax.random.PRNGKey(self.rng_seed), init_data, init_embeddings)


class RetrievalModelRunner(BaseModelRunner):
    """Model runner of the retrieval model."""

    def __init__(
        self, model: PhoenixRetrievalModelConfig, bs_per_device: float = 2.0, rng_seed: int = 42
    ) -> None:
        """Args: `model` is the configuration; the others as in `BaseModelRunner`."""
        super().__init__(bs_per_device, rng_seed)
        self._model = model

    @property
    def model(self) -> PhoenixRetrievalModelConfig:
        """The retrieval model configuration."""
        return self._model

    @property
    def _model_name(self) -> str:
        return "retrieval model"

    def make_forward_fn(self) -> hk.Transformed:
        """Retrieval as `apply(params, rng, batch, embeddings, corpus, top_k)`; uses both towers."""

        def forward(
            batch: RecsysBatch,
            embeddings: RecsysEmbeddings,
            corpus_embeddings: ArrayLike,
            top_k: int,
        ) -> RetrievalOutput:
            """Retrieves for a batch, after which both towers have their parameters."""
            model = self.model.make()
            output = model(batch, embeddings, corpus_embeddings, top_k)
            # Retrieval reads finished vectors; only this call makes the candidate tower's weights.
            model.build_candidate_representation(batch, embeddings)
            return output

        return hk.transform(forward)

    def init(
        self,
        rng: jax.Array,
        data: RecsysBatch,
        embeddings: RecsysEmbeddings,
        corpus_embeddings: ArrayLike,
        top_k: int,
    ) -> TrainingState:
        """Initial parameters of both towers from `rng`, by the second half of its split."""
        arguments = (data, embeddings, corpus_embeddings, top_k)
        return TrainingState(_jitted_init(self.forward, rng, *arguments, static=(4,)))

    def load_or_init(
        self,
        init_data: RecsysBatch,
        init_embeddings: RecsysEmbeddings,
        corpus_embeddings: ArrayLike,
        top_k: int,
    ) -> TrainingState:
        """Initial parameters from `rng_seed`; loading is the checkpoint's business."""
        rng = jax.random.PRNGKey(self.rng_seed)
        return self.init(rng, init_data, init_embeddings, corpus_embeddings, top_k)


def _jitted_init(
    forward: hk.Transformed, rng: jax.Array, *arguments: object, static: tuple[int, ...] = ()
) -> hk.MutableParams:
    """Initial parameters of `forward`, compiled: the forward values are never computed."""
    # The public runners split the key and use the second half: the same seed, the same weights.
    _, rng = jax.random.split(rng)
    return jax.jit(forward.init, static_argnums=static)(rng, *arguments)
