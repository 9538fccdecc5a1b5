"""The ranker: a transformer that scores candidates given a user and a history.

Each candidate gets one logit per action, independent of the other candidates of the slate.

Glossary of shapes:
  B: batch, S: history, C: candidates, D: model width, A: actions.
"""

import dataclasses
from typing import Any, NamedTuple, Self

import haiku as hk
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike, DTypeLike

from phoenix.config import check, check_counts, check_type, float_dtype, is_number
from phoenix.grok import Context, RMSNorm, Transformer, TransformerConfig
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.inputs.config import GATED_FEATURES, HashConfig, InputConfig, WidthConfig
from phoenix.inputs.evidence import evidence_logits
from phoenix.inputs.factorization import candidate_factors, joint_factors, user_factor
from phoenix.inputs.tokens import (
    block_candidate_reduce,
    block_history_reduce,
    block_user_reduce,
    candidate_tokens,
    context_tokens,
)

__all__ = [
    "HashConfig",
    "PhoenixModel",
    "PhoenixModelConfig",
    "RecsysBatch",
    "RecsysEmbeddings",
    "RecsysModelOutput",
    "block_candidate_reduce",
    "block_history_reduce",
    "block_user_reduce",
]


# What a user likes that others do not: it starts at nothing where counts are read.
_HEADS_OF_TASTE = ("unembeddings", "factor_unembeddings")


class RecsysModelOutput(NamedTuple):
    """Predictions of the ranker for each candidate.

    Rows of padded candidates are finite and mean nothing; drop them by the candidate mask.
    """

    logits: jax.Array  # [B, C, A], one independent sigmoid each
    continuous: jax.Array | None = None  # [B, C, num_continuous] in [0, 1], 1 = 30 seconds


@dataclasses.dataclass(frozen=True)
class _ActionsConfig(WidthConfig):
    """The number of actions, third in the public order."""

    num_actions: int


@dataclasses.dataclass(frozen=True)
class PhoenixModelConfig(InputConfig, _ActionsConfig):
    """Sizes and options of the ranker: those of `InputConfig`, and of its heads.

    Attributes:
      num_actions: A, the predicted actions.
      output_dtype: Dtype of the logits. float32, because bfloat16 probabilities tie and a tie
        decides nothing; None means `fprop_dtype`, as in the public model.
      num_continuous: Heads for times, as fractions of 30 s; 0 for none.
      variational_dropout: Lambda of `phoenix.nn.feature_gates`; 0 gates no features.
      has_factorization: Adds to the logits a linear map of `[u, p, sqrt(D) u * p]`, u the sum of
        the rows of the user, p that of the rows of a post and its author, see
        `phoenix.inputs.factorization`. Use it where users come back.
      has_counts: Adds to the logits what was known of candidates before, see
        `phoenix.inputs.evidence`, and starts from that alone: the heads begin at zero.
      taste: With `has_counts`, by how much all other logits count: less learns less of what a user
        likes that others do not, which in a short log is mostly noise.
    """

    output_dtype: Any = jnp.float32
    num_continuous: int = 0
    variational_dropout: float = 0.0
    has_factorization: bool = False
    has_counts: bool = False
    taste: float = 1.0

    def __post_init__(self) -> None:
        """Settles the dtypes and checks the fields."""
        super().__post_init__()
        if self.output_dtype is not None:
            object.__setattr__(self, "output_dtype", float_dtype(self, "output_dtype"))
        check_type(self, "has_counts", bool)
        check_counts(self, ("num_actions",))
        check_counts(self, ("num_continuous",), minimum=0)
        check(
            is_number(self.taste) and self.taste >= 0,
            "PhoenixModelConfig.taste",
            expected="a number >= 0",
            got=self.taste,
        )
        check(
            is_number(self.variational_dropout) and self.variational_dropout >= 0,
            "PhoenixModelConfig.variational_dropout",
            expected="a number >= 0",
            got=self.variational_dropout,
        )

    @classmethod
    def public(  # noqa: PLR0913 - the public signature
        cls,
        model: TransformerConfig,
        emb_size: int,
        num_actions: int,
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
            num_actions,
            history_seq_len,
            candidate_seq_len,
            name,
            fprop_dtype,
            hash_config,
            product_surface_vocab_size,
            output_dtype=None,
        )

    @property
    def reads_evidence(self) -> bool:
        """Whether counts of what followed candidates are read."""
        return self.has_counts

    @property
    def gated_features(self) -> tuple[str, ...]:
        """The groups of features with a gate, see `phoenix.nn.feature_gates`."""
        return GATED_FEATURES if self.variational_dropout else ()

    def make(self) -> "PhoenixModel":
        """A ranker of this configuration, inside `hk.transform`."""
        return PhoenixModel(self.model.make(), self.initialize())


