"""The task of a run: its objective, and the batches that are made of windows for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from phoenix.data.days import DAY_MS
from phoenix.data.engagement.popularity import PopularityByDay
from phoenix.data.hashing import HashSpec
from phoenix.data.negatives.drawn_posts import DrawnPosts
from phoenix.data.negatives.known_posts import PostsByDay
from phoenix.data.window_source import SCAN_ROWS, windows_between
from phoenix.data.windows import Engagement, Windows
from phoenix.inputs.model_inputs import model_inputs
from phoenix.model_runners import ModelConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train.batches import PostFrequencies, TrainBatch, batch_generator, train_batch
from phoenix.train.config import RankerTrainConfig, RetrievalTrainConfig, TrainConfig, settings_for
from phoenix.train.loss_config import NegativesConfig
from phoenix.train.next_item import Catalogue, NextItemBatch, NextItemBatches, NextItemObjective
from phoenix.train.objectives.by_model import objective_of
from phoenix.train.objectives.objective import Objective
from phoenix.train.validation import Split

_OF_CANDIDATES = [name for name in Windows._fields if name.startswith(("candidate_", "label"))]

Batch = TrainBatch | NextItemBatch


class Task(NamedTuple):
    """The objective of a run, and the maker of its batches.

    `make_batch` takes B padded windows and the steps done before, None in a validation.
    """

    objective: Objective
    make_batch: Callable[[Windows, int | None], Batch]


class Known(NamedTuple):
    """What is known of posts on the days of the windows, as far as a training reads it."""

    popularity: PopularityByDay | None = None  # before each day
    # To draw the negatives of a ranker from, and to know what the posts are that retrieval draws.
    posts: PostsByDay | None = None


_NOTHING = Known()


@dataclass(frozen=True, eq=False, kw_only=True)
class EngagementBatches:
    """Makes batches of impressions; a function of its fields and the arguments."""

    model_config: ModelConfig
    actions: Sequence[str]
    hash_spec: HashSpec
    frequencies: PostFrequencies | None
    num_drawn: int  # G: posts drawn per window from all that were shown
    drawn_posts: DrawnPosts | None  # from all that were known
    popularity: PopularityByDay | None  # where the model reads it
    known_posts: PostsByDay | None  # where the model reads facts of the G posts
    half_life_days: float | None  # after which a window counts half as much
    seed: int

    def __call__(self, windows: Windows, step: int | None) -> TrainBatch:
        """Returns the batch of B padded `windows` at `step`, None to validate."""
        generator = batch_generator(self.seed, step)
        if self.num_drawn:
            windows = self._with_drawn(windows, generator)
        if self.popularity is not None:
            ids = windows.candidate_post_ids, windows.candidate_author_ids
            known = self.popularity.at(windows.starts_at, *ids)
            windows = windows._replace(candidate_popularity=known)
        if self.drawn_posts is not None:
            windows = self.drawn_posts.added_to(windows, generator, self.hash_spec)
        inputs = model_inputs(windows, self.actions, self.model_config)
        batch = train_batch(windows, inputs, len(self.actions), self.frequencies)
        if step is not None and self.model_config.gated_features:
            seed = generator.integers(1 << 32)
            batch = batch._replace(seeds=np.full(len(windows.user_ids), seed, np.uint32))
        if self.half_life_days is None:
            return batch
        # Weighted means do not change by a common factor, so any newest window will do.
        age = (windows.starts_at.max() - windows.starts_at) / DAY_MS
        weights = np.exp2(-age / self.half_life_days).astype(np.float32)
        return batch._replace(weights=batch.weights * weights)

    def _with_drawn(self, windows: Windows, generator: np.random.Generator) -> Windows:
        """The windows with drawn posts after their candidates, that nobody did anything with."""
        assert self.frequencies is not None
        shape = len(windows.user_ids), self.num_drawn
        is_real = windows.candidate_mask.any(axis=1, keepdims=True)
        posts, authors = (ids * is_real for ids in self.frequencies.draw(generator, shape))
        facts = {}
        if self.known_posts is not None:
            facts, existed = _facts(self.known_posts, windows, posts)
            posts, authors = posts * existed, authors * existed
        drawn_fields = facts | {
            "candidate_post_ids": posts,
            "candidate_author_ids": authors,
            "candidate_post_hashes": self.hash_spec.post.hash_ids(posts),
            "candidate_author_hashes": self.hash_spec.author.hash_ids(authors),
        }
        fields = {}
        for field in _OF_CANDIDATES:
            values = getattr(windows, field)
            if values is None:
                continue
            new = drawn_fields.get(field, np.zeros((*shape, *values.shape[2:]), values.dtype))
            fields[field] = np.concatenate([values, new], axis=1)
        return windows._replace(**fields)


def _facts(
    known_posts: PostsByDay, windows: Windows, post_ids: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns what was known of posts when windows began, and which existed by then.

    Args:
      known_posts: Of the days of the windows.
      windows: N windows.
      post_ids: `[N, G]` int64.

    Returns:
      The fields of candidates `[N, G, ...]`, and `[N, G]` bool.
    """
    times = np.broadcast_to(windows.starts_at[:, None], post_ids.shape)
    created_at, existed = np.zeros(post_ids.shape, np.int64), np.zeros(post_ids.shape, bool)
    fields = {"candidate_shown_at": times, "candidate_created_at": created_at}
    if windows.candidate_attributes is not None:
        width = windows.candidate_attributes.shape[-1]
        fields["candidate_attributes"] = np.zeros((*post_ids.shape, width), np.float32)
    days = windows.starts_at // DAY_MS
    for day in np.unique(days[windows.candidate_mask.any(axis=1)]).tolist():
        rows, posts = np.flatnonzero(days == day), known_posts[day]
        places = posts.places(post_ids[rows])
        is_known = places >= 0
        created_at[rows] = np.where(is_known, posts.created_at[places], 0)
        existed[rows] = is_known & (created_at[rows] <= times[rows])
        if posts.values_of is not None:
            values = posts.values_of(post_ids[rows].reshape(-1), times[rows].reshape(-1))
            of_posts = fields["candidate_attributes"][..., : values.shape[-1]]
            of_posts[rows] = values.reshape(*places.shape, -1)
    return fields, existed


