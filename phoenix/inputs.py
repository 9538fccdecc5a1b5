"""From looked-up rows to tokens: what the ranker and the retrieval model read, and how.

The models receive rows that were already looked up in hash tables. Several rows per post (or
author, or user), the actions and the product surface are concatenated and projected to one token
of the model width. Hash column 0 says whether an element is valid: 0 is padding.

Glossary of shapes:
  B: batch, S: history, C: candidates, D: model width, A: actions,
  nu, ni, na: hashes per user, post (item) and author.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

from phoenix import attributes
from phoenix.attribute_vectors import embedded
from phoenix.attributes import Attribute
from phoenix.config import JsonConfig, check, check_counts, check_type, float_dtype
from phoenix.feature_gates import gated
from phoenix.grok import TransformerConfig
from phoenix.layers import matrix_product
from phoenix.windows import DWELL_SCALE_SECONDS

POST_AGE_BUCKET_MINUTES = 60
POST_AGE_LIMIT_MINUTES = 4800
NUM_POST_AGE_BUCKETS = POST_AGE_LIMIT_MINUTES // POST_AGE_BUCKET_MINUTES + 2
DWELL_HIDDEN_SIZE = 64


@dataclasses.dataclass(frozen=True)
class HashConfig(JsonConfig):
    """How many hash functions, hence table rows, stand for one id of each kind."""

    num_user_hashes: int = 2
    num_item_hashes: int = 2
    num_author_hashes: int = 2

    def __post_init__(self) -> None:
        """Checks that each count is at least 1."""
        check_counts(self, ("num_user_hashes", "num_item_hashes", "num_author_hashes"))


class RecsysBatch(NamedTuple):
    """What is known about users, their histories and their candidates, without the table rows.

    The last fields are optional inputs, read only by a model whose configuration asks for them.
    """

    user_hashes: ArrayLike  # [B, nu] int32, 0 = unknown user
    history_post_hashes: ArrayLike  # [B, S, ni] int32, 0 = padding
    history_author_hashes: ArrayLike  # [B, S, na] int32, not read by the models
    history_actions: ArrayLike  # [B, S, A] float32, 1 where the user did it
    history_product_surface: ArrayLike  # [B, S] int32 in [0, vocabulary)
    candidate_post_hashes: ArrayLike  # [B, C, ni] int32, 0 = padding
    candidate_author_hashes: ArrayLike  # [B, C, na] int32, not read by the models
    candidate_product_surface: ArrayLike  # [B, C] int32 in [0, vocabulary)
    history_post_age_minutes: ArrayLike | None = None  # [B, S] float32, NaN or < 0 = missing
    candidate_post_age_minutes: ArrayLike | None = None  # [B, C] float32, NaN or < 0 = missing
    history_dwell_seconds: ArrayLike | None = None  # [B, S] float32, NaN or < 0 = missing
    user_attributes: ArrayLike | None = None  # [B, U] float32, see `phoenix.attributes`
    history_attributes: ArrayLike | None = None  # [B, S, P] float32: of the post, then the context
    candidate_attributes: ArrayLike | None = None  # [B, C, P] float32


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class RecsysEmbeddings:
    """The looked-up table rows of a `RecsysBatch`, float32; a pytree.

    Rows of about unit variance give tokens of about unit variance, like everything in the trunk.
    """

    user_embeddings: ArrayLike  # [B, nu, D]
    history_post_embeddings: ArrayLike  # [B, S, ni, D]
    candidate_post_embeddings: ArrayLike  # [B, C, ni, D]
    history_author_embeddings: ArrayLike  # [B, S, na, D]
    candidate_author_embeddings: ArrayLike  # [B, C, na, D]


class Factors(NamedTuple):
    """An embedding `[B, n, D]` as the product of its factors, not yet multiplied.

    A projection multiplies the table first: then the product of full width is never computed.
    """

    rows: jax.Array  # [B, n, m], m small against D
    table: jax.Array  # [m, D]


GATED_FEATURES = (
    "user",
    "history_post",
    "history_author",
    "history_actions",
    "history_surface",
    "candidate_post",
    "candidate_author",
    "candidate_surface",
)


class InputConfig(JsonConfig):
    """What the configurations of both models share: fields that shape the tokens, and checks."""

    model: TransformerConfig
    emb_size: int
    history_seq_len: int
    candidate_seq_len: int
    fprop_dtype: Any
    hash_config: HashConfig | None
    product_surface_vocab_size: int
    has_post_age: bool
    has_dwell: bool
    attributes: tuple[Attribute, ...]
    variational_dropout: float = 0.0  # A field of models that learn what features are worth.

    _nested: ClassVar[Mapping[str, type[JsonConfig]]] = {
        "model": TransformerConfig,
        "hash_config": HashConfig,
        "attributes": Attribute,
    }

    def __post_init__(self) -> None:
        """Fills in the hash configuration, settles the dtype and checks the fields."""
        if self.hash_config is None:
            object.__setattr__(self, "hash_config", HashConfig())
        check_type(self, "model", TransformerConfig)
        check_type(self, "hash_config", HashConfig)
        check_type(self, "has_post_age", bool)
        check_type(self, "has_dwell", bool)
        check_type(self, "attributes", tuple)
        object.__setattr__(self, "fprop_dtype", float_dtype(self, "fprop_dtype"))
        self._check_attributes()
        check_counts(self, ("emb_size", "product_surface_vocab_size"))
        check_counts(self, ("history_seq_len", "candidate_seq_len"), minimum=0)
        check(
            self.model.emb_size == self.emb_size,
            f"{type(self).__name__}.emb_size",
            expected=f"the width of the trunk, {self.model.emb_size}",
            got=self.emb_size,
        )

    def _check_attributes(self) -> None:
        field = f"{type(self).__name__}.attributes"
        are_attributes = all(isinstance(each, Attribute) for each in self.attributes)
        check(are_attributes, field, expected="a tuple of `Attribute`", got=self.attributes)
        names = [attribute.name for attribute in self.attributes]
        check(len(set(names)) == len(names), field, expected="names that differ", got=names)

    @property
    def user_attributes(self) -> tuple[Attribute, ...]:
        """The attributes that are added to the token of the user."""
        return attributes.of_side(self.attributes, "user")

    @property
    def post_attributes(self) -> tuple[Attribute, ...]:
        """The attributes that are added to the tokens of posts."""
        return attributes.of_side(self.attributes, "post", "context")

    @property
    def gated_features(self) -> tuple[str, ...]:
        """The groups of features with a gate, see `phoenix.feature_gates`."""
        return GATED_FEATURES if self.variational_dropout else ()

    @property
    def hashes(self) -> HashConfig:
        """The hash configuration, never None."""
        return self.hash_config or HashConfig()

    def initialize(self) -> Self:
        """Kept for the public interface: there is nothing to prepare."""
        object.__setattr__(self, "_initialized", True)
        return self


def block_user_reduce(
    user_hashes: ArrayLike,
    user_embeddings: ArrayLike,
    num_user_hashes: int,
    emb_size: int,
    embed_init_scale: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """The user token `[B, 1, D]` and its mask `[B, 1]`, from rows `[B, nu, D]`.

    The rows are concatenated and projected by `proj_mat_1` in float32.
    """
    rows = jnp.asarray(user_embeddings)
    flat = rows.reshape(rows.shape[0], 1, num_user_hashes * emb_size)
    token = _projection([flat], "proj_mat_1", emb_size, embed_init_scale)
    return token, jnp.asarray(user_hashes)[:, :1] != 0


def block_history_reduce(  # noqa: PLR0913 - the public signature
    history_post_hashes: ArrayLike,
    history_post_embeddings: ArrayLike,
    history_author_embeddings: ArrayLike,
    history_product_surface_embeddings: ArrayLike | Factors,
    history_actions_embeddings: ArrayLike | Factors,
    num_item_hashes: int,
    num_author_hashes: int,
    embed_init_scale: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """The history tokens `[B, S, D]` and their mask `[B, S]`.

    Concatenates posts `[B, S, ni, D]`, authors `[B, S, na, D]`, actions and product surface
    (`[B, S, D]` each), in this order, and projects by `proj_mat_3` in float32.
    """
    posts = jnp.asarray(history_post_embeddings)
    size = posts.shape[-1]
    parts = [
        _joined_rows(posts, num_item_hashes),
        _joined_rows(jnp.asarray(history_author_embeddings), num_author_hashes),
        history_actions_embeddings,
        history_product_surface_embeddings,
    ]
    tokens = _projection(parts, "proj_mat_3", size, embed_init_scale)
    return tokens, jnp.asarray(history_post_hashes)[:, :, 0] != 0


def block_candidate_reduce(  # noqa: PLR0913 - the public signature
    candidate_post_hashes: ArrayLike,
    candidate_post_embeddings: ArrayLike,
    candidate_author_embeddings: ArrayLike,
    candidate_product_surface_embeddings: ArrayLike | Factors,
    num_item_hashes: int,
    num_author_hashes: int,
    embed_init_scale: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """The candidate tokens `[B, C, D]` and their mask `[B, C]`.

    As the history, without actions: posts, authors, product surface, by `proj_mat_2`.
    """
    posts = jnp.asarray(candidate_post_embeddings)
    size = posts.shape[-1]
    parts = [
        _joined_rows(posts, num_item_hashes),
        _joined_rows(jnp.asarray(candidate_author_embeddings), num_author_hashes),
        candidate_product_surface_embeddings,
    ]
    tokens = _projection(parts, "proj_mat_2", size, embed_init_scale)
    return tokens, jnp.asarray(candidate_post_hashes)[:, :, 0] != 0


def context_tokens(
    config: InputConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings
) -> tuple[jax.Array, jax.Array]:
    """The tokens `[B, 1+S, D]` of user and history in the computation dtype, and their mask.

    Raises:
      ValueError: If the configuration asks for an optional input that `batch` does not have.
    """
    surface = _surface_embeddings(config, batch.history_product_surface)
    actions = _action_embeddings(config, batch.history_actions)
    user, user_mask = block_user_reduce(
        batch.user_hashes,
        _gated(config, "user", embeddings.user_embeddings),
        config.hashes.num_user_hashes,
        config.emb_size,
    )
    history, history_mask = block_history_reduce(
        batch.history_post_hashes,
        _gated(config, "history_post", embeddings.history_post_embeddings),
        _gated(config, "history_author", embeddings.history_author_embeddings),
        _gated_factors(config, "history_surface", surface),
        _gated_factors(config, "history_actions", actions),
        config.hashes.num_item_hashes,
        config.hashes.num_author_hashes,
    )
    if config.has_post_age:
        history = history + _age_embeddings(config, batch, "history_post_age_minutes")
    if config.has_dwell:
        history = history + _dwell_embeddings(config, batch)
    if config.user_attributes:
        values = _optional(batch, "user_attributes")[:, None]
        user = user + embedded(config.user_attributes, values, config.emb_size)
    if config.post_attributes:
        values = _optional(batch, "history_attributes")
        history = history + embedded(config.post_attributes, values, config.emb_size)
    tokens = jnp.concatenate([user, history], axis=1)
    mask = jnp.concatenate([user_mask, history_mask], axis=1)
    return tokens.astype(config.fprop_dtype), mask


def candidate_tokens(
    config: InputConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings
) -> tuple[jax.Array, jax.Array]:
    """The candidate tokens `[B, C, D]` in the computation dtype, and their mask `[B, C]`.

    Raises:
      ValueError: If the configuration asks for an optional input that `batch` does not have.
    """
    surface = _surface_embeddings(config, batch.candidate_product_surface)
    tokens, mask = block_candidate_reduce(
        batch.candidate_post_hashes,
        _gated(config, "candidate_post", embeddings.candidate_post_embeddings),
        _gated(config, "candidate_author", embeddings.candidate_author_embeddings),
        _gated_factors(config, "candidate_surface", surface),
        config.hashes.num_item_hashes,
        config.hashes.num_author_hashes,
    )
    if config.has_post_age:
        tokens = tokens + _age_embeddings(config, batch, "candidate_post_age_minutes")
    if config.post_attributes:
        values = _optional(batch, "candidate_attributes")
        tokens = tokens + embedded(config.post_attributes, values, config.emb_size)
    return tokens.astype(config.fprop_dtype), mask


def user_factor(config: InputConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings) -> jax.Array:
    """The sum `[B, D]` of a user's rows, float32; zero for an unknown user."""
    rows = _gated(config, "user", embeddings.user_embeddings).astype(jnp.float32)
    is_known = jnp.asarray(batch.user_hashes)[:, :1] != 0
    return jnp.where(is_known, jnp.sum(rows, axis=1), 0)


