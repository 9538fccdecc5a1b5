"""Trained models: parameters, tables and what they mean, behind the interfaces of the pipeline.

Inputs of any number of rows and candidates run in a few fixed shapes, so that an odd size pads
instead of compiling. Users are encoded once and candidates scored in blocks against them, so that
memory does not grow with a slate. A value does not depend on what else is in the batch.

Glossary of shapes:
  N: windows, C: candidates, A: actions, D: vector size, M: posts.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import haiku as hk
import numpy as np

from phoenix.data.hashing import HashSpec
from phoenix.data.windows import DWELL_SCALE_SECONDS, Windows
from phoenix.embedding import EmbeddingTables
from phoenix.inference.forward import (
    Compiled,
    ranker_forward,
    retrieval_forward,
    without_candidates,
)
from phoenix.inputs import slates
from phoenix.inputs.batch import RecsysBatch
from phoenix.inputs.model_inputs import model_inputs
from phoenix.model_runners import ModelConfig
from phoenix.recommend.recommender import PostInputs
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.recsys_retrieval_model import (
    MIN_TEMPERATURE,
    TEMPERATURE,
    PhoenixRetrievalModelConfig,
)

_ROW_BUCKETS = (1, 16, 64, 256)  # Windows per call.
_TOKENS_PER_CALL = 1 << 16  # Bounds the memory of a call: fewer windows when slates are long.
_POST_BUCKETS = (64, 4096)  # Posts per call.


class OptimizerState(NamedTuple):
    """The optimizer of the dense parameters after a training, from which another goes on."""

    arrays: Mapping[str, np.ndarray]  # moments, counts, averages: leaves of its state, by path
    steps: int  # that it has done in all trainings; those that were skipped are none
    schedule_steps: int  # after which its learning rate no longer falls


@dataclass(frozen=True, eq=False, kw_only=True)
class _Trained:
    params: hk.Params
    tables: EmbeddingTables
    actions: tuple[str, ...]  # [A]
    hash_spec: HashSpec
    seed: int  # Of the training run.
    config: ModelConfig
    optimizer: OptimizerState | None = None  # None where nobody goes on from this model.

    def _inputs(self, windows: Windows) -> RecsysBatch:
        num_rows = next(size for size in _ROW_BUCKETS if size >= len(windows.user_ids))
        batch = model_inputs(windows, self.actions, self.config)
        return slates.padded_users(batch, num_rows)

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
    """A trained retrieval model; satisfies `phoenix.recommend.recommender.Retriever`."""

    config: PhoenixRetrievalModelConfig
    name: ClassVar[str] = "two_tower"

    @property
    def reads_popularity(self) -> bool:
        """Whether it reads how popular posts are."""
        return self.config.reads_popularity

    @property
    def reads_facts(self) -> bool:
        """Whether it reads attributes of posts, or how old they are."""
        return self.config.reads_candidate_facts

    @property
    def temperature(self) -> float:
        """The number over which scores are logarithms of what to expect; 1 where none is there."""
        trained = self.params.get(TEMPERATURE)
        if trained is None:
            return 1.0
        return max(math.exp(float(trained["log_temperature"])), MIN_TEMPERATURE)

    def encode_users(self, windows: Windows) -> np.ndarray:
        """`[N, D]` float32, the angle of unit length; zero for an unknown user without history.

        Raises:
          ValueError: If the windows have another number of hashes than the model.
        """
        self._check(windows)
        encode = retrieval_forward(self.config).encode_user
        vectors = np.empty((len(windows.user_ids), self.config.vector_size), np.float32)
        for rows in _row_slices(windows, 0):
            users = without_candidates(self._inputs(windows.rows(rows)), self.tables)
            vectors[rows] = np.asarray(encode(self.params, *users))[: rows.stop - rows.start]
        return vectors

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        """`[M, D]` float32 vectors of posts, the angle of unit length, from the hashes of the ids.

        Args:
          post_ids: `[M]` int64, none 0.
          author_ids: `[M]` int64.
          inputs: What else is known of them, as far as the model reads it.

        Raises:
          ValueError: If the shapes differ, or the model reads what is not there.
        """
        if post_ids.shape != author_ids.shape or post_ids.ndim != 1:
            raise ValueError(
                f"`post_ids` and `author_ids` must be [M], got {post_ids.shape} and "
                f"{author_ids.shape}."
            )
        encode = retrieval_forward(self.config).encode_candidates
        vectors = np.empty((len(post_ids), self.config.vector_size), np.float32)
        for start in range(0, len(post_ids), _POST_BUCKETS[-1]):
            rows = slice(start, min(start + _POST_BUCKETS[-1], len(post_ids)))
            size = next(size for size in _POST_BUCKETS if size >= rows.stop - start)
            batch = _posts_batch(
                slates.pad_axis(self.hash_spec.post.hash_ids(post_ids[rows]), size, axis=0),
                slates.pad_axis(self.hash_spec.author.hash_ids(author_ids[rows]), size, axis=0),
                num_user_hashes=self.hash_spec.user.num_hashes,
                num_actions=len(self.actions),
            )
            known = {
                field: slates.pad_axis(values[rows], size, axis=0)[None]
                for field, values in self._known(inputs).items()
            }
            batch = batch._replace(**known)
            vectors[rows] = encode(self.params, batch, self.tables)[0, : rows.stop - rows.start]
        return vectors

    def _known(self, inputs: PostInputs | None) -> dict[str, np.ndarray]:
        """What the model reads of posts beside their ids, by the field of a batch."""
        config, reads_facts = self.config, self.reads_facts
        fields = {
            "candidate_popularity": ("popularity", self.reads_popularity),
            "candidate_attributes": ("attributes", reads_facts and config.attributes_of_posts),
            "candidate_post_age_minutes": ("age_minutes", reads_facts and config.has_post_age),
        }
        known = {}
        for field, (name, is_read) in fields.items():
            if is_read:
                values = getattr(inputs, name, None)
                if values is None:
                    raise ValueError(f"`inputs.{name}`: the model reads it, got None.")
                known[field] = values
        return known


@dataclass(frozen=True, eq=False, kw_only=True)
class RankingTransformer(_Trained):
    """A trained ranker; satisfies `phoenix.recommend.recommender.Ranker`."""

    config: PhoenixModelConfig
    name: ClassVar[str] = "ranking_transformer"

    @property
    def reads_evidence(self) -> bool:
        """Whether it reads what was known of candidates before their day."""
        return self.config.reads_evidence

    def predict(self, windows: Windows) -> np.ndarray:
        """`[N, C, A]` float32: probability of each action for each candidate.

        Values of padded candidates are finite and meaningless.

        Raises:
          ValueError: If the windows have another number of hashes than the model.
        """
        forward = ranker_forward(self.config)
        return self._scores(windows, forward.probabilities, len(self.actions))

    def predict_dwell(self, windows: Windows) -> np.ndarray | None:
        """`[N, C]` float32: seconds that the user will stay, at most 30; None without such a head.

        Values of padded candidates are finite and meaningless.

        Raises:
          ValueError: If the windows have another number of hashes than the model.
        """
        if not self.config.num_continuous:
            return None
        forward = ranker_forward(self.config)
        times = self._scores(windows, forward.times, self.config.num_continuous)
        return times[..., 0] * DWELL_SCALE_SECONDS

    def _scores(self, windows: Windows, score: Compiled, width: int) -> np.ndarray:
        """`[N, C, width]` float32: the output of `score` for all candidates."""
        self._check(windows)
        forward = ranker_forward(self.config)
        num_windows, num_candidates = windows.candidate_post_ids.shape
        values = np.empty((num_windows, num_candidates, width), np.float32)
        for rows in _row_slices(windows, min(num_candidates, slates.MAX_BLOCK)):
            batch = self._inputs(windows.rows(rows))
            blocks = forward.in_blocks(score, self.params, batch, self.tables, slates.MAX_BLOCK)
            for block, scores in blocks:
                values[rows, block] = scores[: rows.stop - rows.start]
        return values


TrainedModel = TwoTower | RankingTransformer


def trained_model(
    config: ModelConfig,
    params: hk.Params,
    tables: EmbeddingTables,
    *,
    actions: tuple[str, ...],
    hash_spec: HashSpec,
    seed: int,
) -> TrainedModel:
    """Returns the trained model that belongs to the kind of `config`."""
    facts: dict[str, Any] = {
        "params": params,
        "tables": tables,
        "actions": actions,
        "hash_spec": hash_spec,
        "seed": seed,
    }
    if isinstance(config, PhoenixModelConfig):
        return RankingTransformer(config=config, **facts)
    return TwoTower(config=config, **facts)


def _row_slices(windows: Windows, num_candidates: int) -> Iterator[slice]:
    """Slices of a bucket's size whose tokens fit a call; at least the smallest bucket."""
    num_windows, num_history = windows.history_post_ids.shape
    num_tokens = 1 + num_history + num_candidates
    fitting = [size for size in _ROW_BUCKETS if size * num_tokens <= _TOKENS_PER_CALL]
    size = max(fitting, default=_ROW_BUCKETS[0])
    for start in range(0, num_windows, size):
        yield slice(start, min(start + size, num_windows))


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
