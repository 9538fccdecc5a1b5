"""Next-item training: the retrieval model learns from every position of a history in one pass.

For logs with positives only, and for those in which order says much. The state of the causal trunk
before an event is the query, the post of the event is the target, and one list of posts serves all
queries of a batch: the whole catalogue where it is small, else the posts of the batch and a sample
of the others. A sequence costs one forward pass, not one per prefix.

Glossary of shapes:
  N: windows, B: batch, S: events of a sequence, K: posts of the list, C: K / B rounded up,
  M: posts of the catalogue, ni / na: hashes per post and author.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from phoenix.data import sorted_ids
from phoenix.data.hashing import HashSpec
from phoenix.data.window_source import WindowSource
from phoenix.data.windows import Engagement, Windows
from phoenix.inputs.model_inputs import model_inputs
from phoenix.recsys_model import RecsysBatch, RecsysEmbeddings
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train import losses
from phoenix.train.batches import batch_generator
from phoenix.train.objectives.objective import Network
from phoenix.train.objectives.retrieval import log_temperature_of, with_temperature

_NO_TARGET = -1


class NextItemBatch(NamedTuple):
    """The arrays of one step of training, each of B rows; weight 0 marks padding.

    The candidates of `inputs` are the list, cut into rows of C: post k is in row k // C.
    """

    inputs: RecsysBatch
    targets: np.ndarray  # [B, S] int32: number in the list, -1 where there is none
    offsets: np.ndarray  # [B, C] float32: added to the logits of the list
    weights: np.ndarray  # [B] float32
    seeds: np.ndarray | None  # [B] uint32, all equal: of what is dropped; None drops nothing
    target_weights: np.ndarray | None = None  # [B, S] float32: impressions it stands for; None: 1


class Catalogue(NamedTuple):
    """The posts of a training set, and how often each is a target."""

    post_ids: np.ndarray  # [M] int64, ascending, none 0
    post_hashes: np.ndarray  # [M, ni] int32
    author_hashes: np.ndarray  # [M, na] int32
    counts: np.ndarray  # [M] int64

    @classmethod
    def of(
        cls, parts: Iterable[Windows], hash_spec: HashSpec, *, engagement: Engagement
    ) -> "Catalogue":
        """Returns the posts of all events in the histories of `parts`.

        Args:
          parts: Windows of sequences, see `sequences`.
          hash_spec: Of the windows.
          engagement: The actions that make an event a target.

        Raises:
          ValueError: If there is no post.
        """
        posts = np.empty(0, np.int64)
        authors, counts = posts, posts
        for part in parts:
            exists = part.history_post_ids != 0
            is_target = engagement.is_positive(part.history_actions[exists])
            posts, first, inverse = np.unique(
                np.concatenate([posts, part.history_post_ids[exists]]),
                return_index=True,
                return_inverse=True,
            )
            authors = np.concatenate([authors, part.history_author_ids[exists]])[first]
            counts = np.bincount(
                inverse, np.concatenate([counts, is_target]), minlength=len(posts)
            ).astype(np.int64)
        if not len(posts):
            raise ValueError("There is no event to learn from.")
        return cls(
            posts, hash_spec.post.hash_ids(posts), hash_spec.author.hash_ids(authors), counts
        )


def sequences(windows: Windows) -> Windows:
    """Returns one window per user, whose history is all that is known of the user.

    Of each user the last window counts; its candidates follow its history as events of their own.
    Earlier windows of the user are in that history, so that nothing is learned twice.

    Args:
      windows: N windows with histories of S' posts and C' candidates.

    Returns:
      Windows with histories of S' + C' posts and without candidates, in order of users.
    """
    newest = np.lexsort((windows.starts_at, windows.user_ids))
    is_last = np.append(np.diff(windows.user_ids[newest]) != 0, True)[: len(newest)]
    newest_windows = windows.rows(newest[is_last])
    exists = np.concatenate(
        [newest_windows.history_post_ids != 0, newest_windows.candidate_mask], axis=1
    )
    order = np.argsort(~exists, axis=1, kind="stable")  # padding last
    fields = {}
    for field, of_candidates in _EVENT_FIELDS.items():
        values = [getattr(newest_windows, field), getattr(newest_windows, of_candidates)]
        if values[0] is None:  # both say what is optional, or none does
            continue
        together = np.concatenate(values, axis=1)
        place = order.reshape(*order.shape, *[1] * (together.ndim - 2))
        fields[field] = np.take_along_axis(together, place, axis=1)
        fields[of_candidates] = getattr(newest_windows, of_candidates)[:, :0]
    return newest_windows._replace(**fields)


class SequenceSource:
    """The sequences of a source of windows, chunk by chunk.

    A chunk, such as a day, gives one sequence for each of its users.
    """

    def __init__(self, source: WindowSource) -> None:
        """Reads `source` once, to count the users of its chunks."""
        self._source = source
        chunks = range(len(source.chunk_sizes))
        self._chunk_sizes = [len(np.unique(source.read(chunk).user_ids)) for chunk in chunks]

    @property
    def chunk_sizes(self) -> Sequence[int]:
        """The number of sequences of each chunk."""
        return self._chunk_sizes

    def read(self, chunk: int) -> Windows:
        """Returns the sequences of one chunk; see `sequences`."""
        return sequences(self._source.read(chunk))


_EVENT_FIELDS = {
    "history_post_ids": "candidate_post_ids",
    "history_author_ids": "candidate_author_ids",
    "history_post_hashes": "candidate_post_hashes",
    "history_author_hashes": "candidate_author_hashes",
    "history_shown_at": "candidate_shown_at",
    "history_actions": "labels",
    "history_surfaces": "candidate_surfaces",
    "history_dwell_seconds": "label_dwell_seconds",
    "history_created_at": "candidate_created_at",
    "history_attributes": "candidate_attributes",
    "history_unknown_actions": "label_unknown_actions",
    "history_weights": "label_weights",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class NextItemBatches:
    """Makes batches of sequences; a function of its fields and the arguments."""

    model_config: PhoenixRetrievalModelConfig
    max_listed_posts: int  # A catalogue of at most so many is listed whole.
    actions: Sequence[str]
    catalogue: Catalogue
    engagement: Engagement
    seed: int
    validated_since: int = 0  # ms UTC: what comes before is context in a validation, and no target

    def __call__(self, windows: Windows, step: int | None) -> NextItemBatch:
        """Returns the batch of B padded `windows` of sequences at `step`, None to validate."""
        generator = batch_generator(self.seed, step)
        targets = self._targets(windows)  # [B, S]
        if step is None:
            # A sequence that is held out begins with what others, or its user, were trained on.
            is_new = windows.history_shown_at >= self.validated_since
            targets = np.where(is_new, targets, _NO_TARGET)
        numbers, offsets = self._list(targets, generator)
        num_rows = len(targets)
        width = -(-self._list_size // num_rows)

        def rows(values: np.ndarray, fill: float) -> np.ndarray:
            """The values of the list in B rows, `[B, C, ...]`."""
            padded = np.full((num_rows * width, *values.shape[1:]), fill, values.dtype)
            padded[: len(values)] = values
            return padded.reshape(num_rows, width, *values.shape[1:])

        inputs = model_inputs(windows, self.actions, self.model_config)._replace(
            candidate_post_hashes=rows(self.catalogue.post_hashes[numbers], 0),
            candidate_author_hashes=rows(self.catalogue.author_hashes[numbers], 0),
            candidate_product_surface=np.zeros((num_rows, width), np.int32),
        )
        place, is_listed = sorted_ids.find(numbers, targets)
        is_listed &= targets != _NO_TARGET
        return NextItemBatch(
            inputs=inputs,
            targets=np.where(is_listed, place, _NO_TARGET).astype(np.int32),
            offsets=rows(offsets, -np.inf),
            weights=np.any(is_listed, axis=1).astype(np.float32),
            seeds=None if step is None else np.full(num_rows, generator.integers(2**32), np.uint32),
            target_weights=windows.history_weights,
        )

    @property
    def _list_size(self) -> int:
        return min(len(self.catalogue.post_ids), self.max_listed_posts)

    def _targets(self, windows: Windows) -> np.ndarray:
        """`[B, S]` the post of each event in the catalogue, -1 where it is no target."""
        posts = windows.history_post_ids
        place, is_target = sorted_ids.find(self.catalogue.post_ids, posts)
        is_target &= (posts != 0) & self.engagement.is_positive(windows.history_actions)
        # Before the first event there is a query only for a user whom the model knows.
        is_target[:, 0] &= windows.user_hashes[:, 0] != 0
        return np.where(is_target, place, _NO_TARGET)

    def _list(
        self, targets: np.ndarray, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ascending numbers of the listed posts, and minus the logarithm of their expected draws.

        A catalogue that does not fit gives the distinct targets of the batch, as many as fit, and
        others drawn uniformly: popular posts are listed more often, which the offsets undo.
        """
        num_posts, size = len(self.catalogue.post_ids), self._list_size
        if size == num_posts:
            return np.arange(num_posts), np.zeros(num_posts, np.float32)
        posts = targets[targets != _NO_TARGET]
        batch_posts = generator.permutation(np.unique(posts))[:size]
        others = generator.permutation(num_posts)
        others = others[np.isin(others, batch_posts, invert=True)][: size - len(batch_posts)]
        numbers = np.sort(np.concatenate([batch_posts, others]))
        share = self.catalogue.counts[numbers] / max(self.catalogue.counts.sum(), 1)
        draws = len(posts) * share + len(others) / num_posts
        return numbers, -np.log(-np.expm1(-np.maximum(draws, 1e-9))).astype(np.float32)


