"""Ids of events, derived from what was shown to whom and when: every run gives the same."""

import numpy as np

from phoenix.data.hashing import GOLDEN, mixed_bits


def event_ids(user_ids: np.ndarray, post_ids: np.ndarray, shown_at: np.ndarray) -> np.ndarray:
    """Derives ids from what was shown to whom and when, so that every run gives the same.

    Rows that agree in all three get different ids by their order.

    Args:
      user_ids: `[L]` int64.
      post_ids: `[L]` int64.
      shown_at: `[L]` int64 ms.

    Returns:
      `[L]` int64 > 0. With 10 million rows, the chance that two other rows collide is 1 in 180,000.

    >>> users, posts, times = np.array([[7, 7, 8], [1, 1, 1], [0, 0, 0]])
    >>> first, again, other = event_ids(users, posts, times)
    >>> len({first, again, other}), first == event_ids(users[:1], posts[:1], times[:1])[0]
    (3, np.True_)
    """
    keys = np.zeros(len(user_ids), np.uint64)
    for part in (user_ids, post_ids, shown_at):
        keys = mixed_bits(keys ^ part.view(np.uint64))
    # Equal keys are numbered 0, 1, ... in the order of their rows, hence the stable sort.
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    starts = np.flatnonzero(np.append(True, sorted_keys[1:] != sorted_keys[:-1])[: len(keys)])
    runs = np.diff(np.append(starts, len(keys)))
    repetition = np.empty(len(keys), np.uint64)
    repetition[order] = np.arange(len(keys)) - np.repeat(starts, runs)
    further = mixed_bits(keys + (repetition - np.uint64(1)) * GOLDEN)
    keys = np.where(repetition > 0, further, keys)
    # Without the highest bit, to fit int64; 0 is the id of padding.
    return np.maximum(keys >> np.uint64(1), np.uint64(1)).astype(np.int64)
