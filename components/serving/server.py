"""Answers requests for feeds from one release: retrieve, leave out, rank, cut.

The collector is the corpus without what is not eligible or was seen; the ranker is retrieval and
then the ranking model with the weighted score; the server is author diversity and the cut. A user
of whom the retrieval model knows nothing is served by the most popular recommender instead.

Glossary of shapes:
  N: requests, K: retrieved posts, A: actions, L: length of a feed, Q: seen pairs.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.errors import BadDataError
from components.features import requests, shapes
from components.release import decisions, models
from components.release.corpus import Corpus
from components.serving.feed_files import Feeds
from components.settings.config import Config
from phoenix.data import attributes
from phoenix.data.windows import Windows
from phoenix.recommend import baselines, scoring
from phoenix.recommend.baselines import Collection, MostPopular
from phoenix.recommend.recommender import Ranker, Retriever

logger = logging.getLogger(__name__)

RELEASE_FILE = "release.json"
_BLOCK = 2048  # requests at a time: bounds the memory


class Candidates(NamedTuple):
    """What was retrieved, best first."""

    post_ids: np.ndarray  # [N, K] int64, 0 where there are no more
    author_ids: np.ndarray  # [N, K] int64
    retrieval_scores: np.ndarray  # [N, K] float32, NaN where retrieval did not find the post
    is_unscored: np.ndarray  # [N] bool: retrieval knew nothing of the user


class Ranked(NamedTuple):
    """What the ranker thinks of the candidates."""

    probabilities: np.ndarray  # [N, K, A] float32, as predicted
    base_scores: np.ndarray  # [N, K] float32
    num_not_finite: np.ndarray  # [A] int64


@dataclass(frozen=True)
class Server:
    """One release, loaded."""

    config: Config
    description: dict[str, Any]  # release.json
    retriever: Retriever
    ranker: Ranker
    fallback: MostPopular
    corpus: Corpus

    @classmethod
    def open(cls, folder: Path, config: Config) -> "Server":
        """Loads a release and checks that its parts belong together and to the configuration.

        Args:
          folder: Of a verified release, or of one about to be published.
          config: Of the deployment.

        Raises:
          BadDataError: If actions or hashes are others than configured, a model is of another kind
            than its part, or the corpus was embedded by another model.
        """
        description = json.loads((folder / RELEASE_FILE).read_text(encoding="utf-8"))
        expected = {
            "actions": list(config.action_names),
            "hash_spec": shapes.hash_spec(config.hashing).digest(),
            "attributes": attributes.digest(config.attributes.attributes),
        }
        for name, value in expected.items():
            if (found := description.get(name)) != value:
                raise BadDataError(
                    f"{folder}: the release has `{name}` {found}, the configuration "
                    f"{value}: publish a release of this configuration first."
                )
        retrieval = folder / description["retrieval"]["folder"]
        server = cls(
            config=config,
            description=description,
            retriever=models.load_retriever(retrieval),
            ranker=models.load_ranker(folder / description["ranker"]["folder"]),
            fallback=models.load_most_popular(folder / decisions.FALLBACK),
            corpus=Corpus.read(folder / "corpus"),
        )
        server.corpus.index_for(models.folder_digest(retrieval))
        return server

    @property
    def is_popular(self) -> bool:
        """Whether retrieval itself is the most popular recommender."""
        return self.retriever.name == self.fallback.name

    def serve(self, windows: Windows, seen: tuple[np.ndarray, np.ndarray]) -> Iterator[Feeds]:
        """Yields the feeds of blocks of requests, in order.

        Args:
          windows: N requests; candidates are not read.
          seen: Places among the requests and post ids, `[Q]` each, place rising: not to be shown.
        """
        for start in range(0, len(windows.user_ids), _BLOCK):
            block = windows.rows(slice(start, start + _BLOCK))
            inside = slice(*np.searchsorted(seen[0], [start, start + _BLOCK]))
            candidates = self.retrieve(block, (seen[0][inside] - start, seen[1][inside]))
            ranked = self.rank(block, candidates)
            if ranked.num_not_finite.any():
                logger.warning("Predictions that are no numbers: %s", ranked.num_not_finite)
            logger.info(
                "Served %d of %d users.", start + len(block.user_ids), len(windows.user_ids)
            )
            yield self.cut(block, candidates, ranked)

    def retrieve(
        self,
        windows: Windows,
        seen: tuple[np.ndarray, np.ndarray],
        *,
        count: int | None = None,
    ) -> Candidates:
        """Finds the best eligible posts that were not seen.

        Args:
          windows: N requests.
          seen: Places among the requests and post ids, `[Q]` each.
          count: K; `num_retrieved` of the configuration by default.
        """
        count = self.config.materialize_feeds.num_retrieved if count is None else count
        excluded = (seen[0], self.corpus.rows_of(seen[1]))
        queries = self.retriever.encode_users(windows)
        # The zero vector stands for "nothing is known": every post would score the same.
        is_unscored = ~(np.isfinite(queries).all(axis=1) & (queries != 0).any(axis=1))
        index = self.corpus.index_for(self.corpus.model_digest)
        found = index.search(queries, count, excluded=excluded)
        rows, scores = found.rows, np.where(found.rows < 0, np.nan, found.scores)
        if is_unscored.any():
            popular = self._popular_rows(windows, excluded, count)
            rows = np.where(is_unscored[:, None], popular, rows)
            scores = np.where(is_unscored[:, None], np.nan, scores)
        return Candidates(
            post_ids=np.where(rows < 0, 0, _taken(self.corpus.post_ids, rows)),
            author_ids=np.where(rows < 0, 0, _taken(self.corpus.author_ids, rows)),
            retrieval_scores=scores.astype(np.float32),
            is_unscored=is_unscored,
        )

    def rank(self, windows: Windows, candidates: Candidates) -> Ranked:
        """Predicts all actions and combines them with the weights of the release."""
        rows = self.corpus.rows_of(candidates.post_ids)
        asked = requests.with_candidates(
            windows,
            self.config,
            post_ids=candidates.post_ids,
            author_ids=candidates.author_ids,
            created_at=np.where(rows < 0, 0, _taken(self.corpus.created_at, rows)),
            of_posts=_taken(self.corpus.attributes, rows),
        )
        probabilities = self.ranker.predict(asked)
        unscored = np.flatnonzero(candidates.is_unscored)
        if len(unscored):
            probabilities = probabilities.copy()
            probabilities[unscored] = self.fallback.predict(asked.rows(unscored))
        scored = scoring.weighted_scores(probabilities, self.weights, asked.candidate_mask)
        return Ranked(probabilities, scored.scores, scored.num_not_finite)

    def cut(self, windows: Windows, candidates: Candidates, ranked: Ranked) -> Feeds:
        """Applies author diversity and keeps the best."""
        section = self.config.materialize_feeds
        feed = scoring.feed(
            ranked.base_scores,
            candidates.post_ids,
            candidates.author_ids,
            length=section.feed_length,
            author_decay=section.author_decay,
            author_floor=section.author_floor,
        )
        is_post = feed.candidates >= 0
        place = np.maximum(feed.candidates, 0)
        return Feeds(
            user_ids=windows.user_ids,
            post_ids=np.where(is_post, np.take_along_axis(candidates.post_ids, place, 1), 0),
            author_ids=np.where(is_post, np.take_along_axis(candidates.author_ids, place, 1), 0),
            scores=feed.scores,
            base_scores=feed.base_scores,
            multipliers=feed.multipliers,
            probabilities=np.take_along_axis(ranked.probabilities, place[..., None], 1),
            retrieval_scores=np.take_along_axis(candidates.retrieval_scores, place, 1),
            is_unscored=candidates.is_unscored,
        )

    @property
    def weights(self) -> Sequence[float]:
        """The weight of each action, as released."""
        return self.description["weights"]

    def _popular_rows(
        self, windows: Windows, excluded: tuple[np.ndarray, np.ndarray], count: int
    ) -> np.ndarray:
        corpus = self.corpus
        collection = Collection(corpus.post_ids, corpus.author_ids, corpus.is_eligible)
        found = baselines.serve(self.fallback, collection, windows, count, excluded=excluded)
        return corpus.rows_of(found)


def _taken(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if not len(values):
        return np.zeros((*rows.shape, *values.shape[1:]), values.dtype)
    return values[np.maximum(rows, 0)]
