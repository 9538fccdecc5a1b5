"""Runners: a model configuration, its parameters, and jitted functions to call with batches.

A model runner makes the forward function and initial parameters, an inference runner ranks a slate
or retrieves from a corpus. Post ids stay int64 in NumPy; JAX sees table rows only.

Glossary of shapes:
  B: batch, C: candidates, D: model width, A: actions, N: corpus, k: retrieved rows.
"""

import dataclasses
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from phoenix.example_data import (
    create_dummy_batch_from_config,
    create_dummy_embeddings_from_config,
    create_example_batch,
    create_example_corpus,
)
from phoenix.grok import Context, TrainingState
from phoenix.inputs import RecsysBatch, RecsysEmbeddings
from phoenix.ranking import ACTIONS, RankingOutput, ranking_output
from phoenix.recsys_model import PhoenixModelConfig, RecsysModelOutput, candidate_block
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig, RetrievalOutput

__all__ = [
    "ACTIONS",
    "BaseInferenceRunner",
    "BaseModelRunner",
    "ModelRunner",
    "RankingOutput",
    "RecsysInferenceRunner",
    "RecsysRetrievalInferenceRunner",
    "RetrievalModelRunner",
    "RetrievalOutput",
    "create_dummy_batch_from_config",
    "create_dummy_embeddings_from_config",
    "create_example_batch",
    "create_example_corpus",
]

logger = logging.getLogger("rank")

ModelConfig = PhoenixModelConfig | PhoenixRetrievalModelConfig
INITIAL_CORPUS_SIZE = 10
INITIAL_TOP_K = 5


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


@dataclasses.dataclass
class BaseInferenceRunner(ABC):
    """Calls a model with parameters. Attribute `name` is for logs."""

    name: str

    @property
    @abstractmethod
    def runner(self) -> BaseModelRunner:
        """The model runner."""

    def _get_num_actions(self) -> int:
        """Actions of the model; a retrieval model, which predicts none, reads the public ones."""
        model = self.runner.model
        return model.num_actions if isinstance(model, PhoenixModelConfig) else len(ACTIONS)

    def create_dummy_batch(self, batch_size: int = 1) -> RecsysBatch:
        """An all-zero batch of the shapes of the configuration, with its optional inputs."""
        model = self.runner.model
        history, candidates = model.history_seq_len, model.candidate_seq_len
        batch = create_dummy_batch_from_config(
            model.hashes, history, candidates, self._get_num_actions(), batch_size
        )
        if model.has_post_age:
            batch = batch._replace(
                history_post_age_minutes=np.zeros((batch_size, history), np.float32),
                candidate_post_age_minutes=np.zeros((batch_size, candidates), np.float32),
            )
        if model.has_dwell:
            dwell = np.zeros((batch_size, history), np.float32)
            batch = batch._replace(history_dwell_seconds=dwell)
        return batch

    def create_dummy_embeddings(self, batch_size: int = 1) -> RecsysEmbeddings:
        """All-zero table rows for `create_dummy_batch`."""
        model = self.runner.model
        return create_dummy_embeddings_from_config(
            model.hashes,
            model.emb_size,
            model.history_seq_len,
            model.candidate_seq_len,
            batch_size,
        )

    @abstractmethod
    def initialize(self) -> None:
        """Makes parameters and jitted functions."""


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
            model = self.model.make()
            output = model(batch, embeddings, corpus_embeddings, top_k)
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


