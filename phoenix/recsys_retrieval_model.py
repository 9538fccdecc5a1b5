"""The two-tower retrieval model: users and posts as vectors whose product ranks a corpus.

The user tower is the trunk over `[user | history]`, pooled; the candidate tower sees one post only,
its rows and its author's and what else is known of it, so that a corpus can be embedded once for
all users.

Glossary of shapes:
  B: batch, S: history, C: candidates, D: model width, N: corpus, k: retrieved rows,
  V: width of the vectors: D, the factors of taste, and one more where counts are read.
"""

import dataclasses
from typing import Literal, NamedTuple, Self

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

from phoenix.candidate_tower import (
    EPS,
    CandidateTower,
    CandidateTowerKind,
    Similarity,
    unit_vectors,
)
from phoenix.config import check, check_choice, check_counts, check_type
from phoenix.grok import Transformer, TransformerConfig
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.inputs.candidate_facts import CandidateFacts
from phoenix.inputs.config import HashConfig, InputConfig
from phoenix.inputs.popularity import popularity
from phoenix.inputs.taste import author_tastes, user_tastes
from phoenix.inputs.tokens import context_tokens
from phoenix.nn.layers import hk_rms_norm
from phoenix.search.top_rows import INF, top_rows

__all__ = [
    "EPS",
    "INF",
    "INITIAL_WEIGHT",
    "MIN_TEMPERATURE",
    "TEMPERATURE",
    "CandidateTower",
    "CandidateTowerKind",
    "HistoryPosts",
    "PhoenixRetrievalModel",
    "PhoenixRetrievalModelConfig",
    "RetrievalOutput",
    "Similarity",
    "UserPooling",
    "unit_vectors",
]


# Of counts, and of the angle the temperature then: scores are logarithms of expected engagements at
# first, and taste has to earn what it counts.
INITIAL_WEIGHT = 1.0

# Where a training keeps the logarithm of its temperature among the parameters. Below the least one
# float32 probabilities of unit vectors saturate.
TEMPERATURE = "sampled_softmax"
MIN_TEMPERATURE = 0.01

UserPooling = Literal["mean", "last"]
HistoryPosts = Literal["projected", "shared"]


class RetrievalOutput(NamedTuple):
    """The best corpus rows of each user, best first; ties go to the lower row.

    Where a user has fewer than k eligible rows, the rest of `top_k_indices` is -1 with score -1e12:
    a masked row is never named.
    """

    user_representation: jax.Array  # [B, V], zero for a user without any input
    top_k_indices: jax.Array  # [B, k] int32 rows of the corpus
    top_k_scores: jax.Array  # [B, k] float32 products with the corpus rows
    top_k_post_ids: np.ndarray | None = None  # [B, k] int64, from a runner with post ids


