"""The forward functions of both models, compiled once per configuration.

Each takes a batch and its rows: `RecsysEmbeddings` that someone looked up, or the `EmbeddingTables`
to look them up in, inside of the compiled program. Shapes are compiled as they come; whoever calls
with inputs of any size pads them by `phoenix.inputs.slates`.

Glossary of shapes:
  B: batch, C: candidates, D: model width, A: actions.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from phoenix.embedding import EmbeddingTables, lookup
from phoenix.grok import Context
from phoenix.inference.ranking import RankingOutput, ranking_output
from phoenix.inputs import slates
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.recsys_model import PhoenixModelConfig, RecsysModelOutput
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig, RetrievalOutput

Rows = RecsysEmbeddings | EmbeddingTables
AnyRows = TypeVar("AnyRows", RecsysEmbeddings, EmbeddingTables, Rows)
Compiled = Callable[..., Any]

_NUM_CONFIGURATIONS = 8  # Whose programs are kept; a process serves one or two.
_NO_CANDIDATES = slice(0, 0)  # Where they are not read: one shape for any number of them.


class RankerForward(NamedTuple):
    """The compiled functions of a ranker.

    A score, a probability or a time of a candidate does not depend on the other candidates.
    """

    rank: Compiled  # (params, batch, rows) -> RankingOutput of the whole slate
    encode_context: Compiled  # (params, batch, rows) -> Context
    # The others: (params, context, batch, rows, first_slot=0) -> what the comment says.
    score_candidates: Compiled  # RecsysModelOutput
    probabilities: Compiled  # [B, C, A] float32
    times: Compiled  # [B, C, num_continuous] in [0, 1], or None without such heads

    def in_blocks(
        self, score: Compiled, params: hk.Params, batch: RecsysBatch, rows: Rows, block_size: int
    ) -> Iterator[tuple[slice, Any]]:
        """Yields blocks of candidates and their output of `score`, users encoded once.

        A block bounds the memory of a long slate; it is padded to a size of `slates.block_bucket`.

        Args:
          score: One of the functions of candidates above.
          params: Of the model.
          batch: B users and their C candidates.
          rows: Of `batch`, or the tables.
          block_size: The most candidates of a block.

        Yields:
          The slice of the candidates, and the output in NumPy arrays `[B, candidates, ...]`.
        """
        context = self.encode_context(params, *without_candidates(batch, rows))
        for block in slates.blocks(np.shape(batch.candidate_post_hashes)[1], block_size):
            length = block.stop - block.start
            size = slates.block_bucket(length)
            part = slates.candidate_block(batch, block, size)
            output = score(params, context, part, _block_rows(rows, block, size), block.start)
            yield block, jax.tree.map(lambda array, n=length: np.asarray(array)[:, :n], output)


class RetrievalForward(NamedTuple):
    """The compiled functions of a retrieval model."""

    encode_user: Compiled  # (params, batch, rows) -> [B, D]
    encode_candidates: Compiled  # (params, batch, rows) -> [B, C, D]
    # (params, batch, rows, corpus, top_k, corpus_mask) -> RetrievalOutput; `top_k` is static.
    retrieve: Compiled


@lru_cache(_NUM_CONFIGURATIONS)
def ranker_forward(config: PhoenixModelConfig) -> RankerForward:
    """The compiled functions of a ranker, the same for equal configurations."""

    def rank(batch: RecsysBatch, rows: Rows) -> RankingOutput:
        """Scores and orders whole slates."""
        output = config.make()(batch, _rows_of(batch, rows))
        return ranking_output(output.logits, jnp.asarray(batch.candidate_post_hashes)[..., 0])

    def encode_context(batch: RecsysBatch, rows: Rows) -> Context:
        """Encodes users and histories."""
        return config.make().encode_context(batch, _rows_of(batch, rows))

    def score_candidates(
        context: Context, batch: RecsysBatch, rows: Rows, first_slot: ArrayLike = 0
    ) -> RecsysModelOutput:
        """Scores candidates `[B, C]` given a context."""
        model = config.make()
        return model.score_candidates(context, batch, _rows_of(batch, rows), first_slot)

    # Programs of their own: what is not read of the output is not computed.
    def probabilities(
        context: Context, batch: RecsysBatch, rows: Rows, first_slot: ArrayLike = 0
    ) -> jax.Array:
        """The probabilities `[B, C, A]` of actions, float32."""
        logits = score_candidates(context, batch, rows, first_slot).logits
        return jax.nn.sigmoid(logits.astype(jnp.float32))

    def times(
        context: Context, batch: RecsysBatch, rows: Rows, first_slot: ArrayLike = 0
    ) -> jax.Array | None:
        """The times `[B, C, num_continuous]`, if the model predicts any."""
        return score_candidates(context, batch, rows, first_slot).continuous

    functions = (rank, encode_context, score_candidates, probabilities, times)
    return RankerForward(*map(_compile, functions))


@lru_cache(_NUM_CONFIGURATIONS)
def retrieval_forward(config: PhoenixRetrievalModelConfig) -> RetrievalForward:
    """The compiled functions of a retrieval model, the same for equal configurations."""

    def encode_user(batch: RecsysBatch, rows: Rows) -> jax.Array:
        """The vectors `[B, D]` of users."""
        return config.make().build_user_representation(batch, _rows_of(batch, rows))[0]

    def encode_candidates(batch: RecsysBatch, rows: Rows) -> jax.Array:
        """The vectors `[B, C, D]` of candidates."""
        return config.make().build_candidate_representation(batch, _rows_of(batch, rows))[0]

    def retrieve(
        batch: RecsysBatch,
        rows: Rows,
        corpus_embeddings: ArrayLike,
        top_k: int,
        corpus_mask: ArrayLike | None,
    ) -> RetrievalOutput:
        """Finds the best corpus rows of each user."""
        embeddings = _rows_of(batch, rows)
        return config.make()(batch, embeddings, corpus_embeddings, top_k, corpus_mask)

    return RetrievalForward(
        _compile(encode_user), _compile(encode_candidates), _compile(retrieve, static=(4,))
    )


def without_candidates(batch: RecsysBatch, rows: AnyRows) -> tuple[RecsysBatch, AnyRows]:
    """The inputs of users and histories alone: one shape for any number of candidates."""
    return slates.candidate_block(batch, _NO_CANDIDATES), _block_rows(rows, _NO_CANDIDATES)


def _block_rows(rows: AnyRows, block: slice, size: int | None = None) -> AnyRows:
    """The rows of a block of candidates; tables hold those of any."""
    if isinstance(rows, EmbeddingTables):
        return rows
    return slates.candidate_block(rows, block, size)


def _rows_of(batch: RecsysBatch, rows: Rows) -> RecsysEmbeddings:
    return lookup(rows, batch) if isinstance(rows, EmbeddingTables) else rows


def _compile(function: Callable[..., Any], static: tuple[int, ...] = ()) -> Compiled:
    """`function` as `(params, *arguments)`, jitted; `static` counts `params`."""
    apply = hk.without_apply_rng(hk.transform(function)).apply
    return jax.jit(apply, static_argnums=static)
