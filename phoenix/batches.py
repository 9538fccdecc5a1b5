"""From windows to the fixed-shape batches of training: the source, the order, the padding.

Glossary of shapes:
  N: windows, B: batch, C: candidates, A: actions.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from phoenix.config import JsonConfig
from phoenix.recsys_model import RecsysBatch
from phoenix.windows import Windows, unpack_actions

_SCAN_ROWS = 8192  # Windows per read when the whole source is scanned.


def to_batch(windows: Windows, num_actions: int) -> RecsysBatch:
    """Returns the model's view of `windows`: hashes, actions and surfaces, no ids and no labels."""
    return RecsysBatch(
        user_hashes=windows.user_hashes,
        history_post_hashes=windows.history_post_hashes,
        history_author_hashes=windows.history_author_hashes,
        history_actions=unpack_actions(windows.history_actions, num_actions),
        history_product_surface=windows.history_surfaces,
        candidate_post_hashes=windows.candidate_post_hashes,
        candidate_author_hashes=windows.candidate_author_hashes,
        candidate_product_surface=windows.candidate_surfaces,
    )


class WindowSource(Protocol):
    """Random access to the windows of a training set, whatever holds them."""

    @property
    def num_windows(self) -> int:
        """N."""
        ...

    def take(self, index: np.ndarray) -> Windows:
        """Returns the windows at `index` `[M]` int64, in its order."""
        ...


class InMemoryWindows:
    """A source over windows that are already in memory."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows

    @property
    def num_windows(self) -> int:
        """N."""
        return len(self._windows.user_ids)

    def take(self, index: np.ndarray) -> Windows:
        """Returns the windows at `index`, in its order."""
        return self._windows.rows(index)


class TrainBatch(NamedTuple):
    """What one step of training takes; all arrays have B rows, weight 0 marks padding."""

    inputs: RecsysBatch
    labels: np.ndarray  # [B, C, A] float32, 0 or 1
    log_frequencies: np.ndarray  # [B, C] float32: logarithm of the share of training impressions
    weights: np.ndarray  # [B] float32


class PostFrequencies:
    """The share of each post among the impressions of a training set.

    Posts that are not in the set count as seen once.
    """

    def __init__(self, post_ids: np.ndarray, counts: np.ndarray) -> None:
        """Takes `post_ids` `[M]` sorted, distinct and not 0, and their `counts` `[M]`."""
        total = max(int(counts.sum()), 1)
        self._post_ids = post_ids
        self._logarithms = np.log(counts / total).astype(np.float32)
        self._unseen = np.float32(np.log(1 / total))

    @classmethod
    def of(cls, source: WindowSource, num_windows: int) -> "PostFrequencies":
        """Counts the candidates of the first `num_windows` windows of `source`."""
        post_ids, counts = np.empty(0, np.int64), np.empty(0, np.int64)
        for start in range(0, num_windows, _SCAN_ROWS):
            part = source.take(np.arange(start, min(start + _SCAN_ROWS, num_windows)))
            new_ids, new_counts = np.unique(part.candidate_post_ids, return_counts=True)
            post_ids, inverse = np.unique(np.concatenate([post_ids, new_ids]), return_inverse=True)
            counts = np.bincount(
                inverse, np.concatenate([counts, new_counts]), minlength=len(post_ids)
            ).astype(np.int64)
        is_post = post_ids != 0
        return cls(post_ids[is_post], counts[is_post])

    def logarithms(self, post_ids: np.ndarray) -> np.ndarray:
        """`[...]` float32 logarithm of the share of each of `post_ids` `[...]`."""
        if not len(self._post_ids):
            return np.full(post_ids.shape, self._unseen)
        place = np.minimum(np.searchsorted(self._post_ids, post_ids), len(self._post_ids) - 1)
        found = self._post_ids[place] == post_ids
        return np.where(found, self._logarithms[place], self._unseen)


def epoch_order(num_windows: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the order `[N]` int64 of the windows in one epoch: a function of its arguments.

    A Philox generator with the key (seed, epoch) permutes them, so that no state needs to be kept
    to continue in the middle of an epoch.
    """
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(num_windows)


def padded(windows: Windows, num_rows: int) -> Windows:
    """Returns `windows` followed by empty ones (all ids and hashes 0) up to `num_rows`.

    Raises:
      ValueError: If there are more than `num_rows` already.
    """
    missing = num_rows - len(windows.user_ids)
    if missing < 0:
        raise ValueError(f"Expected at most {num_rows} windows, got {len(windows.user_ids)}.")
    if missing == 0:
        return windows
    return Windows(
        *(
            np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])
            for array in windows
        )
    )


def model_inputs(windows: Windows, actions: Sequence[str], config: JsonConfig) -> RecsysBatch:
    """Returns what a model of `config` reads of `windows`, optional inputs included.

    Args:
      windows: N windows.
      actions: The names of the A actions.
      config: Of the ranker or the retrieval model.
    """
    batch = to_batch(windows, len(actions))
    if getattr(config, "has_dwell", False):
        batch = batch._replace(history_dwell_seconds=windows.history_dwell_seconds)
    return batch


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
    ids = windows.candidate_post_ids
    return TrainBatch(
        inputs=inputs,
        labels=unpack_actions(windows.labels, num_actions),
        log_frequencies=np.zeros(ids.shape, np.float32)
        if frequencies is None
        else frequencies.logarithms(ids),
        weights=np.any(windows.candidate_mask, axis=1).astype(np.float32),
    )
