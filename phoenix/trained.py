"""Trained models: parameters, tables and what they mean, behind the interfaces of the pipeline.

Inputs of any number of rows and candidates run in a few fixed shapes, so that an odd size pads
instead of compiling; a value does not depend on what else is in the batch.

Glossary of shapes:
  N: windows, C: candidates, A: actions, D: vector size, M: posts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from phoenix.batches import model_inputs, padded
from phoenix.embedding import EmbeddingTables, lookup
from phoenix.hashing import HashSpec
from phoenix.recsys_model import PhoenixModelConfig, RecsysBatch, RecsysEmbeddings
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.windows import Windows

_ROW_BUCKETS = (16, 64, 256)  # Windows per call.
_MIN_CANDIDATES = 8  # Candidates are padded to a power of two, at least this.
_TOKENS_PER_CALL = 1 << 16  # Bounds the memory of a call: fewer windows when slates are long.
_POST_BUCKETS = (64, 4096)  # Posts per call.

_Encode = Callable[[hk.Params, EmbeddingTables, RecsysBatch], jax.Array]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Trained:
    params: hk.Params
    tables: EmbeddingTables
    actions: tuple[str, ...]  # [A]
    hash_spec: HashSpec
    seed: int  # Of the training run.

    def _check(self, windows: Windows) -> None:
        expected = {
            "user_hashes": self.hash_spec.user.num_hashes,
            "history_post_hashes": self.hash_spec.post.num_hashes,
            "history_author_hashes": self.hash_spec.author.num_hashes,
        }
        for field, num_hashes in expected.items():
            actual = getattr(windows, field).shape[-1]
            if actual != num_hashes:
                raise ValueError(
                    f"`{field}` must have the {num_hashes} hashes of the model, got {actual}."
                )


@dataclass(frozen=True, eq=False, kw_only=True)
class TwoTower(_Trained):
    """A trained retrieval model; satisfies `phoenix.recommender.Retriever`."""

    config: PhoenixRetrievalModelConfig
    name: ClassVar[str] = "two_tower"

    def encode_users(self, windows: Windows) -> np.ndarray:
        """`[N, D]` float32 unit vectors; zero for an unknown user without history.

        Raises:
          ValueError: If the windows have another number of hashes than the model.
        """
        self._check(windows)
        encode = _user_tower(self.config)
        short = _with_candidates(windows, 1)  # Not read: one shape for any number of them.
        vectors = np.empty((len(windows.user_ids), self.config.emb_size), np.float32)
        for rows in _row_slices(len(vectors), short):
            inputs = _inputs(short.rows(rows), self.actions, self.config)
            vectors[rows] = encode(self.params, self.tables, inputs)[: rows.stop - rows.start]
        return vectors

    def encode_posts(self, post_ids: np.ndarray, author_ids: np.ndarray) -> np.ndarray:
        """`[M, D]` float32 unit vectors of posts, from the hashes of the ids.

        Args:
          post_ids: `[M]` int64, none 0.
          author_ids: `[M]` int64.

        Raises:
          ValueError: If the shapes differ.
        """
        if post_ids.shape != author_ids.shape or post_ids.ndim != 1:
            raise ValueError(
                f"`post_ids` and `author_ids` must be [M], got {post_ids.shape} and "
                f"{author_ids.shape}."
            )
        encode = _candidate_tower(self.config)
        vectors = np.empty((len(post_ids), self.config.emb_size), np.float32)
        for start in range(0, len(post_ids), _POST_BUCKETS[-1]):
            rows = slice(start, min(start + _POST_BUCKETS[-1], len(post_ids)))
            batch = _posts_batch(
                _padded_array(self.hash_spec.post.hash_ids(post_ids[rows])),
                _padded_array(self.hash_spec.author.hash_ids(author_ids[rows])),
                num_user_hashes=self.hash_spec.user.num_hashes,
                num_actions=len(self.actions),
            )
            vectors[rows] = encode(self.params, self.tables, batch)[0, : rows.stop - rows.start]
        return vectors


@dataclass(frozen=True, eq=False, kw_only=True)
class RankingTransformer(_Trained):
    """A trained ranker; satisfies `phoenix.recommender.Ranker`."""

    config: PhoenixModelConfig
    name: ClassVar[str] = "ranking_transformer"

    def predict(self, windows: Windows) -> np.ndarray:
        """`[N, C, A]` float32: probability of each action for each candidate.

        Values of padded candidates are finite and meaningless.

        Raises:
          ValueError: If the windows have another number of hashes than the model.
        """
        self._check(windows)
        forward = _ranker(self.config)
        num_windows, num_candidates = windows.candidate_post_ids.shape
        bucket = max(_MIN_CANDIDATES, 1 << (num_candidates - 1).bit_length())
        wide = _with_candidates(windows, bucket)
        values = np.empty((num_windows, num_candidates, len(self.actions)), np.float32)
        for rows in _row_slices(num_windows, wide):
            inputs = _inputs(wide.rows(rows), self.actions, self.config)
            result = np.asarray(forward(self.params, self.tables, inputs))
            values[rows] = result[: rows.stop - rows.start, :num_candidates]
        return values


TrainedModel = TwoTower | RankingTransformer


def trained_model(
    config: PhoenixModelConfig | PhoenixRetrievalModelConfig,
    params: hk.Params,
    tables: EmbeddingTables,
    *,
    actions: tuple[str, ...],
    hash_spec: HashSpec,
    seed: int,
) -> TrainedModel:
    """Returns the trained model that belongs to the kind of `config`."""
    if isinstance(config, PhoenixModelConfig):
        return RankingTransformer(
            config=config,
            params=params,
            tables=tables,
            actions=actions,
            hash_spec=hash_spec,
            seed=seed,
        )
    return TwoTower(
        config=config,
        params=params,
        tables=tables,
        actions=actions,
        hash_spec=hash_spec,
        seed=seed,
    )


@lru_cache(maxsize=8)
def _user_tower(config: PhoenixRetrievalModelConfig) -> _Encode:
    def encode(batch: RecsysBatch, rows: RecsysEmbeddings) -> jax.Array:
        return config.make().build_user_representation(batch, rows)[0]

    return _compiled(encode)


@lru_cache(maxsize=8)
def _candidate_tower(config: PhoenixRetrievalModelConfig) -> _Encode:
    def encode(batch: RecsysBatch, rows: RecsysEmbeddings) -> jax.Array:
        return config.make().build_candidate_representation(batch, rows)[0]

    return _compiled(encode)


@lru_cache(maxsize=8)
def _ranker(config: PhoenixModelConfig) -> _Encode:
    def predict(batch: RecsysBatch, rows: RecsysEmbeddings) -> jax.Array:
        return jax.nn.sigmoid(config.make()(batch, rows).logits.astype(jnp.float32))

    return _compiled(predict)


def _compiled(function: Callable[[RecsysBatch, RecsysEmbeddings], jax.Array]) -> _Encode:
    apply = hk.without_apply_rng(hk.transform(function)).apply

    def call(params: hk.Params, tables: EmbeddingTables, batch: RecsysBatch) -> jax.Array:
        return apply(params, batch, lookup(tables, batch)).astype(jnp.float32)

    return jax.jit(call)


def _inputs(
    windows: Windows,
    actions: tuple[str, ...],
    config: PhoenixModelConfig | PhoenixRetrievalModelConfig,
) -> RecsysBatch:
    num_rows = next(size for size in _ROW_BUCKETS if size >= len(windows.user_ids))
    return model_inputs(padded(windows, num_rows), actions, config)


def _row_slices(num_windows: int, windows: Windows) -> Iterator[slice]:
    """Slices of a bucket's size whose tokens fit a call; at least the smallest bucket."""
    num_tokens = 1 + windows.history_post_ids.shape[1] + windows.candidate_post_ids.shape[1]
    fitting = [size for size in _ROW_BUCKETS if size * num_tokens <= _TOKENS_PER_CALL]
    size = max(fitting, default=_ROW_BUCKETS[0])
    for start in range(0, num_windows, size):
        yield slice(start, min(start + size, num_windows))


