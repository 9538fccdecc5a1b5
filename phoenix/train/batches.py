"""From windows to the fixed-shape batches of training: the source, the order, the padding.

Glossary of shapes:
  N: windows, B: batch, C: candidates, A: actions, M: posts.
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np

from phoenix.data import sorted_ids
from phoenix.data.days import DAY_MS
from phoenix.data.window_source import SCAN_ROWS, WindowSource, windows_between
from phoenix.data.windows import Windows, unpack_actions
from phoenix.inputs.batch import RecsysBatch

_VALIDATION_STREAM = 1 << 40  # Far from the number of any step.


class TrainBatch(NamedTuple):
    """The arrays of one step of training, each of B rows; weight 0 marks padding."""

    inputs: RecsysBatch
    labels: np.ndarray  # [B, C, A] float32, 0 or 1
    dwell_seconds: np.ndarray  # [B, C] float32
    log_frequencies: np.ndarray  # [B, C] float32: logarithm of the share of training impressions
    weights: np.ndarray  # [B] float32
    seeds: np.ndarray | None = None  # [B] uint32, all equal: of what is dropped; None drops nothing
    is_labelled: np.ndarray | None = None  # [B, C, A] bool: the label is known; None: all are
    label_weights: np.ndarray | None = None  # [B, C] float32: impressions it stands for; None: 1


class PostCounts(NamedTuple):
    """How often each of M posts was met."""

    post_ids: np.ndarray  # [M] int64, ascending, distinct, none 0
    author_ids: np.ndarray  # [M] int64
    counts: np.ndarray  # [M] float64

    @classmethod
    def none(cls) -> Self:
        """The counts of no posts."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))

    def plus(self, post_ids: np.ndarray, author_ids: np.ndarray, counts: np.ndarray) -> Self:
        """The counts with those of other rows, whose posts may repeat and be in any order."""
        posts, first, inverse = np.unique(
            np.concatenate([self.post_ids, post_ids]), return_index=True, return_inverse=True
        )
        authors = np.concatenate([self.author_ids, author_ids])[first]
        totals = np.bincount(inverse, np.concatenate([self.counts, counts]), minlength=len(posts))
        return self._replace(post_ids=posts, author_ids=authors, counts=totals)


