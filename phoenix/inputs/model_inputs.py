"""The models' view of windows: hashes, actions, surfaces and ages, no ids and no labels."""

from collections.abc import Sequence

import numpy as np

from phoenix.data.windows import Windows, age_minutes, unpack_actions
from phoenix.inputs.batch import RecsysBatch
from phoenix.inputs.config import InputConfig


def to_batch(windows: Windows, num_actions: int) -> RecsysBatch:
    """Returns what the public models read of `windows`: hashes, actions and surfaces.

    Args:
      windows: N windows.
      num_actions: A.

    Returns:
      A batch with B = N, without the optional inputs; no ids and no labels.
    """
    return RecsysBatch(
        user_hashes=windows.user_hashes,
        history_post_hashes=windows.history_post_hashes,
        history_author_hashes=windows.history_author_hashes,
        history_actions=_history_actions(windows, num_actions),
        history_product_surface=windows.history_surfaces,
        candidate_post_hashes=windows.candidate_post_hashes,
        candidate_author_hashes=windows.candidate_author_hashes,
        candidate_product_surface=windows.candidate_surfaces,
    )


def model_inputs(windows: Windows, actions: Sequence[str], config: InputConfig) -> RecsysBatch:
    """Returns what a model of `config` reads of `windows`, optional inputs included.

    Args:
      windows: N windows.
      actions: The names of the A actions.
      config: Of the ranker or the retrieval model.
    """
    batch = to_batch(windows, len(actions))
    # None instead of an unread array: what a compiled program takes must be moved to the device.
    if config.has_dwell:
        batch = batch._replace(history_dwell_seconds=windows.history_dwell_seconds)
    if config.has_post_age:
        batch = batch._replace(
            history_post_age_minutes=age_minutes(
                windows.history_shown_at, windows.history_created_at
            ),
            candidate_post_age_minutes=age_minutes(
                windows.candidate_shown_at, windows.candidate_created_at
            ),
        )
    if config.user_attributes:
        batch = batch._replace(user_attributes=windows.user_attributes)
    if config.post_attributes:
        batch = batch._replace(
            history_attributes=windows.history_attributes,
            candidate_attributes=windows.candidate_attributes,
        )
    if config.reads_evidence:
        batch = batch._replace(
            candidate_log_odds=windows.candidate_log_odds,
            candidate_log_counts=windows.candidate_log_counts,
        )
    if config.reads_popularity:
        batch = batch._replace(candidate_popularity=windows.candidate_popularity)
    return batch


def _history_actions(windows: Windows, num_actions: int) -> np.ndarray:
    """`[N, S, A]` float32: 1 for an action that was done, 0 for one that was not, else a half."""
    actions = unpack_actions(windows.history_actions, num_actions)
    if windows.history_unknown_actions is None:
        return actions
    unknown = unpack_actions(windows.history_unknown_actions, num_actions)
    # The models read 2 x - 1 as a sign, so that a half is neither yes nor no.
    return np.where(unknown > 0, np.float32(0.5), actions)
