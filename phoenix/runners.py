"""Runners: a model configuration, its parameters, and jitted functions to call with batches.

A model runner makes the forward function and initial parameters, an inference runner ranks a slate
or retrieves from a corpus. Users, histories and candidates are padded to a few sizes, so that odd
numbers of them do not compile again. Post ids stay int64 in NumPy; JAX sees table rows only.

Glossary of shapes:
  B: batch, C: candidates, D: model width, A: actions, N: corpus, k: retrieved rows.
"""

from collections.abc import Callable

import haiku as hk
import jax
import numpy as np

from phoenix.config import check_count
from phoenix.example_data import (
    create_dummy_batch_from_config,
    create_dummy_embeddings_from_config,
    create_example_batch,
    create_example_corpus,
)
from phoenix.grok import Context
from phoenix.inference.forward import ranker_forward
from phoenix.inference.inference_runner import BaseInferenceRunner
from phoenix.inference.ranking import ACTIONS, RankingOutput, ranking_output
from phoenix.inference.retrieval_runner import RecsysRetrievalInferenceRunner
from phoenix.inputs import slates
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.model_runners import BaseModelRunner, ModelRunner, RetrievalModelRunner
from phoenix.recsys_model import RecsysModelOutput
from phoenix.recsys_retrieval_model import RetrievalOutput

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


_ranking_output = jax.jit(ranking_output)
