"""Windows: one user's impressions with the history that was known before the first of them.

A window is the unit of training, evaluation and serving. `Windows` holds N of them as fixed-shape
NumPy arrays; `phoenix.inputs.model_inputs.to_batch` turns a slice into what the models take. The
data steps use this module, so it knows nothing of JAX.

Glossary of shapes:
  N: windows, S: history length, C: candidates, A: actions,
  nu / ni / na: number of user / post / author hash functions,
  U / P: numbers of the attributes of a user / of a post and its context,
  L: levels of evidence, F: numbers of popularity.

History is oldest first, left-aligned, padded on the right. Padding has id 0 and hash 0.

The last fields are optional: they are None where nothing is to be said, and cost nothing then.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from phoenix.data.actions import UnknownActions
from phoenix.data.engagement.counts import Ids
from phoenix.data.engagement.rates import Rates

_MINUTE_MS = 60_000
# Models read and predict dwell times as shares of this, and know no longer ones.
DWELL_SCALE_SECONDS = 30.0


class Windows(NamedTuple):
    """N windows; every array that is there has N rows. Ids are int64 and never reach JAX."""

    user_ids: np.ndarray  # [N] int64
    starts_at: np.ndarray  # [N] int64, ms UTC: the time of the first impression (or of the request)
    user_hashes: np.ndarray  # [N, nu] int32, 0 = unknown
    user_attributes: np.ndarray  # [N, U] float32, see `phoenix.data.attributes`
    history_post_ids: np.ndarray  # [N, S] int64, 0 = padding
    history_author_ids: np.ndarray  # [N, S] int64
    history_post_hashes: np.ndarray  # [N, S, ni] int32
    history_author_hashes: np.ndarray  # [N, S, na] int32
    history_shown_at: np.ndarray  # [N, S] int64, ms UTC, 0 = padding
    history_actions: np.ndarray  # [N, S] uint64, bit a = action a
    history_surfaces: np.ndarray  # [N, S] int32
    history_dwell_seconds: np.ndarray  # [N, S] float32
    history_created_at: np.ndarray  # [N, S] int64, ms UTC: of the post, 0 = unknown
    history_attributes: np.ndarray  # [N, S, P] float32: of the post, then the context
    candidate_post_ids: np.ndarray  # [N, C] int64, 0 = padding
    candidate_author_ids: np.ndarray  # [N, C] int64
    candidate_post_hashes: np.ndarray  # [N, C, ni] int32
    candidate_author_hashes: np.ndarray  # [N, C, na] int32
    candidate_shown_at: np.ndarray  # [N, C] int64, ms UTC, 0 = padding
    candidate_surfaces: np.ndarray  # [N, C] int32
    candidate_created_at: np.ndarray  # [N, C] int64, ms UTC: of the post, 0 = unknown
    candidate_attributes: np.ndarray  # [N, C, P] float32
    labels: np.ndarray  # [N, C] uint64, bit a = action a; 0 where there is none
    label_dwell_seconds: np.ndarray  # [N, C] float32
    # Bit a = nobody could know of action a, see `phoenix.data.actions`; None: all are known.
    history_unknown_actions: np.ndarray | None = None  # [N, S] uint64
    label_unknown_actions: np.ndarray | None = None  # [N, C] uint64
    # What was known of the candidates before the day, see `phoenix.data.engagement.rates`.
    candidate_log_odds: np.ndarray | None = None  # [N, C, L, A] float32
    candidate_log_counts: np.ndarray | None = None  # [N, C, L] float32
    candidate_popularity: np.ndarray | None = None  # [N, C, F] float32
    # For how many impressions one stands, above 0: a log may keep a share of them. None: for one.
    history_weights: np.ndarray | None = None  # [N, S] float32, 0 = padding
    label_weights: np.ndarray | None = None  # [N, C] float32, 0 = padding

    @property
    def candidate_mask(self) -> np.ndarray:
        """`[N, C]` bool: true where a candidate is real."""
        return self.candidate_post_ids != 0

    def is_labelled(self, num_actions: int) -> np.ndarray:
        """`[E, A]` bool: of which actions it is known whether they followed a real candidate.

        Args:
          num_actions: A.
        """
        is_real = self.candidate_mask
        if self.label_unknown_actions is None:
            return np.ones((np.count_nonzero(is_real), num_actions), bool)
        return unpack_actions(self.label_unknown_actions[is_real], num_actions) == 0

    @property
    def impression_weights(self) -> np.ndarray | None:
        """`[E]` the weights of the real candidates; None where each stands for itself."""
        return None if self.label_weights is None else self.label_weights[self.candidate_mask]

    @property
    def optional_fields(self) -> frozenset[str]:
        """The names of the optional fields that are there."""
        return frozenset(name for name in _OPTIONAL if getattr(self, name) is not None)

    def with_fields(self, names: Collection[str]) -> "Windows":
        """Returns the windows with optional fields, which say the usual where they were missing."""
        missing = set(names) - self.optional_fields
        return self._replace(**{name: _default(name, self) for name in sorted(missing)})

    def with_unknown(self, unknown: UnknownActions) -> "Windows":
        """Returns the windows with what nobody could know on the days of their impressions."""
        return self._replace(
            history_unknown_actions=unknown.at(self.history_shown_at),
            label_unknown_actions=unknown.at(self.candidate_shown_at),
        )

    def with_evidence(self, rates: Rates) -> "Windows":
        """Returns the windows with what counts say of their candidates; zeros for padding.

        Args:
          rates: As of a moment before all of the windows.
        """
        users = np.broadcast_to(self.user_ids[:, None], self.candidate_post_ids.shape)
        posts = self.candidate_post_ids, self.candidate_author_ids, self.candidate_surfaces
        evidence = rates.evidence(Ids(users, *posts))
        exists = self.candidate_mask[..., None]
        return self._replace(
            candidate_log_odds=np.where(exists[..., None], evidence.log_odds, np.float32(0)),
            candidate_log_counts=np.where(exists, evidence.log_counts, np.float32(0)),
        )

    def rows(self, index: np.ndarray | slice) -> "Windows":
        """Returns the windows at `index`, in its order."""
        return self.of_arrays(lambda array: array[index])

    def of_arrays(self, function: Callable[[np.ndarray], np.ndarray]) -> "Windows":
        """Returns the windows with what a function makes of every array that is there."""
        arrays = {name: array for name, array in self._asdict().items() if array is not None}
        return self._replace(**{name: function(array) for name, array in arrays.items()})

    def with_history(self, length: int) -> "Windows":
        """Returns the windows with the first `length` places of their histories."""
        histories = {
            name: array[:, :length]
            for name, array in self._asdict().items()
            if name.startswith("history_") and array is not None
        }
        return self._replace(**histories)


def concatenate(parts: Sequence[Windows]) -> Windows:
    """Returns the windows of all `parts`, in order.

    Raises:
      ValueError: If `parts` is empty or the fixed shapes differ.
    """
    names = frozenset[str]().union(*(part.optional_fields for part in parts))
    whole = [part.with_fields(names) for part in parts]
    fields = zip(Windows._fields, zip(*whole, strict=True), strict=True)
    return Windows(
        **{name: np.concatenate(arrays) for name, arrays in fields if arrays[0] is not None}
    )


def gathered(parts: Iterable[Windows], num_windows: int) -> Windows:
    """Returns the windows of parts that are made one after the other, in order.

    As `concatenate`, but beside the result no more than one part is in memory.

    Args:
      parts: At least one.
      num_windows: Of all parts together.

    Raises:
      ValueError: If the fixed shapes differ.
    """
    whole, end = None, 0
    for part in parts:
        if whole is None:
            whole = part.of_arrays(lambda old: np.empty((num_windows, *old.shape[1:]), old.dtype))
        whole = whole.with_fields(part.optional_fields)
        start, end = end, end + len(part.user_ids)
        _fill(whole, slice(start, end), part.with_fields(whole.optional_fields))
        del part  # before the next one is made
    assert whole is not None, "expected a part"
    return whole


def _fill(whole: Windows, rows: slice, part: Windows) -> None:
    """Writes windows into some rows of others."""
    for name, values in part._asdict().items():
        array = getattr(whole, name)
        if array is None:
            continue
        if values.shape[1:] != array.shape[1:]:
            raise ValueError(f"`{name}`: expected [N, *{array.shape[1:]}], got {values.shape}.")
        array[rows] = values


# The optional fields: what has their shape, and what they say where they are not there.
_OPTIONAL = {
    "history_unknown_actions": ("history_actions", np.uint64(0)),
    "label_unknown_actions": ("labels", np.uint64(0)),
    "history_weights": ("history_actions", np.float32(1)),
    "label_weights": ("labels", np.float32(1)),
}


def _default(field: str, windows: Windows) -> np.ndarray:
    """Returns an optional field of windows that do not have it."""
    like, value = _OPTIONAL[field]
    return np.full(getattr(windows, like).shape, value)


def age_minutes(shown_at: np.ndarray, created_at: np.ndarray) -> np.ndarray:
    """The ages of posts when they were shown.

    Args:
      shown_at: `[...]` int64 ms.
      created_at: `[...]` int64 ms, 0 = unknown.

    Returns:
      `[...]` float32 minutes; NaN where the creation is unknown, and below 0 where it is said to be
      after the impression.

    >>> age_minutes(np.array([120_000, 60_000, 5]), np.array([30_000, 90_000, 0]))
    array([ 1.5, -0.5,  nan], dtype=float32)
    """
    # In float64 up to the end: milliseconds since 1970 have more digits than a float32.
    age = np.where(created_at > 0, shown_at - created_at, np.nan)
    return (age / _MINUTE_MS).astype(np.float32)


def unpack_actions(bits: np.ndarray, num_actions: int) -> np.ndarray:
    """Expands bit sets to multi-hot rows.

    Args:
      bits: `[...]` uint64; bit a is action a.
      num_actions: A, at most 64.

    Returns:
      `[..., A]` float32 of 0 and 1.

    >>> unpack_actions(np.array([5], np.uint64), 3)
    array([[1., 0., 1.]], dtype=float32)
    """
    positions = np.arange(num_actions, dtype=np.uint64)
    return ((bits[..., None] >> positions) & np.uint64(1)).astype(np.float32)


def check_actions(names: Iterable[str], actions: Sequence[str]) -> None:
    """Checks that all `names` are in the action list.

    Raises:
      ValueError: If some are not; the message has both lists.
    """
    unknown = sorted(set(names) - set(actions))
    if unknown:
        raise ValueError(f"Unknown actions {unknown}; the action list is {list(actions)}.")


class Engagement(NamedTuple):
    """The sets of actions, as bits, that make an impression a positive of retrieval."""

    positive: np.uint64
    negative: np.uint64  # With any of them, nothing else makes it one.

    @classmethod
    def of(
        cls,
        actions: Sequence[str],
        positive_actions: Sequence[str],
        negative_actions: Sequence[str] = (),
    ) -> "Engagement":
        """Returns the sets by the names of actions.

        Args:
          actions: The action list, in the order of the bits.
          positive_actions: None named means any that is not negative.
          negative_actions: Such as a report of the post.

        Raises:
          ValueError: If an action is unknown.

        >>> engagement = Engagement.of(["like", "hide", "share"], ["like", "share"], ["hide"])
        >>> engagement.is_positive(np.array([0b000, 0b001, 0b011, 0b100], np.uint64))
        array([False,  True, False,  True])
        """
        check_actions([*positive_actions, *negative_actions], actions)
        positives = set(positive_actions) or set(actions) - set(negative_actions)
        return cls(_bits(actions, positives), _bits(actions, negative_actions))

    def is_positive(self, actions: np.ndarray) -> np.ndarray:
        """`[...]` bool: whether bit sets `[...]` of actions are those of a positive."""
        return ((actions & self.positive) != 0) & ((actions & self.negative) == 0)


def _bits(actions: Sequence[str], names: Collection[str]) -> np.uint64:
    return np.uint64(sum(1 << bit for bit, action in enumerate(actions) if action in names))
