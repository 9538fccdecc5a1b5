"""Drawn posts among the candidates of windows, of logs in which every impression has an action.

A log of actions shows nothing that was passed over, so that there is nothing to tell apart. Posts
that existed and might have been shown take the place: of the same user, moment and surface, with
all that was known of them, and without an action. What a model learns by them is how much likelier
an action is than chance would have it: an order of posts, and no rate of actions.

Glossary of shapes:
  N: windows, C: candidates, G: posts drawn per window, S: history length.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from phoenix.data.days import DAY_MS
from phoenix.data.engagement.counts import Ids
from phoenix.data.hashing import HashSpec
from phoenix.data.negatives.known_posts import KnownPosts, PostsByDay
from phoenix.data.window_source import SCAN_ROWS, WindowSource, windows_between
from phoenix.data.windows import Windows

# A log has no negatives if at most this share of its impressions is without an action.
LARGEST_SHARE = 1e-3
_OF_CANDIDATES = [name for name in Windows._fields if name.startswith(("candidate_", "label"))]


class LoggedNegatives(NamedTuple):
    """The impressions of a log without an action, as far as it had to be read."""

    negatives: int
    impressions: int
    without: int = 0  # bits of the actions that do not count, since all impressions have them

    @property
    def are_missing(self) -> bool:
        """Whether there are too few to tell posts apart by them.

        >>> LoggedNegatives(1, 1000).are_missing, LoggedNegatives(2, 1000).are_missing
        (True, False)
        """
        return self.impressions > 0 and self.negatives <= LARGEST_SHARE * self.impressions

    @classmethod
    def of(cls, source: WindowSource, *, marks: int = 0) -> "LoggedNegatives":
        """Counts until it is sure that there are some, or to the end.

        Args:
          source: The windows.
          marks: Bits of actions that may be marks of impressions: one that at most
            `LARGEST_SHARE` of the impressions lacks says nothing of them.
        """
        counts, lacking = _count(source, marks)
        if not counts.are_missing or not marks:
            return counts
        most = LARGEST_SHARE * counts.impressions
        without = sum(bit for bit, number in lacking.items() if number <= most)
        return _count(source, 0, without)[0] if without else counts


def _count(
    source: WindowSource, marks: int, without: int = 0
) -> tuple[LoggedNegatives, dict[int, int]]:
    """Counts negatives, and by bit of `marks` the impressions without it, as far as it reads."""
    num_windows, negatives, impressions = sum(source.chunk_sizes), 0, 0
    lacking = {1 << bit: 0 for bit in range(64) if marks >> bit & 1}
    for part in windows_between(source, 0, num_windows, limit=SCAN_ROWS):
        is_real = part.candidate_mask
        labels = part.labels & np.uint64(~without & (2**64 - 1))
        is_negative = is_real & (labels == 0)
        if part.label_unknown_actions is not None:
            # Of an impression of which something is not known, nobody knows that it is one.
            is_negative &= part.label_unknown_actions == 0
        negatives += int(np.count_nonzero(is_negative))
        impressions += int(np.count_nonzero(is_real))
        for bit in lacking:
            lacking[bit] += int(np.count_nonzero(is_real & (labels & np.uint64(bit) == 0)))
        # Of the impressions that there can be.
        if negatives > LARGEST_SHARE * num_windows * is_real.shape[1]:
            break
    return LoggedNegatives(negatives, impressions, without), lacking


@dataclass(frozen=True, eq=False, kw_only=True)
class DrawnPosts:
    """Draws posts for windows; a function of its fields and the arguments."""

    per_window: int  # G
    posts: PostsByDay  # of the days of all windows

    def added_to(
        self, windows: Windows, generator: np.random.Generator, hash_spec: HashSpec
    ) -> Windows:
        """Returns windows with G drawn posts after the candidates of each.

        A drawn post is no candidate of the window and none of its history that the user did
        something with: where one of those is drawn, there is padding in its place. Candidates that
        nobody knew before they were shown become padding, too: no post is drawn before it exists,
        so that being unknown would give them away, and no feed could have held them.

        Args:
          windows: N windows.
          generator: Of what is random.
          hash_spec: Of the windows.
        """
        shape = len(windows.user_ids), self.per_window
        shares, of_places = generator.random(shape), generator.random(shape)
        comparable = _without_first_impressions(windows)
        is_real = comparable.candidate_mask
        places = _places(is_real, of_places)  # [N, G] of real candidates

        def like_real(values: np.ndarray) -> np.ndarray:
            """Returns `[N, G, ...]` the values of those candidates."""
            return np.take_along_axis(
                values, places.reshape(*shape, *[1] * (values.ndim - 2)), axis=1
            )

        new = {
            name: like_real(values)
            for name in _OF_CANDIDATES
            if (values := getattr(comparable, name)) is not None
        }
        new |= {name: np.zeros_like(new[name]) for name in ("labels", "label_dwell_seconds")}
        if comparable.label_weights is not None:
            new["label_weights"] = np.ones_like(new["label_weights"])
        drawn = self._drawn(windows, new, shares, np.any(is_real, axis=1))
        ids = drawn["candidate_post_ids"]
        drawn["candidate_post_hashes"] = hash_spec.post.hash_ids(ids)
        drawn["candidate_author_hashes"] = hash_spec.author.hash_ids(drawn["candidate_author_ids"])
        drawn = _masked(drawn, ids != 0)
        return comparable._replace(
            **{
                name: np.concatenate([getattr(comparable, name), values], axis=1)
                for name, values in drawn.items()
            }
        )

    def _drawn(
        self, windows: Windows, new: dict[str, np.ndarray], shares: np.ndarray, has_any: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Returns the fields `[N, G, ...]` of drawn posts, but for hashes; id 0 where none is.

        Args:
          windows: N windows as they were logged.
          new: The fields of real candidates of the same windows.
          shares: `[N, G]` uniform in [0, 1).
          has_any: `[N]` whether a window has a candidate.
        """
        fields = {name: values.copy() for name, values in new.items()}
        ids = np.zeros(shares.shape, np.int64)
        days = windows.starts_at // DAY_MS
        for day in np.unique(days[has_any]).tolist():
            rows = np.flatnonzero(has_any & (days == day))
            posts, shown_at = self.posts[day], new["candidate_shown_at"][rows]
            at = posts.draw(shares[rows], shown_at)
            if not len(posts.post_ids):
                continue
            ids[rows] = np.where(at >= 0, posts.post_ids[at], 0)
            own = {name: values[rows] for name, values in new.items()}
            for name, values in _facts(posts, at, own, windows.user_ids[rows]).items():
                fields[name][rows] = values
        is_engaged = windows.history_actions != 0
        for others in (windows.candidate_post_ids, windows.history_post_ids * is_engaged):
            ids[(ids[:, :, None] == others[:, None, :]).any(axis=2)] = 0
        return fields | {"candidate_post_ids": ids}