@dataclasses.dataclass(frozen=True)
class PhoenixRetrievalModelConfig(InputConfig):
    """Sizes and options of the retrieval model: those of `InputConfig`, and of its two towers.

    D is the width of both representations, too; they are float32 in every computation dtype, like
    the scores.

    Attributes:
      candidate_tower: "mlp", two layers as in the public model; "mean" of the rows, without
        weights, when posts are many and training data is little.
      user_pooling: "mean" over the valid positions as in the public model; "last" valid position
        when the newest event says most.
      similarity: "cosine" compares unit vectors, as in the public model; "product" lets the length
        of a post's vector say how popular it is, when the catalogue is small and changes slowly.
      has_counts: Reads counts of candidates, as one more dimension of the vectors: in it a post has
        the logarithm of the engagements to expect of it, and a user a learned weight. Without it
        the angle has to say how popular a post is, too.
      has_candidate_facts: The candidate tower reads the attributes of posts, and their ages where
        `has_post_age` is true, beside the ids. Without it histories alone read them.
      taste_size: R, factors of authors beside the angle, in which a user has the posterior mean of
        what the history says, see `phoenix.inputs.taste`; 0 has none. For logs too small for the
        angle to learn a taste.
      history_posts: "projected" to the token of an event with all else that is known of it, as in
        the public model; "shared", in its place the sum of the post's rows times sqrt(D), as they
        are. What a post learns as a candidate then serves at once where it is history: choose it
        with the "mean" tower when events per post are few.
    """

    candidate_tower: CandidateTowerKind = "mlp"
    user_pooling: UserPooling = "mean"
    similarity: Similarity = "cosine"
    history_posts: HistoryPosts = "projected"
    has_counts: bool = False
    has_candidate_facts: bool = False
    taste_size: int = 0

    def __post_init__(self) -> None:
        """Settles the dtype and checks the fields."""
        super().__post_init__()
        check_choice(self, "candidate_tower", ("mlp", "mean"))
        check_choice(self, "user_pooling", ("mean", "last"))
        check_choice(self, "similarity", ("cosine", "product"))
        check_choice(self, "history_posts", ("projected", "shared"))
        check_type(self, "has_counts", bool)
        check_type(self, "has_candidate_facts", bool)
        check_counts(self, ("taste_size",), minimum=0)
        check(
            not self.has_candidate_facts or self.has_post_age or bool(self.attributes_of_posts),
            "PhoenixRetrievalModelConfig.has_candidate_facts",
            expected="False where there are neither attributes of posts nor `has_post_age`",
            got=self.has_candidate_facts,
        )

    @property
    def reads_popularity(self) -> bool:
        """Whether counts of candidates are read."""
        return self.has_counts

    @property
    def reads_candidate_facts(self) -> bool:
        """Whether the candidate tower reads facts of posts."""
        return self.has_candidate_facts

    @property
    def learned_size(self) -> int:
        """The width of what is learned, angle and taste, which comes before what counts say."""
        return self.emb_size + self.taste_size

    @property
    def vector_size(self) -> int:
        """V: the width of the vectors of users and posts."""
        return self.learned_size + self.has_counts

    @classmethod
    def public(  # noqa: PLR0913 - the public signature
        cls,
        model: TransformerConfig,
        emb_size: int,
        history_seq_len: int = 128,
        candidate_seq_len: int = 32,
        name: str | None = None,
        fprop_dtype: DTypeLike = jnp.bfloat16,
        hash_config: HashConfig | None = None,
        product_surface_vocab_size: int = 16,
    ) -> Self:
        """The exact behaviour of the public model: same fields, defaults, values and dtypes."""
        return cls(
            model.public(),
            emb_size,
            history_seq_len,
            candidate_seq_len,
            name,
            fprop_dtype,
            hash_config,
            product_surface_vocab_size,
        )

    def make(self) -> "PhoenixRetrievalModel":
        """A retrieval model of this configuration, inside `hk.transform`."""
        return PhoenixRetrievalModel(self.model.make(), self.initialize())


