"""One training run: its parts, which fix every bit of what comes out, and whether they fit."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import haiku as hk
import jax
import numpy as np

from phoenix.data.engagement.popularity import PopularityByDay
from phoenix.data.hashing import KINDS, HashSpec
from phoenix.data.input_pipeline import BatchOrder, Epochs
from phoenix.data.negatives.known_posts import PostsByDay
from phoenix.data.window_source import WindowSource
from phoenix.embedding import EmbeddingTables
from phoenix.model_runners import ModelConfig
from phoenix.recommend.action_weights import with_num_actions
from phoenix.recommend.checkpoint import description_of
from phoenix.recommend.trained import OptimizerState, TrainedModel, trained_model
from phoenix.train.config import ComputeConfig, TrainConfig
from phoenix.train.states import StateEntry
from phoenix.train.validation import Split


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """The parts of one run. Equal parts give equal bits, on whatever they are computed.

    Raises:
      ConfigError: If there is nothing to validate on where the configuration asks for it.
      ValueError: If the parts do not fit together, or the source has no window to train on.
    """

    model_config: ModelConfig
    train_config: TrainConfig
    hash_spec: HashSpec
    actions: tuple[str, ...]
    source: WindowSource
    popularity: PopularityByDay | None = None  # where the model reads it
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    # Warm start: its parameters, by the names of actions, rows and accumulators.
    start: TrainedModel | None = None
    known_posts: PostsByDay | None = None  # of the days of all windows, to draw negatives from
    identity: str = field(init=False)  # Digest of the other parts but `compute`; samples the data.

    def __post_init__(self) -> None:
        """Checks that the parts fit together, and takes their digest."""
        self._check_hashes()
        self._check_start()
        self._check_sizes()
        object.__setattr__(self, "identity", self._digest())

    @cached_property
    def num_windows(self) -> int:
        """The windows of the source, those held out included."""
        return sum(self.source.chunk_sizes)

    @cached_property
    def split(self) -> Split:
        """The windows to train on, and those held out."""
        return Split.of(self.source, self.train_config.validation)

    @cached_property
    def num_train(self) -> int:
        """The number of windows to train on."""
        return sum(self.split.train.chunk_sizes)

    @cached_property
    def epochs(self) -> Epochs:
        """The batches of the run, in their order."""
        config = self.train_config
        order = BatchOrder.of(
            self.split.train,
            self.num_train,
            seed=config.seed,
            batch_size=config.batch_size,
            shuffle_windows=config.input.shuffle_windows,
            length_buckets=config.input.length_buckets,
        )
        order = dataclasses.replace(order, is_by_day=config.compares_in_batch)
        return Epochs.of(order, config.epochs)

    @cached_property
    def schedule_steps(self) -> int:
        """The steps in which the learning rate falls, those before a warm start included."""
        own = self.train_config.optimizer.schedule_steps
        earlier = None if self.start is None else self.start.optimizer
        return own or (self.epochs.num_steps if earlier is None else earlier.schedule_steps)

    @property
    def table_sizes(self) -> list[int]:
        """The number of rows of each table."""
        return [getattr(self.hash_spec, kind).num_rows for kind in KINDS]

    def description(self) -> dict[str, Any]:
        """The facts of this run that its training states carry; JSON values."""
        config = self.train_config
        return {
            **description_of(self.model_config, self.actions, self.hash_spec, config.seed),
            "identity": self.identity,
            "train_config": config.to_dict(),
        }

    def check_state(self, state: StateEntry) -> None:
        """Checks that a training state belongs to this run.

        Raises:
          ValueError: If it does not; says what differs.
        """
        if state.progress["identity"] == self.identity:
            return
        ours = self.description()
        del ours["identity"]  # Which differs, but tells nobody why.
        raise ValueError(
            f"{state.path}: the training state belongs to a run with another configuration, "
            f"data or starting model: {_differences(ours, state.progress)}."
        )

    def model(
        self, params: hk.Params, tables: EmbeddingTables, optimizer: OptimizerState
    ) -> TrainedModel:
        """Returns the model of these weights."""
        model = trained_model(
            self.model_config,
            params,
            tables,
            actions=self.actions,
            hash_spec=self.hash_spec,
            seed=self.train_config.seed,
        )
        return replace(model, optimizer=optimizer)

    def _check_hashes(self) -> None:
        spec, hashes = self.hash_spec, self.model_config.hashes
        expected = (hashes.num_user_hashes, hashes.num_item_hashes, hashes.num_author_hashes)
        actual = (spec.user.num_hashes, spec.post.num_hashes, spec.author.num_hashes)
        if expected != actual:
            raise ValueError(
                f"The model reads {expected} hashes per user, post and author; the hash "
                f"specification has {actual}."
            )

    def _check_start(self) -> None:
        if self.start is None:
            return
        config = with_num_actions(self.start.config, len(self.actions))
        for name, ours, theirs in (
            ("configuration", self.model_config, config),
            ("hash specification", self.hash_spec, self.start.hash_spec),
        ):
            if ours != theirs:
                raise ValueError(f"The model to start from has another {name}: {theirs}.")

    def _check_sizes(self) -> None:
        if self.num_train < 1:
            raise ValueError(f"There is no window to train on: the source has {self.num_windows}.")
        self.train_config.check(
            not self.train_config.is_validated or self.num_train < self.num_windows,
            "validation",
            "fraction",
            expected=f"0, or a window to validate on among {self.num_windows}",
            got=self.train_config.validation.fraction,
        )

    def _digest(self) -> str:
        digest = hashlib.sha256()
        sizes = list(self.source.chunk_sizes)
        parts = [
            type(self.model_config).__name__,
            self.model_config.to_dict(),
            self.train_config.to_dict(),
            self.hash_spec.digest(),
            self.actions,
            sizes,
        ]
        digest.update(json.dumps(parts, sort_keys=True).encode())
        # A sample, because a digest of all windows would cost as much as an epoch of input.
        chunks = [chunk for chunk, size in enumerate(sizes) if size]
        for chunk in sorted({chunks[0], chunks[-1]}):
            sample = np.unique([0, sizes[chunk] // 2, sizes[chunk] - 1])
            windows = self.source.read(chunk).rows(sample)
            for array in windows:
                if array is not None:
                    digest.update(np.ascontiguousarray(array).tobytes())
            if self.popularity is not None:
                ids = windows.candidate_post_ids, windows.candidate_author_ids
                digest.update(self.popularity.at(windows.starts_at, *ids).tobytes())
        # Else they follow from the seed, but for the last bit on another kind of processor.
        if self.start is not None:
            for leaf in jax.tree.leaves(self.start.params):
                digest.update(np.asarray(leaf).tobytes())
            digest.update(json.dumps(self.start.actions).encode())  # moved by name
            if (optimizer := self.start.optimizer) is not None:
                digest.update(json.dumps(optimizer[1:]).encode())
                for name in sorted(optimizer.arrays):
                    digest.update(optimizer.arrays[name].tobytes())
        return digest.hexdigest()


def _differences(ours: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> str:
    """The fields that differ, with both values; the data or the start where none does."""
    differing = []
    for name, value in ours.items():
        other = theirs.get(name)
        if value == other:
            continue
        if isinstance(value, dict) and isinstance(other, dict):
            differing.append(_differences(value, other, f"{prefix}{name}."))
        else:
            differing.append(f"`{prefix}{name}` expected {value!r:.80}, got {other!r:.80}")
    return "; ".join(differing[:5]) or "the windows or the starting weights differ"