@dataclass(frozen=True)
class NextItemObjective:
    """Softmax of every next post of a sequence against the list of the batch."""

    config: PhoenixRetrievalModelConfig

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns the initial parameters of both towers, and of the temperature of a cosine."""
        params = Network(self._vectors).initial_params(seed, batch, rows)
        if self.config.similarity == "product":
            return params
        return with_temperature(params)

    def norms(self, batch: NextItemBatch) -> jax.Array:
        """Returns the weight of all targets of a batch, by which its parts count."""
        weights = self._weights(batch)
        return losses.total_weight(weights.shape, where=batch.targets >= 0, weights=weights)

    def loss(
        self,
        params: hk.Params,
        rows: RecsysEmbeddings,
        batch: NextItemBatch,
        norms: jax.Array | None = None,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `losses.listed_softmax`; features are dropped as the trunk is configured."""
        own = self.norms(batch)
        queries, posts = Network(self._vectors).output(params, batch, rows)
        scalars = {}
        if self.config.similarity == "cosine":
            log_temperature = log_temperature_of(params)
            queries = queries / losses.temperature(log_temperature)
            scalars["temperature"] = jnp.exp(log_temperature)
        value = losses.listed_softmax(
            queries.reshape(-1, queries.shape[-1]),
            posts.reshape(-1, posts.shape[-1]),
            batch.targets.reshape(-1),
            offsets=batch.offsets.reshape(-1),
            weights=self._weights(batch).reshape(-1),
        )
        return value * losses.share(own, own if norms is None else norms), scalars

    def _weights(self, batch: NextItemBatch) -> jax.Array:
        """`[B, S]` by how much each target counts."""
        weights = jnp.broadcast_to(jnp.asarray(batch.weights)[:, None], batch.targets.shape)
        return weights if batch.target_weights is None else weights * batch.target_weights

    def _vectors(self, batch: RecsysBatch, rows: RecsysEmbeddings) -> tuple[jax.Array, jax.Array]:
        model = self.config.make()
        queries = model.build_position_representation(batch, rows)
        posts, _ = model.build_candidate_representation(batch, rows)
        return queries, posts
