"""Runners: a model configuration, its parameters, and jitted functions to call with batches.

A model runner makes the forward function and initial parameters, an inference runner ranks a slate
or retrieves from a corpus. Users, histories and candidates are padded to a few sizes, so that odd
numbers of them do not compile again. Post ids stay int64 in NumPy; JAX sees table rows only.

Glossary of shapes:
  B: batch, C: candidates, D: model width, A: actions, N: corpus, k: retrieved rows.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from phoenix.buckets import power_of_two
from phoenix.config import check_count
from phoenix.data import attributes
from phoenix.example_data import (
    create_dummy_batch_from_config,
    create_dummy_embeddings_from_config,
    create_example_batch,
    create_example_corpus,
)
from phoenix.forward import ranker_forward, retrieval_forward, without_candidates
from phoenix.grok import Context
from phoenix.input_shapes import Part, check_inputs
from phoenix.inputs import slates
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.model_runners import BaseModelRunner, ModelRunner, RetrievalModelRunner
from phoenix.ranking import ACTIONS, RankingOutput, ranking_output
from phoenix.recsys_model import PhoenixModelConfig, RecsysModelOutput
from phoenix.recsys_retrieval_model import RetrievalOutput
from phoenix.search.exact import ExactIndex
from phoenix.search.top_rows import INF

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

INITIAL_CORPUS_SIZE = 10
INITIAL_TOP_K = 5


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
        if model.user_attributes:
            width = attributes.width(model.user_attributes)
            batch = batch._replace(user_attributes=np.zeros((batch_size, width), np.float32))
        if model.post_attributes:
            width = attributes.width(model.post_attributes)
            batch = batch._replace(
                history_attributes=np.zeros((batch_size, history, width), np.float32),
                candidate_attributes=np.zeros((batch_size, candidates, width), np.float32),
            )
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

    def _check(self, batch: RecsysBatch, embeddings: RecsysEmbeddings, *parts: Part) -> None:
        if not hasattr(self, "params"):
            raise RuntimeError(f"{self.name}: `initialize` must be called first.")
        check_inputs(self.runner.model, batch, embeddings, *parts)

    def _pad_inputs(
        self, batch: RecsysBatch, embeddings: RecsysEmbeddings
    ) -> tuple[RecsysBatch, RecsysEmbeddings]:
        """Pads users, and histories where that moves no candidate, to a bucket."""
        num_users, num_events = np.shape(batch.history_post_hashes)[:2]
        users, events = power_of_two(num_users), slates.history_bucket(num_events)
        if self.runner.model.model.candidate_positions == "slot":
            events = num_events
        batch = slates.padded_users(slates.padded_history(batch, events), users)
        return batch, slates.padded_users(slates.padded_history(embeddings, events), users)


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
        self._forward = ranker_forward(self.runner.model)
        self.rank_candidates = self._forward.rank
        self.encode_context = self._forward.encode_context
        self.score_candidates = self._forward.score_candidates

    def rank(
        self,
        batch: RecsysBatch,
        recsys_embeddings: RecsysEmbeddings,
        block_size: int = slates.MAX_BLOCK,
    ) -> RankingOutput:
        """Scores and orders the candidates of each user by the logit of the first action.

        Args:
          batch: With C candidates.
          recsys_embeddings: Of `batch`.
          block_size: Candidates scored at once. A block bounds the memory of a long slate and
            changes no score.

        Returns:
          The ranking, in NumPy arrays.

        Raises:
          ValueError: If a field has another shape than the configuration and the others ask for.
        """
        self._check(batch, recsys_embeddings, "context", "posts", "candidates")
        check_count("block_size", block_size, minimum=1)
        num_users, num_candidates = np.shape(batch.candidate_post_hashes)[:2]
        batch, recsys_embeddings = self._pad_inputs(batch, recsys_embeddings)
        every = slice(0, num_candidates)
        size = slates.block_bucket(num_candidates)
        if num_candidates <= block_size:
            whole = (
                slates.candidate_block(part, every, size) for part in (batch, recsys_embeddings)
            )
            output = self.rank_candidates(self.params, *whole)
        else:
            logits = self._logits_in_blocks(batch, recsys_embeddings, block_size)
            hashes = slates.pad_axis(batch.candidate_post_hashes, size, axis=1)[..., 0]
            output = _ranking_output(slates.pad_axis(logits, size, axis=1), hashes)
        return jax.tree.map(lambda array: np.asarray(array)[:num_users, :num_candidates], output)

    def _logits_in_blocks(
        self, batch: RecsysBatch, embeddings: RecsysEmbeddings, block_size: int
    ) -> np.ndarray:
        inputs = self.params, batch, embeddings
        blocks = self._forward.in_blocks(self.score_candidates, *inputs, block_size)
        return np.concatenate([output.logits for _, output in blocks], axis=1)


class RecsysRetrievalInferenceRunner(BaseInferenceRunner):
    """Encodes users and posts, and retrieves from a corpus by `phoenix.search.exact`.

    Attributes:
      corpus_embeddings: `[N, D]` float32, None before `set_corpus`.
      corpus_post_ids: `[N]` int64, None before `set_corpus`.
      corpus_mask: `[N]` bool, true where a row may be retrieved; None means all.
      params: Parameters; initial ones after `initialize`, to be replaced by trained ones.
      encode_user_fn: `(params, batch, embeddings) -> [B, D]`, jitted.
      encode_candidates_fn: `(params, batch, embeddings) -> [B, C, D]`, jitted.
      retrieve_fn: `(params, batch, embeddings, corpus, top_k, corpus_mask) -> RetrievalOutput`,
        jitted, `top_k` static: the whole model in one program, for use inside of a larger one.
    """

    params: hk.MutableParams
    encode_user_fn: Callable[..., jax.Array]
    encode_candidates_fn: Callable[..., jax.Array]
    retrieve_fn: Callable[..., RetrievalOutput]

    def __init__(self, runner: RetrievalModelRunner, name: str) -> None:
        """Args: `runner` of the retrieval model; `name` for logs."""
        super().__init__(name)
        self._runner = runner
        self.corpus_embeddings: np.ndarray | None = None
        self.corpus_post_ids: np.ndarray | None = None
        self.corpus_mask: np.ndarray | None = None
        self._index: ExactIndex | None = None

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

        forward = retrieval_forward(model)
        self.encode_user_fn = forward.encode_user
        self.encode_candidates_fn = forward.encode_candidates
        self.retrieve_fn = forward.retrieve

    def encode_user(self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings) -> np.ndarray:
        """The users as unit vectors `[B, D]`; zero for a user without any valid input.

        Raises:
          ValueError: If a field has another shape than the configuration and the others ask for.
        """
        self._check(batch, recsys_embeddings, "context")
        num_users = np.shape(batch.user_hashes)[0]
        users = without_candidates(batch, recsys_embeddings)
        return np.asarray(self.encode_user_fn(self.params, *self._pad_inputs(*users)))[:num_users]

    def encode_candidates(
        self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings
    ) -> np.ndarray:
        """The candidates as unit vectors `[B, C, D]`.

        Raises:
          ValueError: If a field has another shape than the configuration and the others ask for.
        """
        self._check(batch, recsys_embeddings, "posts")
        num_users, num_candidates = np.shape(batch.candidate_post_hashes)[:2]
        every, size = slice(0, num_candidates), slates.block_bucket(num_candidates)
        inputs = (
            slates.candidate_block(part, every, size)
            for part in self._pad_inputs(batch, recsys_embeddings)
        )
        vectors = np.asarray(self.encode_candidates_fn(self.params, *inputs))
        return vectors[:num_users, :num_candidates]

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
          ValueError: If the lengths differ, the vectors are of another width than the model, or an
            eligible vector is not finite.
          TypeError: If the ids are of a type whose values may not fit int64.
        """
        index = self._searchable(corpus_embeddings, corpus_mask)
        post_ids = np.asarray(corpus_post_ids)
        if post_ids.size and not np.can_cast(post_ids.dtype, np.int64):
            raise TypeError(f"`corpus_post_ids`: expected int64, got {post_ids.dtype}.")
        post_ids = post_ids.astype(np.int64)
        if post_ids.shape != (index.num_rows,):
            raise ValueError(
                f"`corpus_post_ids`: expected shape {(index.num_rows,)}, got {post_ids.shape}."
            )
        self._index = index
        self.corpus_embeddings = np.asarray(corpus_embeddings, np.float32)
        self.corpus_post_ids = post_ids
        self.corpus_mask = None if corpus_mask is None else np.asarray(corpus_mask) != 0

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
          corpus_mask: `[N]`, nonzero where a row may be retrieved; None means all, or the mask that
            was set.

        Raises:
          ValueError: If there is no corpus, the mask or the vectors have another shape than the
            corpus or the model ask for, `top_k` is no count, or an eligible vector is not finite.
        """
        check_count("top_k", top_k, minimum=0)
        index, post_ids = self._index, self.corpus_post_ids
        if corpus_embeddings is not None:
            index, post_ids = self._searchable(corpus_embeddings, corpus_mask), None
        elif corpus_mask is not None and self.corpus_embeddings is not None:
            index = self._searchable(self.corpus_embeddings, corpus_mask)
        if index is None:
            raise ValueError(
                "`corpus_embeddings`: expected an array or an earlier `set_corpus`, got None."
            )
        users = self.encode_user(batch, recsys_embeddings)
        rows, scores = index.search(users, min(top_k, index.num_eligible))
        best_ids = None if post_ids is None else np.where(rows >= 0, post_ids[rows], 0)
        return RetrievalOutput(
            jnp.asarray(users),
            jnp.asarray(rows, jnp.int32),
            jnp.where(rows >= 0, scores, -INF),
            best_ids,
        )

    def _searchable(self, corpus: ArrayLike, mask: ArrayLike | None) -> ExactIndex:
        vectors, width = np.asarray(corpus, np.float32), self.runner.model.emb_size
        is_eligible = None if mask is None else np.asarray(mask) != 0
        if vectors.ndim != 2 or vectors.shape[1] != width:
            raise ValueError(
                f"`corpus_embeddings`: expected shape (N, {width}), got {vectors.shape}."
            )
        if is_eligible is not None and is_eligible.shape != vectors.shape[:1]:
            raise ValueError(
                f"`corpus_mask`: expected shape {vectors.shape[:1]}, got {is_eligible.shape}."
            )
        return ExactIndex(vectors, is_eligible)


_ranking_output = jax.jit(ranking_output)
