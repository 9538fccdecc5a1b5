"""Windows that are kept as references into a log, and become arrays when they are asked for.

Two windows of a user share most of their history, so a log is many times smaller than the arrays
that the models read, and it knows nothing of hash functions: the same log serves every model.
Training and serving find histories here, by the same code.

Glossary of shapes:
  L: impressions in the log, N: windows, S: history length, C: candidates.
"""

from typing import NamedTuple

import numpy as np

from phoenix.data.hashing import HashSpec
from phoenix.data.histories import Log, history_rows
from phoenix.data.windows import Windows


class WindowRefs(NamedTuple):
    """N windows of a log, each for one user from one moment on."""

    user_ids: np.ndarray  # [N] int64
    starts_at: np.ndarray  # [N] int64, ms UTC: the first impression, or the request
    known_until: np.ndarray  # [N] int64, ms UTC: what was shown or arrived later is no history
    attributes: np.ndarray  # [N, U] float32: of the user, see `phoenix.data.attributes`


class WindowLog:
    """The windows of a log, made when they are asked for."""

    def __init__(
        self,
        log: Log,
        refs: WindowRefs,
        *,
        candidates: np.ndarray,
        labels: np.ndarray | None = None,
        spec: HashSpec,
        history_length: int,
    ) -> None:
        """Takes the log and what refers to it.

        Args:
          log: L impressions.
          refs: N windows.
          candidates: `[N, C]` int64 rows of the log, -1 is padding.
          labels: `[N, C]` int64 rows of the log with the states of the candidates that are their
            labels, see `states.label_rows`; the candidates' own rows by default.
          spec: Hash functions of the model that will read the windows.
          history_length: S.
        """
        # One row of zeros at the end: the -1 of padding then reads it, without a mask.
        self._log = Log(*(np.pad(each, [(0, 1)] + [(0, 0)] * (each.ndim - 1)) for each in log))
        self._num_rows = len(log.user_ids)
        self._has_weights = bool((log.weights != 1).any())
        self._refs, self._candidates = refs, candidates
        self._labels = candidates if labels is None else labels
        self._spec, self._length = spec, history_length

    def take(self, index: np.ndarray) -> Windows:
        """Returns the windows at `index` `[M]` int64, in its order."""
        log, spec = self._log, self._spec
        user_ids, starts_at, known_until, of_users = (array[index] for array in self._refs)
        rows = history_rows(
            log.rows(slice(self._num_rows)), user_ids, known_until, length=self._length
        )  # [M, S]
        candidates, labels = self._candidates[index], self._labels[index]  # [M, C]
        posts, authors = log.post_ids[rows], log.author_ids[rows]
        candidate_posts, candidate_authors = log.post_ids[candidates], log.author_ids[candidates]
        return Windows(
            user_ids=user_ids,
            starts_at=starts_at,
            user_hashes=spec.user.hash_ids(user_ids),
            user_attributes=of_users,
            history_post_ids=posts,
            history_author_ids=authors,
            history_post_hashes=spec.post.hash_ids(posts),
            history_author_hashes=spec.author.hash_ids(authors),
            history_shown_at=log.shown_at[rows],
            history_actions=log.actions[rows],
            history_surfaces=log.surfaces[rows],
            history_dwell_seconds=log.dwell_seconds[rows],
            history_created_at=log.created_at[rows],
            history_attributes=log.attributes[rows],
            candidate_post_ids=candidate_posts,
            candidate_author_ids=candidate_authors,
            candidate_post_hashes=spec.post.hash_ids(candidate_posts),
            candidate_author_hashes=spec.author.hash_ids(candidate_authors),
            candidate_shown_at=log.shown_at[candidates],
            candidate_surfaces=log.surfaces[candidates],
            candidate_created_at=log.created_at[candidates],
            candidate_attributes=log.attributes[candidates],
            labels=log.actions[labels],
            label_dwell_seconds=log.dwell_seconds[labels],
            history_weights=log.weights[rows] if self._has_weights else None,
            label_weights=log.weights[candidates] if self._has_weights else None,
        )


def candidate_rows(window_of_row: np.ndarray, *, num_windows: int, length: int) -> np.ndarray:
    """Finds the impressions of each window.

    Args:
      window_of_row: `[L]` the window of which an impression is a candidate, ascending; -1 for none.
      num_windows: N.
      length: C.

    Returns:
      `[N, C]` int64: rows in their order, padded with -1.

    >>> candidate_rows(np.array([-1, 0, -1, 0, 1]), num_windows=2, length=2)
    array([[ 1,  3],
           [ 4, -1]])
    """
    rows = np.flatnonzero(window_of_row >= 0)
    window = window_of_row[rows]
    # Ascending, so the first row of each window is found by bisection, and places count from it.
    places = np.arange(len(rows)) - np.searchsorted(window, window)
    grid = np.full((num_windows, length), -1, np.int64)
    grid[window, places] = rows
    return grid