def candidate_factors(
    config: InputConfig, batch: RecsysBatch, embeddings: RecsysEmbeddings
) -> jax.Array:
    """The sums `[B, C, D]` of the rows of posts and their authors, float32; zero for padding."""
    posts = _gated(config, "candidate_post", embeddings.candidate_post_embeddings)
    authors = _gated(config, "candidate_author", embeddings.candidate_author_embeddings)
    total = sum(jnp.sum(rows.astype(jnp.float32), axis=2) for rows in (posts, authors))
    is_valid = jnp.asarray(batch.candidate_post_hashes)[:, :, :1] != 0
    return jnp.where(is_valid, total, 0)


def post_age_bucket(age_minutes: ArrayLike) -> jax.Array:
    """The bucket of a post age: 0 missing, then one per 60 minutes, then one from 4800 on.

    Args:
      age_minutes: Any shape; NaN and negative values count as missing.

    >>> post_age_bucket([float("nan"), -1, 0, 59.9, 60, 4799, 4800, 1e9]).tolist()
    [0, 0, 1, 1, 2, 80, 81, 81]
    """
    age = jnp.asarray(age_minutes, jnp.float32)
    bucket = 1 + jnp.minimum(age, POST_AGE_LIMIT_MINUTES) // POST_AGE_BUCKET_MINUTES
    return jnp.where(age >= 0, bucket, 0).astype(jnp.int32)