class RecsysInferenceRunner(BaseInferenceRunner):
    """Ranks slates.

    Attributes:
      params: Parameters; initial ones after `initialize`, to be replaced by trained ones.
      rank_candidates: `(params, batch, embeddings) -> RankingOutput`, jitted.
      encode_context: `(params, batch, embeddings) -> Context`, jitted.
      score_candidates: `(params, context, batch, embeddings, first_slot=0) -> RecsysModelOutput`,
        jitted, for blocks of candidates against a kept context.
    """

    params: hk.MutableParams
    rank_candidates: Callable[..., RankingOutput]
    encode_context: Callable[..., Context]
    score_candidates: Callable[..., RecsysModelOutput]

    def __init__(self, runner: ModelRunner, name: str) -> None:
        """Args: `runner` of the ranker; `name` for logs."""
        super().__init__(name)
        self._runner = runner

    @property
    def runner(self) -> ModelRunner:
        """The model runner."""
        return self._runner

    def initialize(self) -> None:
        """Makes initial parameters and the jitted functions."""
        self.runner.initialize()
        batch, embeddings = self.create_dummy_batch(), self.create_dummy_embeddings()
        self.params = self.runner.load_or_init(batch, embeddings).params
        model = self.runner.model

        def rank(batch: RecsysBatch, embeddings: RecsysEmbeddings) -> RankingOutput:
            output = model.make()(batch, embeddings)
            return ranking_output(output.logits, jnp.asarray(batch.candidate_post_hashes)[..., 0])

        def encode(batch: RecsysBatch, embeddings: RecsysEmbeddings) -> Context:
            return model.make().encode_context(batch, embeddings)

        def score(
            context: Context,
            batch: RecsysBatch,
            embeddings: RecsysEmbeddings,
            first_slot: ArrayLike = 0,
        ) -> RecsysModelOutput:
            return model.make().score_candidates(context, batch, embeddings, first_slot)

        self.rank_candidates = _jitted_apply(rank)
        self.encode_context = _jitted_apply(encode)
        self.score_candidates = _jitted_apply(score)

    def rank(
        self,
        batch: RecsysBatch,
        recsys_embeddings: RecsysEmbeddings,
        block_size: int | None = None,
    ) -> RankingOutput:
        """Scores and orders the candidates of each user by the first action.

        Args:
          batch: With C candidates.
          recsys_embeddings: Of `batch`.
          block_size: Candidates scored at once; None means all. A block bounds the memory of a long
            slate and changes no score.
        """
        if block_size is None:
            return self.rank_candidates(self.params, batch, recsys_embeddings)
        context = self.encode_context(self.params, batch, recsys_embeddings)
        num_candidates = np.shape(batch.candidate_post_hashes)[1]
        logits = []
        for start in range(0, num_candidates, block_size):
            block = candidate_block(batch, recsys_embeddings, start, start + block_size)
            logits.append(self.score_candidates(self.params, context, *block, start).logits)
        hashes = jnp.asarray(batch.candidate_post_hashes)[..., 0]
        return ranking_output(jnp.concatenate(logits, axis=1), hashes)