def _with_candidates(windows: Windows, num_candidates: int) -> Windows:
    """Cuts or pads the candidates to `num_candidates`."""
    fields = {}
    for field, array in windows._asdict().items():
        if field.startswith(("candidate_", "label")):
            kept = array[:, :num_candidates]
            missing = num_candidates - kept.shape[1]
            widths = [(0, 0), (0, missing)] + [(0, 0)] * (kept.ndim - 2)
            fields[field] = np.pad(kept, widths) if missing else kept
    return windows._replace(**fields)


def _padded_array(hashes: np.ndarray) -> np.ndarray:
    """Adds rows of padding up to a bucket of posts."""
    size = next(size for size in _POST_BUCKETS if size >= len(hashes))
    return np.pad(hashes, [(0, size - len(hashes)), (0, 0)])


def _posts_batch(
    post_hashes: np.ndarray, author_hashes: np.ndarray, *, num_user_hashes: int, num_actions: int
) -> RecsysBatch:
    """One row with all the posts as candidates, and no user and no history."""
    num_posts = len(post_hashes)
    return RecsysBatch(
        user_hashes=np.zeros((1, num_user_hashes), np.int32),
        history_post_hashes=np.zeros((1, 1, post_hashes.shape[1]), np.int32),
        history_author_hashes=np.zeros((1, 1, author_hashes.shape[1]), np.int32),
        history_actions=np.zeros((1, 1, num_actions), np.float32),
        history_product_surface=np.zeros((1, 1), np.int32),
        candidate_post_hashes=post_hashes[None],
        candidate_author_hashes=author_hashes[None],
        candidate_product_surface=np.zeros((1, num_posts), np.int32),
    )