class PostFrequencies:
    """The shares of posts in the impressions of a training set, and posts drawn from it.

    The shares are those of each day, or of all days together. Posts that were not met count as met
    once, and a day that is none of the set as the last one before it.
    """

    def __init__(self, by_day: Mapping[int, PostCounts]) -> None:
        """Takes what was counted by the day since 1970, all of the first day if days are one."""
        self._posts, self._days = _summed(by_day), np.array(sorted(by_day))
        self._shares: list[tuple[np.ndarray, np.ndarray, float]] = []
        for day in self._days.tolist():
            posts, _, counts = by_day[day]
            total = max(float(counts.sum()), 1.0)
            logarithms = np.log(counts / total).astype(np.float32)
            self._shares.append((posts, logarithms, float(np.log(1 / total))))

    @classmethod
    def of(
        cls,
        source: WindowSource,
        num_windows: int,
        *,
        with_impressions: bool = True,
        drawn_per_window: int = 0,
        by_weight: bool = False,
        is_by_day: bool = False,
    ) -> "PostFrequencies":
        """Counts the posts of the first `num_windows` windows of `source`.

        Args:
          source: N windows.
          num_windows: At most N.
          with_impressions: Whether a candidate is met because it was shown.
          by_weight: Whether an impression counts as many as it stands for: the shares are those of
            the whole log then, and not those of what is met in training.
          drawn_per_window: Posts met because they are drawn uniformly, beside the candidates of
            each window. Source: Yang et al. 2020, "Mixed Negative Sampling for Learning Two-tower
            Neural Networks in Recommendations", section 4.2.
          is_by_day: Whether windows are met beside those of their own day alone.
        """
        by_day: dict[int, PostCounts] = {}
        num_windows_of: dict[int, int] = {}
        for part in windows_between(source, 0, num_windows, limit=SCAN_ROWS):
            days = part.starts_at // DAY_MS if is_by_day else np.zeros_like(part.starts_at)
            exists = part.candidate_mask
            own = part.impression_weights if by_weight else None
            weights = np.ones(np.count_nonzero(exists)) if own is None else own
            ids = part.candidate_post_ids[exists], part.candidate_author_ids[exists]
            of_impressions = np.broadcast_to(days[:, None], exists.shape)[exists]
            for day in np.unique(days).tolist():
                is_own = of_impressions == day
                columns = (column[is_own] for column in (*ids, weights * with_impressions))
                by_day[day] = by_day.get(day, PostCounts.none()).plus(*columns)
                num_windows_of[day] = num_windows_of.get(day, 0) + int(
                    np.count_nonzero(days == day)
                )
        if drawn_per_window:
            posts, authors, _ = _summed(by_day)
            draws = drawn_per_window / max(len(posts), 1)  # of each post, for each window
            for day, number in num_windows_of.items():
                by_day[day] = by_day[day].plus(posts, authors, np.full(len(posts), draws * number))
        return cls(by_day)

    def logarithms(self, post_ids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Returns the logarithms of the shares of posts.

        Args:
          post_ids: `[N, ...]` int64.
          times: `[N]` int64, ms UTC: on whose days they are met.

        Returns:
          `[N, ...]` float32.

        >>> counts = PostCounts(np.array([3, 7]), np.array([1, 1]), np.array([3.0, 1.0]))
        >>> frequencies = PostFrequencies({0: counts})
        >>> np.exp(frequencies.logarithms(np.array([[3, 7, 9]]), np.array([0]))).round(2).tolist()
        [[0.75, 0.25, 0.25]]
        """
        logarithms = np.zeros(post_ids.shape, np.float32)
        places = np.maximum(np.searchsorted(self._days, times // DAY_MS, "right") - 1, 0)
        for place, (posts, shares, other) in enumerate(self._shares):
            rows = np.flatnonzero(places == place)
            logarithms[rows] = sorted_ids.values_at(posts, shares, post_ids[rows], missing=other)
        return logarithms

    def draw(
        self, generator: np.random.Generator, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws posts of the set uniformly: their ids and those of their authors, of `shape`."""
        place = generator.integers(0, len(self._posts.post_ids), shape)
        return self._posts.post_ids[place], self._posts.author_ids[place]


def _summed(by_day: Mapping[int, PostCounts]) -> PostCounts:
    """Adds up the counts of days."""
    columns = zip(*by_day.values(), strict=True)
    return PostCounts.none().plus(*map(np.concatenate, columns)) if by_day else PostCounts.none()


def batch_generator(seed: int, step: int | None) -> np.random.Generator:
    """Returns the source of all that is random in the batch of a step.

    Args:
      seed: Of the run, at least 0.
      step: Steps before it; None for every batch of a validation, so that two of them agree.

    >>> batch_generator(seed=1, step=5).integers(1000, size=3).tolist()
    [990, 798, 531]
    """
    stream = _VALIDATION_STREAM if step is None else step
    return np.random.Generator(np.random.Philox(key=[seed, stream]))


def train_batch(
    windows: Windows,
    inputs: RecsysBatch,
    num_actions: int,
    frequencies: PostFrequencies | None,
) -> TrainBatch:
    """Adds to `inputs` what the losses need.

    Args:
      windows: B windows; a window without a candidate has weight 0.
      inputs: `model_inputs` of `windows`.
      num_actions: A.
      frequencies: None where the loss does not correct for them.
    """
    ids, unknown = windows.candidate_post_ids, windows.label_unknown_actions
    return TrainBatch(
        inputs=inputs,
        labels=unpack_actions(windows.labels, num_actions),
        dwell_seconds=windows.label_dwell_seconds,
        log_frequencies=np.zeros(ids.shape, np.float32)
        if frequencies is None
        else frequencies.logarithms(ids, windows.starts_at),
        weights=np.any(windows.candidate_mask, axis=1).astype(np.float32),
        is_labelled=None if unknown is None else unpack_actions(unknown, num_actions) == 0,
        label_weights=windows.label_weights,
    )
