"""The two recommenders that a trained model has to beat: the trivial one and the most popular.

Both have the three parts of any recommender. The *collector* says what may be recommended
(`Collection`: posts, their authors, who is eligible); the *ranker* puts it in an order (`Random`
and `MostPopular`, each behind `Retriever` and `Ranker`); the *server* returns what was asked for
and nothing else (`serve`: at most k, nothing excluded, fewer rather than padding).

Glossary of shapes:
  N: windows, M: posts, C: candidates, A: actions, D: size of a vector.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from phoenix.data.engagement.counts import Counts
from phoenix.data.engagement.rates import POST_KINDS, Rates, any_of
from phoenix.data.hashing import mixed_bits
from phoenix.data.windows import Windows
from phoenix.recommend.recommender import PostInputs, Retriever
from phoenix.search.exact import ExactIndex

_RANDOM_SIZE = 16  # D of the random vectors.
_MODEL = "model.json"
_FIRST_FIELDS = ("post_ids", "popularity", "rates", "global_rates")  # of the first format
_MANY = 1e9


@dataclass(frozen=True)
class Collection:
    """The collector's part: the posts that exist, and which of them may be recommended."""

    post_ids: np.ndarray  # [M] int64, sorted, distinct, none 0
    author_ids: np.ndarray  # [M] int64
    is_eligible: np.ndarray  # [M] bool
    inputs: PostInputs | None = None  # of M posts; None where no retriever reads any


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
    """Recommends to everybody what most people liked, as counted through the end of a day.

    ranking:   r_a(p), the smoothed rate of action a: that of the post, backed off to its author and
               to all, see `phoenix.data.engagement.rates`;
    retrieval: (1 + n(p)) (1 - prod over positive actions of (1 - r_a(p))), with n(p) the recent
               impressions of the post: the impressions with a positive action that are to be
               expected if it goes on being shown, and one more, for a post that never was.

    A log without negatives has a rate near 1 for every post. Among as many drawn posts as were
    shown, of which each post has an even share m, the share of those that were shown is
    (1 + n(p)) / (1 + n(p) + m): its rates are multiplied by it, `is_among_drawn`.
    """

    actions: tuple[str, ...]
    positive_actions: tuple[str, ...]
    rates: Rates
    is_among_drawn: bool = False
    name: ClassVar[str] = "most_popular"

    def __post_init__(self) -> None:
        """Checks the names.

        Raises:
          ValueError: If a positive action is none of the actions, or their number is another.
        """
        unknown = sorted(set(self.positive_actions) - set(self.actions))
        if unknown or len(self.actions) != self.rates.num_actions:
            raise ValueError(
                f"Expected the names of {self.rates.num_actions} actions and positive ones among "
                f"them, got {list(self.actions)} and unknown {unknown}."
            )

    def encode_users(self, windows: Windows) -> np.ndarray:
        """`[N, 1]` of ones: everybody asks the same question."""
        return np.ones((len(windows.user_ids), 1), np.float32)

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        """`[M, 1]` float32: the expected number of impressions with a positive action."""
        del inputs
        is_positive = np.array([action in self.positive_actions for action in self.actions])
        rates = any_of(self.rates.smoothed(post_ids, author_ids), is_positive)
        recent = self.rates.impressions(post_ids, are_recent=True)
        return ((1 + recent) * rates).astype(np.float32)[:, None]

    def predict(self, windows: Windows) -> np.ndarray:
        """`[N, C, A]` float32: the smoothed rate of each action for each candidate."""
        rates = self.rates.smoothed(windows.candidate_post_ids, windows.candidate_author_ids)
        if self.is_among_drawn:
            expected = 1 + self.rates.impressions(windows.candidate_post_ids, are_recent=True)
            recent = self.rates.tables["post"].recent_shown
            share = 1 + (recent.max(axis=1).mean() if len(recent) else 0.0)
            rates = rates * (expected / (expected + share))[..., None]
        return rates.astype(np.float32)

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

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        """`[M, 16]` float32: a Gaussian vector per post."""
        del author_ids, inputs
        return self._gaussian(post_ids, salt=2)

    def predict(self, windows: Windows) -> np.ndarray:
        """`[N, C, A]` float32: uniform in (0, 1) by user, post and action."""
        pairs = mixed_bits(windows.user_ids)[:, None] ^ mixed_bits(windows.candidate_post_ids + 1)
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
        start = mixed_bits(np.array((self.seed * 16 + salt) % 2**64, np.uint64))
        streams = mixed_bits(np.arange(size) + 1) + start  # [size]
        bits = mixed_bits(keys.astype(np.uint64)[..., None] ^ streams)
        return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52


Baseline = MostPopular | Random
BASELINES = (MostPopular.name, Random.name)


def save_baseline(directory: Path, baseline: Baseline) -> None:
    """Writes `model.json` and, for the most popular, `.npy` files of its counts; same bytes always.

    Args:
      directory: An empty directory, created if missing.
      baseline: What to write.
    """
    directory.mkdir(parents=True, exist_ok=True)
    description: dict[str, Any] = {"kind": baseline.name, "actions": list(baseline.actions)}
    if isinstance(baseline, Random):
        description["seed"] = baseline.seed
    else:
        description["positive_actions"] = list(baseline.positive_actions)
        if baseline.is_among_drawn:
            description["is_among_drawn"] = True
        priors = baseline.rates.priors
        description["priors"] = {kind: priors[kind].tolist() for kind in POST_KINDS}
        for kind in POST_KINDS:
            for field, values in baseline.rates.tables[kind]._asdict().items():
                np.save(directory / f"{kind}_{field}.npy", values, allow_pickle=False)
    text = json.dumps(description, sort_keys=True, indent=1)
    (directory / _MODEL).write_text(text + "\n", encoding="utf-8")


def load_baseline(directory: Path) -> Baseline:
    """Reads what `save_baseline` wrote, or a version of it before.

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

    def read(name: str) -> np.ndarray:
        return np.load(directory / f"{name}.npy", allow_pickle=False)

    if "priors" not in description:
        return _of_first_format(actions, {name: read(name) for name in _FIRST_FIELDS})
    tables = {
        kind: Counts(*(read(f"{kind}_{field}") for field in Counts._fields)) for kind in POST_KINDS
    }
    priors = {kind: np.array(values) for kind, values in description["priors"].items()}
    positive_actions = tuple(description["positive_actions"])
    is_among_drawn = description.get("is_among_drawn", False)
    return MostPopular(actions, positive_actions, Rates(tables, priors), is_among_drawn)


def _of_first_format(actions: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> MostPopular:
    """The recommender of a folder with the rates and the number of likes of each post.

    Its rates are those of so many impressions that no prior changes them, and of each post so many
    are recent that the likes to be expected are those that were counted.
    """
    rates = arrays["rates"].astype(np.float64)
    overall = arrays["global_rates"].astype(np.float64)[None]
    recent = arrays["popularity"] / (1 - np.prod(1 - rates, axis=1)) - 1
    recently_shown = np.broadcast_to(recent[:, None], rates.shape)
    shown = np.full_like(rates, _MANY)
    tables = {
        "all": Counts(
            np.zeros(1, np.int64), np.full_like(overall, _MANY), overall * _MANY, *2 * [overall]
        ),
        "author": Counts.none(len(actions)),
        "post": Counts(arrays["post_ids"], shown, rates * _MANY, recently_shown, rates),
    }
    return MostPopular(actions, actions, Rates.of(tables))