@dataclasses.dataclass
class PhoenixModel(hk.Module):
    """The ranker: input tokens, trunk, final norm, and one column of weights per action.

    Attributes:
      model: The trunk, made outside so that its parameters are below `transformer`.
      config: Sizes and options.
      name: Of the module, `phoenix_model` by default.
    """

    model: Transformer
    config: PhoenixModelConfig
    name: str | None = None

    def __call__(
        self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings
    ) -> RecsysModelOutput:
        """Scores every candidate of every user: `encode_context`, then `score_candidates`."""
        context = self.encode_context(batch, recsys_embeddings)
        return self.score_candidates(context, batch, recsys_embeddings)

    @hk.name_like("__call__")
    def build_inputs(
        self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings
    ) -> tuple[jax.Array, jax.Array, int]:
        """The whole input sequence `[user | history | candidates]`.

        Returns:
          Tokens `[B, 1+S+C, D]`, their mask `[B, 1+S+C]`, and the position of the first candidate.
        """
        context, context_mask = context_tokens(self.config, batch, recsys_embeddings)
        candidates, mask = candidate_tokens(self.config, batch, recsys_embeddings)
        return (
            jnp.concatenate([context, candidates], axis=1),
            jnp.concatenate([context_mask, mask], axis=1),
            context.shape[1],
        )

    @hk.name_like("__call__")
    def encode_context(self, batch: RecsysBatch, recsys_embeddings: RecsysEmbeddings) -> Context:
        """Encodes users and histories, once for any number of candidates.

        The candidate fields of both arguments are not read.
        """
        inputs = self.config, batch, recsys_embeddings
        context = self.model.encode_context(*context_tokens(*inputs))
        if not self.config.has_factorization:
            return context
        return context._replace(user=user_factor(*inputs))

    @hk.name_like("__call__")
    def score_candidates(
        self,
        context: Context,
        batch: RecsysBatch,
        recsys_embeddings: RecsysEmbeddings,
        first_slot: ArrayLike = 0,
    ) -> RecsysModelOutput:
        """Scores a block of candidates against encoded users.

        Args:
          context: From `encode_context`, of the same users.
          batch: Its candidate fields hold the block; the other fields are not read.
          recsys_embeddings: Likewise.
          first_slot: Slot of the first candidate, which matters to "slot" positions only.
        """
        tokens, mask = candidate_tokens(self.config, batch, recsys_embeddings)
        h = self.model.score_candidates(context, tokens, mask, first_slot)
        h = RMSNorm(init=self.config.model.init, name="rms_norm")(h)  # [B, C, D]
        wide = h.astype(jnp.float32)
        logits = self._head(wide, "unembeddings", self.config.num_actions)
        if context.user is not None:
            posts = candidate_factors(self.config, batch, recsys_embeddings)
            factors = joint_factors(context.user, posts)
            logits += self._head(factors, "factor_unembeddings", self.config.num_actions)
        if self.config.has_counts:
            # What is not added is not computed once this is compiled: the trunk, in a training.
            taste = self.config.taste * logits if self.config.taste else 0.0
            logits = taste + evidence_logits(batch)
        logits = logits.astype(self.config.output_dtype or self.config.fprop_dtype)
        if not self.config.num_continuous:
            return RecsysModelOutput(logits)
        times = self._head(wide, "continuous_unembeddings", self.config.num_continuous)
        return RecsysModelOutput(logits, jax.nn.sigmoid(times))

    @hk.transparent
    def _head(self, h: jax.Array, name: str, size: int) -> jax.Array:
        """`h` `[B, C, D]` times the matrix `name` `[D, size]`, float32."""
        # Fan-in keeps the first logits of order 1, whatever the number of actions.
        mode = "fan_out" if self.config.model.init == "public" else "fan_in"
        initializer = hk.initializers.VarianceScaling(1.0, mode=mode)
        if self.config.has_counts and name in _HEADS_OF_TASTE:
            initializer = hk.initializers.Constant(0)
        matrix = hk.get_parameter(name, [h.shape[-1], size], jnp.float32, init=initializer)
        return jnp.dot(h, matrix)
