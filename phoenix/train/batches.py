"""From windows to the fixed-shape batches of training: the source, the order, the padding.

Glossary of shapes:
  N: windows, B: batch, C: candidates, A: actions.
"""

from typing import NamedTuple

import numpy as np

from phoenix.data import sorted_ids
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


class PostFrequencies:
    """The shares of posts in the impressions of a training set, and posts drawn from it.

    Posts that are not in the set count as seen once.
    """

    def __init__(self, post_ids: np.ndarray, author_ids: np.ndarray, counts: np.ndarray) -> None:
        """Takes `post_ids` `[M]` sorted, distinct and not 0, their authors and `counts` `[M]`."""
        total = max(float(counts.sum()), 1.0)
        self._post_ids, self._author_ids = post_ids, author_ids
        self._logarithms = np.log(counts / total).astype(np.float32)
        self._unseen = np.float32(np.log(1 / total))

    @classmethod
    def of(
        cls,
        source: WindowSource,
        num_windows: int,
        *,
        with_impressions: bool = True,
        drawn_per_window: int = 0,
        by_weight: bool = False,
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
        """
        post_ids = author_ids = np.empty(0, np.int64)
        counts = np.empty(0)
        for part in windows_between(source, 0, num_windows, limit=SCAN_ROWS):
            exists = part.candidate_mask
            post_ids, first, inverse = np.unique(
                np.concatenate([post_ids, part.candidate_post_ids[exists]]),
                return_index=True,
                return_inverse=True,
            )
            authors = np.concatenate([author_ids, part.candidate_author_ids[exists]])
            author_ids = authors[first]
            own = part.impression_weights if by_weight else None
            weights = np.concatenate(
                [counts, np.ones(np.count_nonzero(exists)) if own is None else own]
            )
            counts = np.bincount(inverse, weights, minlength=len(post_ids))
        expected_draws = drawn_per_window * num_windows / max(len(post_ids), 1)
        return cls(post_ids, author_ids, counts * with_impressions + expected_draws)

    def logarithms(self, post_ids: np.ndarray) -> np.ndarray:
        """`[...]` float32 logarithm of the share of each of `post_ids` `[...]`.

        >>> frequencies = PostFrequencies(np.array([3, 7]), np.array([1, 1]), np.array([3, 1]))
        >>> np.exp(frequencies.logarithms(np.array([3, 7, 9]))).round(2).tolist()
        [0.75, 0.25, 0.25]
        """
        return sorted_ids.values_at(
            self._post_ids, self._logarithms, post_ids, missing=float(self._unseen)
        )

    def draw(
        self, generator: np.random.Generator, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws posts of the set uniformly: their ids and those of their authors, of `shape`."""
        place = generator.integers(0, len(self._post_ids), shape)
        return self._post_ids[place], self._author_ids[place]


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
        else frequencies.logarithms(ids),
        weights=np.any(windows.candidate_mask, axis=1).astype(np.float32),
        is_labelled=None if unknown is None else unpack_actions(unknown, num_actions) == 0,
        label_weights=windows.label_weights,
    )