def _facts(
    posts: KnownPosts, at: np.ndarray, like: dict[str, np.ndarray], user_ids: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns what windows say of posts as candidates, `[n, G, ...]` each.

    Args:
      posts: Of the day.
      at: `[n, G]` places among them.
      like: The fields of the candidates in whose places they stand.
      user_ids: `[n]` int64.
    """
    ids, authors = posts.post_ids[at], posts.author_ids[at]
    facts = {"candidate_author_ids": authors, "candidate_created_at": posts.created_at[at]}
    if posts.values_of is not None:
        times = like["candidate_shown_at"]
        of_posts = posts.values_of(ids.reshape(-1), times.reshape(-1)).reshape(*ids.shape, -1)
        of_context = like["candidate_attributes"][..., of_posts.shape[-1] :]
        facts["candidate_attributes"] = np.concatenate([of_posts, of_context], axis=-1)
    if posts.rates is not None and "candidate_log_odds" in like:
        users = np.broadcast_to(user_ids[:, None], ids.shape)
        evidence = posts.rates.evidence(Ids(users, ids, authors, like["candidate_surfaces"]))
        facts["candidate_log_odds"] = evidence.log_odds
        facts["candidate_log_counts"] = evidence.log_counts
    return facts


def _without_first_impressions(windows: Windows) -> Windows:
    """Returns the windows without candidates that did not exist before they were shown."""
    existed = windows.candidate_created_at < windows.candidate_shown_at
    fields = {
        name: values for name in _OF_CANDIDATES if (values := getattr(windows, name)) is not None
    }
    return windows._replace(**_masked(fields, existed))


def _places(is_real: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """`[N, G]` places of real candidates `[N, C]`, each equally likely; 0 where there is none."""
    order = np.argsort(~is_real, axis=1, kind="stable")
    number = (shares * is_real.sum(axis=1, keepdims=True)).astype(np.int64)
    return np.take_along_axis(order, number, axis=1)


def _masked(fields: dict[str, np.ndarray], mask: np.ndarray) -> dict[str, np.ndarray]:
    """Returns `[N, n, ...]` fields with zeros where `mask` `[N, n]` is not."""
    return {
        name: np.where(
            mask.reshape(*mask.shape, *[1] * (values.ndim - 2)), values, values.dtype.type(0)
        )
        for name, values in fields.items()
    }