class RecsysRetrievalInferenceRunner(BaseInferenceRunner):
    """Encodes users and posts, and retrieves from a corpus.

    Attributes:
      corpus_embeddings: `[N, D]`, None before `set_corpus`.
      corpus_post_ids: `[N]` int64, None before `set_corpus`.
      corpus_mask: `[N]` bool, true where a row may be retrieved; None means all.
      params: Parameters; initial ones after `initialize`, to be replaced by trained ones.
      encode_user_fn: `(params, batch, embeddings) -> [B, D]`, jitted.
      encode_candidates_fn: `(params, batch, embeddings) -> [B, C, D]`, jitted.
      retrieve_fn: `(params, batch, embeddings, corpus, top_k, corpus_mask) -> RetrievalOutput`,
        jitted, `top_k` static.
    """

    params: hk.MutableParams
    encode_user_fn: Callable[..., jax.Array]
    encode_candidates_fn: Callable[..., jax.Array]
    retrieve_fn: Callable[..., RetrievalOutput]

    def __init__(self, runner: RetrievalModelRunner, name: str) -> None:
        """Args: `runner` of the retrieval model; `name` for logs."""
        super().__init__(name)
        self._runner = runner
        self.corpus_embeddings: jax.Array | None = None
        self.corpus_post_ids: np.ndarray | None = None
        self.corpus_mask: np.ndarray | None = None

    @property
    def runner(self) -> RetrievalModelRunner:
        """The model runner."""
        return self._runner

    def initialize(self) -> None:
        """Makes initial parameters of both towers and the jitted functions."""
        self.runner.initialize()
        model = self.runner.model
        batch, embeddings = self.create_dummy_batch(), self.create_dummy_embeddings()
        corpus = np.zeros((INITIAL_CORPUS_SIZE, model.emb_size), np.float32)
        state = self.runner.load_or_init(batch, embeddings, corpus, INITIAL_TOP_K)
        self.params = state.params

        def encode_user(batch: RecsysBatch, embeddings: RecsysEmbeddings) -> jax.Array:
            return model.make().build_user_representation(batch, embeddings)[0]

        def encode_candidates(batch: RecsysBatch, embeddings: RecsysEmbeddings) -> jax.Array:
            return model.make().build_candidate_representation(batch, embeddings)[0]

        def retrieve(
            batch: RecsysBatch,
            embeddings: RecsysEmbeddings,
            corpus_embeddings: ArrayLike,
            top_k: int,
            corpus_mask: ArrayLike | None,
        ) -> RetrievalOutput:
            return model.make()(batch, embeddings, corpus_embeddings, top_k, corpus_mask)

        self.encode_user_fn = _jitted_apply(encode_user)
        self.encode_candidates_fn = _jitted_apply(encode_candidates)
        self.retrieve_fn = _jitted_apply(retrieve, static=(4,))

    def encode_user(self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings) -> jax.Array:
        """The users as unit vectors `[B, D]`; zero for a user without any valid input."""
        return self.encode_user_fn(self.params, batch, recsys_embeddings)

    def encode_candidates(
        self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings
    ) -> jax.Array:
        """The candidates as unit vectors `[B, C, D]`."""
        return self.encode_candidates_fn(self.params, batch, recsys_embeddings)

    def set_corpus(
        self,
        corpus_embeddings: ArrayLike,
        corpus_post_ids: ArrayLike,
        corpus_mask: ArrayLike | None = None,
    ) -> None:
        """Keeps a corpus for `retrieve`.

        Args:
          corpus_embeddings: `[N, D]`, from the candidate tower of the same parameters.
          corpus_post_ids: `[N]`, kept as int64 outside of JAX, which would cut them to 32 bits.
          corpus_mask: `[N]`, nonzero where a row may be retrieved; None means all.

        Raises:
          ValueError: If the lengths differ.
        """
        post_ids = np.asarray(corpus_post_ids, np.int64)
        mask = None if corpus_mask is None else np.asarray(corpus_mask) != 0
        num_rows = np.shape(corpus_embeddings)[0]
        for field, array in (("corpus_post_ids", post_ids), ("corpus_mask", mask)):
            if array is not None and array.shape != (num_rows,):
                raise ValueError(f"`{field}`: expected shape ({num_rows},), got {array.shape}.")
        self.corpus_embeddings = jnp.asarray(corpus_embeddings)
        self.corpus_post_ids = post_ids
        self.corpus_mask = mask

    def retrieve(
        self,
        batch: RecsysBatch,
        recsys_embeddings: RecsysEmbeddings,
        top_k: int = 100,
        corpus_embeddings: ArrayLike | None = None,
        corpus_mask: ArrayLike | None = None,
    ) -> RetrievalOutput:
        """The best corpus rows of each user, at most as many as are eligible.

        Args:
          batch: Its candidate fields are not read.
          recsys_embeddings: Likewise.
          top_k: Rows per user; fewer come back when fewer are eligible.
          corpus_embeddings: `[N, D]`; None means the corpus that was set, with its mask and ids.
          corpus_mask: `[N]`, for `corpus_embeddings`.

        Raises:
          ValueError: If there is no corpus.
        """
        post_ids = None
        if corpus_embeddings is None:
            if self.corpus_embeddings is None:
                raise ValueError(
                    "`corpus_embeddings`: expected an array or an earlier `set_corpus`, got None."
                )
            corpus_embeddings, post_ids = self.corpus_embeddings, self.corpus_post_ids
            corpus_mask = self.corpus_mask if corpus_mask is None else corpus_mask
        num_eligible = np.shape(corpus_embeddings)[0]
        if corpus_mask is not None:
            num_eligible = int(np.count_nonzero(corpus_mask))
        output = self.retrieve_fn(
            self.params,
            batch,
            recsys_embeddings,
            corpus_embeddings,
            min(top_k, num_eligible),
            corpus_mask,
        )
        if post_ids is None:
            return output
        rows = np.asarray(output.top_k_indices)
        return output._replace(top_k_post_ids=np.where(rows >= 0, post_ids[rows], 0))


def _jitted_apply(function: Callable[..., Any], static: tuple[int, ...] = ()) -> Callable[..., Any]:
    """`function` as `(params, *arguments)`, jitted; `static` counts `params`."""
    apply = hk.without_apply_rng(hk.transform(function)).apply
    return jax.jit(apply, static_argnums=static)


def _jitted_init(
    forward: hk.Transformed, rng: jax.Array, *arguments: object, static: tuple[int, ...] = ()
) -> hk.MutableParams:
    """Initial parameters of `forward`, compiled: the forward values are never computed."""
    _, rng = jax.random.split(rng)
    return jax.jit(forward.init, static_argnums=static)(rng, *arguments)
