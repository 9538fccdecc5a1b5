"""The two recommenders that a trained model has to beat: the trivial one and the most popular.

Both have the three parts of any recommender. The *collector* says what may be recommended
(`Collection`: posts, their authors, who is eligible); the *ranker* puts it in an order (`Random`
and `MostPopular`, each behind `Retriever` and `Ranker`); the *server* returns what was asked for
and nothing else (`serve`: at most k, nothing excluded, fewer rather than padding).

Glossary of shapes:
  N: windows, M: posts, C: candidates, A: actions, E: impressions, D: size of a vector.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from phoenix.data import sorted_ids
from phoenix.data.windows import Windows, unpack_actions
from phoenix.recommend.recommender import Retriever
from phoenix.search.exact import ExactIndex

PRIOR_IMPRESSIONS = 20.0
_RANDOM_SIZE = 16  # D of the random vectors.
_MODEL = "model.json"


@dataclass(frozen=True)
class Collection:
    """The collector's part: the posts that exist, and which of them may be recommended."""

    post_ids: np.ndarray  # [M] int64, sorted, distinct, none 0
    author_ids: np.ndarray  # [M] int64
    is_eligible: np.ndarray  # [M] bool


def serve(
    retriever: Retriever,
    collection: Collection,
    windows: Windows,
    k: int,
    *,
    excluded: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """The server's part: `[N, min(k, M)]` int64 post ids, best first, 0 where there are no more.

    Args:
      retriever: Orders the posts.
      collection: What may be recommended.
      windows: N requests.
      k: Posts per request.
      excluded: Pairs of (request, row of the collection) that must not be returned.
    """
    vectors = retriever.encode_posts(collection.post_ids, collection.author_ids)
    index = ExactIndex(vectors, collection.is_eligible)
    rows = index.search(retriever.encode_users(windows), k, excluded=excluded).rows
    if not len(collection.post_ids):
        return rows
    return np.where(rows < 0, 0, collection.post_ids[rows])


@dataclass(frozen=True, eq=False)
class MostPopular:
    """Recommends to everybody what most people liked in the window it was fitted on.

    With n(p) the impressions of post p in the window and n_a(p) those with action a, both among
    impressions of which it is known whether action a followed:
      retrieval: popularity(p) = number of impressions of p with any positive action;
      ranking:   rate_a(p) = (n_a(p) + 20 * g_a) / (n(p) + 20), the rate of action a, smoothed
                 towards its rate over all posts, g_a = (sum of n_a + 1) / (sum of n + 2).
    A post that was never shown has popularity 0 and the rates g.
    """

    actions: tuple[str, ...]
    post_ids: np.ndarray  # [M] int64, sorted
    popularity: np.ndarray  # [M] float32
    rates: np.ndarray  # [M, A] float32
    global_rates: np.ndarray  # [A] float32
    name: ClassVar[str] = "most_popular"

    @classmethod
    def fit(
        cls,
        post_ids: np.ndarray,
        action_bits: np.ndarray,
        *,
        actions: Sequence[str],
        positive_actions: Sequence[str],
        unknown_bits: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> "MostPopular":
        """Counts the impressions of a window.

        Args:
          post_ids: `[E]` int64, one per impression; 0 is padding and ignored.
          action_bits: `[E]` uint64, bit a is `actions[a]`.
          actions: The names of the A actions.
          positive_actions: Those that make an impression count as a success.
          weights: `[E]` for how many impressions each stands; None: for one.
          unknown_bits: `[E]` uint64, bit a = nobody knows of `actions[a]`; None: all are known.

        Raises:
          ValueError: If a positive action is unknown or the shapes differ.
        """
        unknown = sorted(set(positive_actions) - set(actions))
        if unknown or post_ids.shape != action_bits.shape:
            raise ValueError(
                f"Expected [E] posts and actions and known positive actions, got "
                f"{post_ids.shape}, {action_bits.shape} and unknown {unknown}."
            )
        is_post = post_ids != 0
        labels = unpack_actions(action_bits[is_post], len(actions)).astype(np.float64)  # [E, A]
        is_positive = np.array([action in positive_actions for action in actions])
        distinct_posts, inverse = np.unique(post_ids[is_post], return_inverse=True)
        num_posts = len(distinct_posts)

        weight = np.ones(len(labels)) if weights is None else weights[is_post].astype(np.float64)
        is_liked = np.any(labels[:, is_positive] > 0, axis=1) * weight

        def sums(values: np.ndarray) -> np.ndarray:
            """`[M, A]` the sum over the impressions of each post of `[E, A]` values."""
            columns = [np.bincount(inverse, column, minlength=num_posts) for column in values.T]
            return np.stack(columns, axis=1)

        shown = np.ones_like(labels)
        if unknown_bits is not None:
            shown -= unpack_actions(unknown_bits[is_post], len(actions))
        labels, shown = labels * weight[:, None], shown * weight[:, None]
        global_rates = (labels.sum(axis=0) + 1) / (shown.sum(axis=0) + 2)
        rates = sums(labels) + PRIOR_IMPRESSIONS * global_rates
        rates /= sums(shown) + PRIOR_IMPRESSIONS
        return cls(
            actions=tuple(actions),
            post_ids=distinct_posts,
            popularity=np.bincount(inverse, is_liked, minlength=num_posts).astype(np.float32),
            rates=rates.astype(np.float32),
            global_rates=global_rates.astype(np.float32),
        )

    def encode_users(self, windows: Windows) -> np.ndarray:
        """`[N, 1]` of ones: everybody asks the same question."""
        return np.ones((len(windows.user_ids), 1), np.float32)

    def encode_posts(self, post_ids: np.ndarray, author_ids: np.ndarray) -> np.ndarray:
        """`[M, 1]` float32: the popularity of each post."""
        del author_ids
        place, is_known = sorted_ids.find(self.post_ids, post_ids)
        return np.where(is_known, _at(self.popularity, place), 0).astype(np.float32)[:, None]

    def predict(self, windows: Windows) -> np.ndarray:
        """`[N, C, A]` float32: the smoothed rate of each action for each candidate."""
        place, is_known = sorted_ids.find(self.post_ids, windows.candidate_post_ids)
        known_rates = _at(self.rates, place) if len(self.rates) else self.global_rates
        return np.where(is_known[..., None], known_rates, self.global_rates).astype(np.float32)

    def predict_dwell(self, windows: Windows) -> None:
        """It has no idea how long anybody stays."""
        del windows


@dataclass(frozen=True, eq=False)
class Random:
    """The trivial recommender: recommends at random, knows nothing, and repeats itself exactly.

    Every number is a hash of the seed and the ids, so it does not depend on the order of posts,
    candidates or users, nor on what else is in a batch.
    """

    actions: tuple[str, ...]
    seed: int  # Any; its lowest 60 bits count.
    name: ClassVar[str] = "random"

    def encode_users(self, windows: Windows) -> np.ndarray:
        """`[N, 16]` float32: a Gaussian vector per user."""
        return self._gaussian(windows.user_ids, salt=1)

    def encode_posts(self, post_ids: np.ndarray, author_ids: np.ndarray) -> np.ndarray:
        """`[M, 16]` float32: a Gaussian vector per post."""
        del author_ids
        return self._gaussian(post_ids, salt=2)

    def predict(self, windows: Windows) -> np.ndarray:
        """`[N, C, A]` float32: uniform in (0, 1) by user, post and action."""
        pairs = _mix_bits(windows.user_ids)[:, None] ^ _mix_bits(windows.candidate_post_ids + 1)
        return self._uniform(pairs, len(self.actions), salt=3).astype(np.float32)

    def predict_dwell(self, windows: Windows) -> None:
        """It has no idea how long anybody stays."""
        del windows

    def _gaussian(self, ids: np.ndarray, *, salt: int) -> np.ndarray:
        half = _RANDOM_SIZE // 2
        uniform = self._uniform(ids.astype(np.uint64), _RANDOM_SIZE, salt=salt)
        radius = np.sqrt(-2 * np.log(uniform[..., :half]))  # Box and Muller 1958
        angle = 2 * np.pi * uniform[..., half:]
        vectors = [radius * np.cos(angle), radius * np.sin(angle)]
        return np.concatenate(vectors, axis=-1).astype(np.float32)

    def _uniform(self, keys: np.ndarray, size: int, *, salt: int) -> np.ndarray:
        """`[..., size]` float64 strictly between 0 and 1."""
        start = _mix_bits(np.array((self.seed * 16 + salt) % 2**64, np.uint64))
        streams = _mix_bits(np.arange(size) + 1) + start  # [size]
        bits = _mix_bits(keys.astype(np.uint64)[..., None] ^ streams)
        return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52


Baseline = MostPopular | Random
BASELINES = (MostPopular.name, Random.name)


def save_baseline(directory: Path, baseline: Baseline) -> None:
    """Writes `model.json` and, for the most popular, one `.npy` file per array; same bytes always.

    Args:
      directory: An empty directory, created if missing.
      baseline: What to write.
    """
    directory.mkdir(parents=True, exist_ok=True)
    description = {"kind": baseline.name, "actions": list(baseline.actions)}
    if isinstance(baseline, Random):
        description["seed"] = baseline.seed
    else:
        for field in ("post_ids", "popularity", "rates", "global_rates"):
            np.save(directory / f"{field}.npy", getattr(baseline, field), allow_pickle=False)
    text = json.dumps(description, sort_keys=True, indent=1)
    (directory / _MODEL).write_text(text + "\n", encoding="utf-8")


def load_baseline(directory: Path) -> Baseline:
    """Reads what `save_baseline` wrote.

    Raises:
      ValueError: If the directory holds another kind of model.
    """
    description = json.loads((directory / _MODEL).read_text(encoding="utf-8"))
    actions = tuple(description["actions"])
    if description["kind"] == Random.name:
        return Random(actions, description["seed"])
    if description["kind"] != MostPopular.name:
        raise ValueError(
            f"{directory / _MODEL}: expected one of {list(BASELINES)}, got {description['kind']!r}."
        )
    fields = ("post_ids", "popularity", "rates", "global_rates")
    arrays = {name: np.load(directory / f"{name}.npy", allow_pickle=False) for name in fields}
    return MostPopular(actions, **arrays)


def _at(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    return values[place] if len(values) else np.zeros(place.shape, values.dtype)


def _mix_bits(values: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): 64 well mixed bits per integer."""
    with np.errstate(over="ignore"):
        bits = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))