@dataclasses.dataclass
class PhoenixRetrievalModel(hk.Module):
    """The two towers, and the exact search over a small corpus.

    Attributes:
      model: The trunk, made outside so that its parameters are below `transformer`.
      config: Sizes and options.
      name: Of the module, `phoenix_retrieval_model` by default.
    """

    model: Transformer
    config: PhoenixRetrievalModelConfig
    name: str | None = None

    def __call__(
        self,
        batch: RecsysBatch,
        recsys_embeddings: RecsysEmbeddings,
        corpus_embeddings: ArrayLike,
        top_k: int,
        corpus_mask: ArrayLike | None = None,
    ) -> RetrievalOutput:
        """Finds the best corpus rows of each user.

        Args:
          batch: Its candidate fields are not read.
          recsys_embeddings: Likewise.
          corpus_embeddings: `[N, V]`, from the candidate tower.
          top_k: A static count; more than N means N.
          corpus_mask: `[N]`, true (nonzero) where a row is eligible; None means all.
        """
        users, _ = self.build_user_representation(batch, recsys_embeddings)
        rows, scores = top_rows(users, jnp.asarray(corpus_embeddings), top_k, corpus_mask)
        return RetrievalOutput(users, rows, scores)

    @hk.name_like("__call__")
    def build_user_representation(
        self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings
    ) -> tuple[jax.Array, jax.Array]:
        """The users as vectors.

        Args:
          batch: Its candidate fields are not read.
          recsys_embeddings: Likewise.

        Returns:
          Vectors `[B, V]` (zero for a user without any valid input), of length 1, or sqrt(D) times
          a learned scale where the similarity is "product", apart from the taste and the weight of
          counts; and the length `[B, 1]` that they had before, float32.
        """
        h, mask = self._states(batch, recsys_embeddings)
        if self.config.user_pooling == "last":
            is_pooled = jnp.cumsum(mask[:, ::-1], axis=1)[:, ::-1] == 1
            weights = (is_pooled & mask).astype(jnp.float32)
        else:
            weights = mask.astype(jnp.float32)
        total = jnp.einsum("btd,bt->bd", h, weights)
        vectors, length = self._user_vectors(
            total / jnp.maximum(jnp.sum(weights, axis=1, keepdims=True), 1.0)
        )
        if self.config.taste_size:
            tastes = user_tastes(self.config.taste_size, batch, recsys_embeddings)
            vectors = jnp.concatenate([vectors, tastes], axis=1)
        if self.config.has_counts:
            initial = hk.initializers.Constant(jnp.log(INITIAL_WEIGHT))
            weight = jnp.exp(hk.get_parameter("counts_log_weight", (), jnp.float32, init=initial))
            # Nobody knows what a user without input wants; whoever asks serves what is popular.
            is_known = jnp.any(mask, axis=1, keepdims=True)
            vectors = jnp.concatenate([vectors, weight * is_known], axis=1)
        return vectors, length

    @hk.name_like("__call__")
    def build_position_representation(
        self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings
    ) -> jax.Array:
        """The users as they were before each event of their history, in one pass.

        The state at a position is what "last" pooling gives for the history that ends there, so a
        history of n events trains n queries for the price of one forward pass.

        Args:
          batch: Its candidate fields are not read.
          recsys_embeddings: Likewise.

        Returns:
          Vectors `[B, S, D]` float32, scaled as in `build_user_representation`; number j knows the
          user and the j events before event j.

        Raises:
          ValueError: Unless the model pools the "last" position of a "causal" history.
        """
        pooling, attention = self.config.user_pooling, self.config.model.history_attention
        if (pooling, attention) != ("last", "causal"):
            raise ValueError(
                "Queries at every position need `user_pooling` 'last' and `history_attention` "
                f"'causal', got {pooling!r} and {attention!r}."
            )
        h, _ = self._states(batch, recsys_embeddings)
        return self._user_vectors(h[:, :-1])[0]

    def build_candidate_representation(
        self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings
    ) -> tuple[jax.Array, jax.Array]:
        """The candidates as vectors.

        Args:
          batch: Only `candidate_post_hashes` is read, for the mask, counts, and facts.
          recsys_embeddings: Only the candidate rows are read.

        Returns:
          Vectors `[B, C, V]`, of length 1 unless the similarity is "product", apart from taste and
          what counts say, and the mask `[B, C]` of the valid ones.
        """
        posts = jnp.asarray(recsys_embeddings.candidate_post_embeddings)
        authors = jnp.asarray(recsys_embeddings.candidate_author_embeddings)
        config = self.config
        tower = CandidateTower(config.emb_size, config.candidate_tower, config.similarity)
        facts = CandidateFacts(config)(batch) if config.has_candidate_facts else None
        vectors = tower(jnp.concatenate([posts, authors], axis=2), facts)
        if config.taste_size:
            tastes = author_tastes(config.taste_size, authors)
            vectors = jnp.concatenate([vectors, tastes.astype(vectors.dtype)], axis=2)
        if config.has_counts:
            vectors = jnp.concatenate([vectors, popularity(batch).astype(vectors.dtype)], axis=2)
        return vectors, jnp.asarray(batch.candidate_post_hashes)[:, :, 0] != 0

    @hk.transparent
    def _states(
        self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings
    ) -> tuple[jax.Array, jax.Array]:
        """The trunk's `[B, 1+S, D]` float32 over user and history, and the mask of both."""
        rows = jnp.asarray(recsys_embeddings.history_post_embeddings)  # [B, S, ni, D]
        is_shared = self.config.history_posts == "shared"
        embeddings = dataclasses.replace(
            recsys_embeddings, history_post_embeddings=jnp.zeros_like(rows) if is_shared else rows
        )
        tokens, mask = context_tokens(self.config, batch, embeddings)
        if is_shared:
            posts = jnp.sum(rows, axis=2) * self.config.emb_size**0.5
            tokens += jnp.pad(posts, ((0, 0), (1, 0), (0, 0))).astype(tokens.dtype)
        return self.model(tokens, mask).embeddings.astype(jnp.float32), mask

    @hk.transparent
    def _user_vectors(self, pooled: jax.Array) -> tuple[jax.Array, jax.Array]:
        vectors, length = unit_vectors(pooled)
        if self.config.similarity == "product":
            vectors = hk_rms_norm(pooled)
        return vectors, length
