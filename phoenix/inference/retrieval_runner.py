"""The inference runner of the retrieval model; `phoenix.runners` is its public place.

Glossary of shapes:
  B: batch, C: candidates, D: width of the vectors, N: corpus, k: retrieved rows.
"""

from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from phoenix.config import check_count
from phoenix.inference.forward import retrieval_forward, without_candidates
from phoenix.inference.inference_runner import BaseInferenceRunner
from phoenix.inputs import slates
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.model_runners import RetrievalModelRunner
from phoenix.recsys_retrieval_model import RetrievalOutput
from phoenix.search.exact import ExactIndex
from phoenix.search.top_rows import INF

INITIAL_CORPUS_SIZE = 10
INITIAL_TOP_K = 5


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
        corpus = np.zeros((INITIAL_CORPUS_SIZE, model.vector_size), np.float32)
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
        vectors, width = np.asarray(corpus, np.float32), self.runner.model.vector_size
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