def scaled_dwell(dwell_seconds: ArrayLike) -> jax.Array:
    """Dwell time in units of 30 s, clipped to [0, 1]: input and target of continuous heads.

    NaN stays NaN.
    """
    return jnp.clip(jnp.asarray(dwell_seconds, jnp.float32) / DWELL_SCALE_SECONDS, 0.0, 1.0)


def _gated(config: InputConfig, group: str, values: ArrayLike) -> jax.Array:
    return gated(group, values) if group in config.gated_features else jnp.asarray(values)


def _gated_factors(config: InputConfig, group: str, values: Factors) -> Factors:
    return Factors(_gated(config, group, values.rows), values.table)


def _joined_rows(rows: jax.Array, num_hashes: int) -> jax.Array:
    """`[B, n, h, D]` as `[B, n, h*D]`."""
    return rows.reshape(*rows.shape[:2], num_hashes * rows.shape[-1])


def _fan_out(scale: float = 1.0) -> hk.initializers.VarianceScaling:
    return hk.initializers.VarianceScaling(scale, mode="fan_out")


def _projection(
    parts: Sequence[ArrayLike | Factors], name: str, size: int, scale: float
) -> jax.Array:
    """The concatenated `parts` `[..., in_i]` times the matrix `name` `[in, size]`, in float32.

    Computed as a sum of products, so that the concatenation is never written. The dtype of the
    result is that of the parts.
    """
    initializer = _fan_out(scale)

    def transposed(shape: Sequence[int], dtype: DTypeLike) -> jax.Array:
        """The fan-out of the reversed shape is the width of the input."""
        return initializer(shape[::-1], dtype).T

    factors = [part if isinstance(part, Factors) else (jnp.asarray(part), None) for part in parts]
    widths = [(rows if table is None else table).shape[-1] for rows, table in factors]
    matrix = hk.get_parameter(name, [sum(widths), size], jnp.float32, init=transposed)
    blocks = jnp.split(matrix, np.cumsum(widths)[:-1])
    products = [
        matrix_product(
            rows.astype(jnp.float32), block if table is None else matrix_product(table, block)
        )
        for (rows, table), block in zip(factors, blocks, strict=True)
    ]
    return sum(products[1:], products[0]).astype(jnp.result_type(*(rows for rows, _ in factors)))


