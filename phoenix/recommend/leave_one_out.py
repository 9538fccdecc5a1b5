"""Leave-one-out: one sequence of posts per user, split to train on, validate and test.

The last post of a sequence is tested, the one before it is validated, the rest is trained on. A
target is ranked against the whole catalogue.

Glossary of shapes:
  U: users, N: windows, S: events of a window, M: posts of the catalogue, D: vector size.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from phoenix.data.hashing import HashSpec, HashTable
from phoenix.data.windows import Windows
from phoenix.recommend.recommender import Retriever

MIN_EVENTS = 3  # One each to train on, validate and test.
_RANKED_ROWS = 256  # Users whose scores are in memory together.
_LARGEST_PRIME = 4_294_967_291  # Below 2**32.


class Events(NamedTuple):
    """The events of one user, oldest first."""

    post_ids: np.ndarray  # [n] int64 in 1 .. M
    actions: np.ndarray  # [n] uint64, bit a = action a


class Targets(NamedTuple):
    """One target per user, and what was before it."""

    windows: Windows  # [U], the target is the candidate
    seen: Sequence[np.ndarray]  # [U] posts of the whole history, of any length


class LeaveOneOut(NamedTuple):
    """The three parts."""

    train: Windows  # a long sequence gives several windows
    validation: Targets
    test: Targets


def catalogue_hashes(num_posts: int) -> HashSpec:
    """Returns hashes that give each of the posts 1 .. M a row of its own, and nobody else any."""
    own = HashTable(num_rows=num_posts + 1, scales=(1,), biases=(-1,), modulus=_LARGEST_PRIME)
    none = HashTable(num_rows=2, scales=(1,), biases=(0,), modulus=_LARGEST_PRIME)
    return HashSpec(user=none, post=own, author=none)


def split(events: Sequence[Events], *, max_length: int, hash_spec: HashSpec) -> LeaveOneOut:
    """Splits the sequences of U users.

    Args:
      events: One sequence per user; users with fewer than three events are left out.
      max_length: S: events that the model sees at once, at least 2. All events are trained on: a
        longer sequence is cut into windows, each of which begins with the last event of the one
        before it.
      hash_spec: Of the posts.

    Raises:
      ValueError: If no user has three events.
    """
    users = [user for user in events if len(user.post_ids) >= MIN_EVENTS]
    if not users:
        raise ValueError(f"No user has the {MIN_EVENTS} events that leave-one-out takes.")
    train = [part for user in users for part in _pieces(user, max_length)]
    return LeaveOneOut(
        train=_windows(train, [0] * len(train), max_length, hash_spec),
        validation=_before(users, 2, max_length, hash_spec),
        test=_before(users, 1, max_length, hash_spec),
    )


def target_ranks(
    retriever: Retriever,
    windows: Windows,
    *,
    num_posts: int,
    seen: Sequence[np.ndarray] | None = None,
    lengths: Sequence[int] = (),
) -> np.ndarray:
    """The place of each window's target in the whole catalogue, 1 is first.

    A post with the score of the target counts as before it, and so does a score that is not a
    number, so that a model that says nothing gets no credit.

    Args:
      retriever: The model.
      windows: N windows of `split`.
      num_posts: M.
      seen: Posts that are left out of each user's catalogue; the target never is. None leaves out
        nothing.
      lengths: History lengths to which short histories are cut, to save time.

    Returns:
      `[N]` int64.
    """
    catalogue = np.arange(1, num_posts + 1)
    posts = retriever.encode_posts(catalogue, np.zeros_like(catalogue))  # [M, D]
    ranks = np.empty(len(windows.user_ids), np.int64)
    for rows, short_windows in _by_length(windows, lengths):
        users = retriever.encode_users(short_windows)
        for start in range(0, len(rows), _RANKED_ROWS):
            stop = start + _RANKED_ROWS
            scores = users[start:stop] @ posts.T  # [n, M]
            targets = short_windows.candidate_post_ids[start:stop, :1]
            own = np.take_along_axis(scores, targets - 1, axis=1)
            if seen is not None:
                for row, user in enumerate(rows[start:stop]):
                    scores[row, seen[user] - 1] = -np.inf
            np.put_along_axis(scores, targets - 1, -np.inf, axis=1)
            is_before = ~(scores < own) & (scores != -np.inf)
            ranks[rows[start:stop]] = 1 + np.sum(is_before, axis=1)
    return ranks


def hit_rate(ranks: np.ndarray, k: int) -> float:
    """Share of targets among the first k; with one target per user, recall@k.

    >>> hit_rate(np.array([1, 3]), k=2)
    0.5
    """
    return float(np.mean(ranks <= k))


def ndcg(ranks: np.ndarray, k: int) -> float:
    """Mean of 1 / log2(rank + 1) over targets, 0 after place k.

    >>> ndcg(np.array([1, 3, 20]), k=10)
    0.5
    """
    return float(np.mean(np.where(ranks <= k, 1 / np.log2(ranks + 1.0), 0.0)))


def _pieces(user: Events, max_length: int) -> Iterator[Events]:
    """Cuts what is trained on, from the newest event back; all but the first event are targets."""
    stop = len(user.post_ids) - 2
    while True:
        start = max(stop - max_length, 0)
        yield Events(user.post_ids[start:stop], user.actions[start:stop])
        if start == 0:
            return
        stop = start + 1


def _before(users: Sequence[Events], back: int, max_length: int, hash_spec: HashSpec) -> Targets:
    """The targets that are followed by `back` - 1 events."""
    histories = [Events(*(values[:-back][-max_length:] for values in user)) for user in users]
    targets = [user.post_ids[-back] for user in users]
    earlier_posts = [user.post_ids[:-back] for user in users]
    return Targets(_windows(histories, targets, max_length, hash_spec), earlier_posts)


def _windows(
    events: Sequence[Events], targets: Sequence[int], length: int, hash_spec: HashSpec
) -> Windows:
    """Windows with these histories, of unknown users, and one candidate each; 0 is none."""
    count = len(events)
    posts, actions = np.zeros((count, length), np.int64), np.zeros((count, length), np.uint64)
    for row, (ids, bits) in enumerate(events):
        posts[row, : len(ids)], actions[row, : len(bits)] = ids, bits
    nobody, candidates = np.zeros_like(posts), np.array(targets, np.int64)[:, None]
    return Windows(
        user_ids=np.arange(1, count + 1),
        starts_at=np.zeros(count, np.int64),
        user_hashes=np.zeros((count, hash_spec.user.num_hashes), np.int32),
        user_attributes=np.zeros((count, 0), np.float32),
        history_post_ids=posts,
        history_author_ids=nobody,
        history_post_hashes=hash_spec.post.hash_ids(posts),
        history_author_hashes=hash_spec.author.hash_ids(nobody),
        history_shown_at=nobody,
        history_actions=actions,
        history_surfaces=np.zeros((count, length), np.int32),
        history_dwell_seconds=np.zeros((count, length), np.float32),
        history_created_at=nobody,
        history_attributes=np.zeros((count, length, 0), np.float32),
        candidate_post_ids=candidates,
        candidate_author_ids=np.zeros_like(candidates),
        candidate_post_hashes=hash_spec.post.hash_ids(candidates),
        candidate_author_hashes=hash_spec.author.hash_ids(np.zeros_like(candidates)),
        candidate_shown_at=np.zeros_like(candidates),
        candidate_surfaces=np.zeros((count, 1), np.int32),
        candidate_created_at=np.zeros_like(candidates),
        candidate_attributes=np.zeros((count, 1, 0), np.float32),
        labels=np.zeros((count, 1), np.uint64),
        label_dwell_seconds=np.zeros((count, 1), np.float32),
    )


def _by_length(windows: Windows, lengths: Sequence[int]) -> Iterator[tuple[np.ndarray, Windows]]:
    """The rows of each bucket of history lengths, and these windows cut to it."""
    full = windows.history_post_ids.shape[1]
    sizes = [*sorted(size for size in lengths if size < full), full]
    bucket = np.searchsorted(sizes, np.count_nonzero(windows.history_post_ids, axis=1))
    for number in np.unique(bucket):
        rows = np.flatnonzero(bucket == number)
        yield rows, windows.rows(rows).with_history(sizes[number])