def task_of(
    model_config: ModelConfig,
    config: TrainConfig,
    *,
    hash_spec: HashSpec,
    actions: tuple[str, ...],
    split: Split,
    known: Known = _NOTHING,
) -> Task:
    """Returns the task of a run.

    Args:
      model_config: Of the ranker or the retrieval model.
      config: How to train.
      hash_spec: Of the windows.
      actions: The names of the A actions, in the order of the bits.
      split: What is trained on, and from when on targets are held out.
      known: Of posts, on the days of the windows.

    Raises:
      ConfigError: If the ranker has another number of continuous heads than its loss needs, or is
        to draw posts where none are known, or next items are learned by a model that reads counts.
      ValueError: If an action is unknown, or there is no event to learn from.
    """
    num_train = sum(split.train.chunk_sizes)
    if model_config.reads_popularity and known.popularity is None:
        raise ValueError("The model reads counts: expected `popularity`, got None.")
    if model_config.reads_candidate_facts and known.posts is None:
        drawn = settings_for(RetrievalTrainConfig, config).negatives.global_per_row
        if drawn:
            raise ValueError("The model reads facts of drawn posts: expected `known_posts`.")
    if not config.learns_next_items:
        is_retrieval = isinstance(config, RetrievalTrainConfig)
        drawn_posts = None if is_retrieval else _drawn_posts(model_config, config, known.posts)
        num_drawn = 0 if drawn_posts is None else drawn_posts.per_window
        objective = objective_of(model_config, actions, config, num_drawn=num_drawn)
        negatives = config.negatives if is_retrieval else NegativesConfig()
        frequencies = None
        if is_retrieval or settings_for(RankerTrainConfig, config).losses.popularity_power > 0:
            frequencies = PostFrequencies.of(
                split.train,
                num_train,
                with_impressions=negatives.in_batch or not negatives.global_per_row,
                drawn_per_window=negatives.global_per_row or num_drawn,
                by_weight=not is_retrieval,  # whose negatives are what is met,
                is_by_day=config.compares_in_batch,  # and met on a day
            )
        batches = EngagementBatches(
            model_config=model_config,
            actions=actions,
            hash_spec=hash_spec,
            frequencies=frequencies,
            num_drawn=negatives.global_per_row,
            popularity=known.popularity if model_config.reads_popularity else None,
            known_posts=known.posts if is_retrieval and negatives.global_per_row else None,
            drawn_posts=drawn_posts,
            half_life_days=config.recency_half_life_days,
            seed=config.seed,
        )
        return Task(objective, batches)
    assert isinstance(model_config, PhoenixRetrievalModelConfig)
    settings = settings_for(RetrievalTrainConfig, config)
    engagement = Engagement.of(actions, settings.positive_actions, settings.negative_actions)
    parts = windows_between(split.train, 0, num_train, limit=SCAN_ROWS)
    batches = NextItemBatches(
        model_config=model_config,
        max_listed_posts=settings.max_listed_posts,
        actions=actions,
        catalogue=Catalogue.of(parts, hash_spec, engagement=engagement),
        engagement=engagement,
        seed=config.seed,
        validated_since=split.since or 0,
    )
    return Task(NextItemObjective(model_config), batches)


def _drawn_posts(
    model_config: ModelConfig, config: TrainConfig, known_posts: PostsByDay | None
) -> DrawnPosts | None:
    """Returns the negatives of a ranker, None where it has those of its log."""
    number = settings_for(RankerTrainConfig, config).negatives.drawn_per_window
    if known_posts is None:
        config.check(
            number in ("auto", 0),
            "negatives",
            "drawn_per_window",
            expected="auto or 0 where no posts are known to draw from",
            got=number,
        )
        return None
    per_window = model_config.candidate_seq_len if number == "auto" else number
    return DrawnPosts(per_window=per_window, posts=known_posts) if per_window else None