def _surface_embeddings(config: InputConfig, surface: ArrayLike) -> Factors:
    """`[B, n]` surfaces as `[B, n, D]`; a surface outside the vocabulary gives the zero vector."""
    size = config.product_surface_vocab_size
    table = hk.get_parameter(
        "product_surface_embedding_table", [size, config.emb_size], jnp.float32, init=_fan_out()
    )
    return Factors(jax.nn.one_hot(jnp.asarray(surface), size, dtype=config.fprop_dtype), table)


def _action_embeddings(config: InputConfig, actions: ArrayLike) -> Factors:
    """`[B, S, A]` multi-hot actions as `[B, S, D]`: signs times a matrix; no action gives zero."""
    multi_hot = jnp.asarray(actions).astype(config.fprop_dtype)
    shape = [multi_hot.shape[-1], config.emb_size]
    matrix = hk.get_parameter("action_projection", shape, jnp.float32, init=_fan_out())
    has_action = jnp.any(multi_hot != 0, axis=-1, keepdims=True)
    return Factors(jnp.where(has_action, 2 * multi_hot - 1, 0), matrix)


def _optional(batch: RecsysBatch, field: str) -> jax.Array:
    value = getattr(batch, field)
    if value is None:
        raise ValueError(
            f"`RecsysBatch.{field}`: expected an array, because the model configuration reads it, "
            "got None."
        )
    return jnp.asarray(value, jnp.float32)


def _age_embeddings(config: InputConfig, batch: RecsysBatch, field: str) -> jax.Array:
    """`[B, n]` post ages as `[B, n, D]`, by bucket."""
    shape = [NUM_POST_AGE_BUCKETS, config.emb_size]
    table = hk.get_parameter("post_age_embedding_table", shape, jnp.float32, init=_fan_out())
    return jnp.take(table, post_age_bucket(_optional(batch, field)), axis=0)


def _dwell_embeddings(config: InputConfig, batch: RecsysBatch) -> jax.Array:
    """`[B, S]` dwell times as `[B, S, D]`: 1 -> 64 -> D with gelu; missing gives zero."""
    seconds = _optional(batch, "history_dwell_seconds")
    is_known = seconds >= 0
    dwell = scaled_dwell(jnp.where(is_known, seconds, 0.0))[..., None]
    hidden = hk.Linear(DWELL_HIDDEN_SIZE, name="dwell_hidden")(dwell)
    embedded = hk.Linear(config.emb_size, name="dwell_output")(jax.nn.gelu(hidden))
    return jnp.where(is_known[..., None], embedded, 0.0)
