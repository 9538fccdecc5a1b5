"""Answers to requests for feeds from one release: collect, leave out, rank, cut.

The collector is the corpus without what is not eligible or was seen, from which retrieval and other
sources name candidates; the ranker is the ranking model with the weighted score; the server is
author diversity and the cut, in which a source may have places of its own. A user
of whom the retrieval model knows nothing is served by the most popular recommender instead.

Glossary of shapes:
  N: requests, K: retrieved posts, A: actions, L: length of a feed, Q: seen pairs.
"""

import functools
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.errors import BadDataError
from components.features import requests, shapes
from components.release import decisions, mixtures, models, release_files
from components.release.corpus import Corpus
from components.release.shares import share_of
from components.serving import limits
from components.serving.feed_files import RANKER_MIXTURE, RETRIEVER_MIXTURE, Feeds
from components.serving.seen import SeenPairs
from components.serving.sources.blend import Blend, Blended
from components.serving.sources.source import Catalogue, Requests
from components.settings.config import Config
from components.tables.action_lists import released_heads
from phoenix.data import attributes
from phoenix.data.engagement.rates import Rates
from phoenix.data.windows import Windows
from phoenix.recommend import baselines, feed_cut, named_actions, scoring
from phoenix.recommend.baselines import Collection, MostPopular
from phoenix.recommend.feed_cut import AuthorDiversity, Limit, Places, Quotas
from phoenix.recommend.mixture import RankerMixture, RetrieverMixture
from phoenix.recommend.recommender import Ranker, Retriever
from phoenix.search.exact import ExactIndex

logger = logging.getLogger(__name__)

RETRIEVAL_PLACE, POPULAR_PLACE = 0, 1  # among the names of sources
# Requests at a time: bounds the memory, which is that of K candidates with A probabilities each.
_BLOCK = 2048


class Candidates(NamedTuple):
    """Posts to be ranked; of retrieval alone, best first."""

    post_ids: np.ndarray  # [N, K] int64, 0 where there are no more
    author_ids: np.ndarray  # [N, K] int64
    retrieval_scores: np.ndarray  # [N, K] float32, NaN where retrieval did not find the post
    is_unscored: np.ndarray  # [N] bool: retrieval knew nothing of the user
    sources: np.ndarray  # [N, K] int64 places among the names of sources


class Ranked(NamedTuple):
    """Predictions and scores of the candidates, in their order."""

    probabilities: np.ndarray  # [N, K, A] float32, as predicted
    base_scores: np.ndarray  # [N, K] float32
    num_not_finite: np.ndarray  # [A] int64


@dataclass(frozen=True)
class Server:
    """One release, loaded."""

    config: Config
    description: dict[str, Any]  # of the release: `release_files.RELEASE_FILE`
    retriever: Retriever
    ranker: Ranker
    fallback: MostPopular
    corpus: Corpus
    # As of the end of the day of the feeds; None: nothing was counted.
    rates: Rates | None = None

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
        text = (folder / release_files.RELEASE_FILE).read_text(encoding="utf-8")
        description = json.loads(text)
        expected = {
            "actions": list(config.action_names),
            "hash_spec": shapes.hash_spec(config.hashing).digest(),
            "attributes": attributes.digest(config.attributes.attributes),
        }
        for name, value in expected.items():
            if (actual := description.get(name)) != value:
                raise BadDataError(
                    f"{folder}: the release has `{name}` {actual}, the configuration "
                    f"{value}: publish a release of this configuration first."
                )
        retrieval = description["retrieval"]["folder"]
        retriever = models.load_retriever(folder / retrieval)
        ranker = models.load_ranker(folder / description["ranker"]["folder"])
        # A model that was carried on may have learned another list: it is asked by name.
        heads = [
            released_heads(description[role], model.actions, config)
            for role, model in (("retrieval", retriever), ("ranker", ranker))
        ]
        retriever = named_actions.retriever_for(retriever, heads[0], config.action_names)
        ranker = named_actions.ranker_for(ranker, heads[1], config.action_names)
        fallback = models.load_most_popular(folder / decisions.FALLBACK)
        shares = [share_of(description[role]) for role in ("retrieval", "ranker")]
        server = cls(
            config=config,
            description=description,
            retriever=mixtures.retriever(retriever, fallback, shares[0]),
            ranker=mixtures.ranker(ranker, fallback, shares[1]),
            fallback=fallback,
            corpus=Corpus.read(folder / release_files.CORPUS_FOLDER),
        )
        own, popular = (
            models.folder_digest(folder / name) for name in (retrieval, decisions.FALLBACK)
        )
        server.corpus.refuse_other_model(mixtures.digest(own, popular, shares[0]))
        return server

    @property
    def reads_evidence(self) -> bool:
        """Whether the ranker reads the rates."""
        return named_actions.reads_evidence(self.ranker)

    @property
    def is_popular(self) -> bool:
        """Whether retrieval itself is the most popular recommender."""
        return self.retriever.name == self.fallback.name

    @property
    def mixtures(self) -> list[str]:
        """The rules of feeds that say which models are mixed with the most popular recommender."""
        rules = {
            RETRIEVER_MIXTURE: self.retriever.name == RetrieverMixture.name,
            RANKER_MIXTURE: self.ranker.name == RankerMixture.name,
        }
        return [name for name, is_applied in rules.items() if is_applied]

    @property
    def source_names(self) -> list[str]:
        """The names of the sources of places."""
        return self._blend.names

    def serve(self, windows: Windows, seen_pairs: SeenPairs) -> Iterator[Feeds]:
        """Yields the feeds of blocks of requests, in order.

        Args:
          windows: N requests; candidates are not read.
          seen_pairs: Q pairs, not to be shown.
        """
        for start in range(0, len(windows.user_ids), _BLOCK):
            block = windows.rows(slice(start, start + _BLOCK))
            candidates = self.collect(block, seen_pairs.of_block(start, start + _BLOCK))
            ranked = self.rank(block, candidates)
            if ranked.num_not_finite.any():
                logger.warning("Predictions that are no numbers: %s", ranked.num_not_finite)
            logger.info(
                "Served %d of %d users.", start + len(block.user_ids), len(windows.user_ids)
            )
            yield self.cut(block, candidates, ranked)

    def serve_popular(self, windows: Windows, seen_pairs: SeenPairs) -> Iterator[Feeds]:
        """Yields feeds of the most popular posts for blocks of requests, in order.

        Args:
          windows: N requests; of them only the user ids are read.
          seen_pairs: Q pairs, not to be shown.
        """
        for start in range(0, len(windows.user_ids), _BLOCK):
            block = windows.rows(slice(start, start + _BLOCK))
            pairs = seen_pairs.of_block(start, start + _BLOCK)
            excluded_rows = (pairs.places, self.corpus.rows_of(pairs.post_ids))
            count = self.config.materialize_feeds.num_retrieved
            rows = self._popular_rows(block, excluded_rows, count)
            nothing = np.full(rows.shape, np.nan, np.float32)
            blended = Blended(rows, nothing, np.full(rows.shape, POPULAR_PLACE))
            candidates = self._candidates(blended, is_unscored=np.ones(len(rows), bool))
            yield self.cut(block, candidates, self.rank(block, candidates))

    def retrieve(
        self,
        windows: Windows,
        seen_pairs: SeenPairs,
        *,
        count: int | None = None,
    ) -> Candidates:
        """Finds the best eligible posts that were not seen.

        Args:
          windows: N requests.
          seen_pairs: Q pairs, not to be found.
          count: K; `num_retrieved` of the configuration by default.
        """
        count = self.config.materialize_feeds.num_retrieved if count is None else count
        requests = self._requests(windows, seen_pairs)
        return self._candidates(*self._retrieved(requests, count))

    def collect(self, windows: Windows, seen_pairs: SeenPairs) -> Candidates:
        """Finds the posts to be ranked: those of retrieval, and those of other sources.

        Args:
          windows: N requests.
          seen_pairs: Q pairs, not to be found.
        """
        requests = self._requests(windows, seen_pairs)
        count = self.config.materialize_feeds.num_retrieved
        retrieved, is_unscored = self._retrieved(requests, count)
        return self._candidates(self._blend.add(retrieved, requests), is_unscored)

    def _requests(self, windows: Windows, seen_pairs: SeenPairs) -> Requests:
        excluded_rows = (seen_pairs.places, self.corpus.rows_of(seen_pairs.post_ids))
        return Requests(windows, self.retriever.encode_users(windows), excluded_rows)

    def _retrieved(self, requests: Requests, count: int) -> tuple[Blended, np.ndarray]:
        """Returns what retrieval finds, and `[N]` bool: whether it knows nothing of the user."""
        queries, excluded_rows = requests.queries, requests.excluded
        # The zero vector stands for "nothing is known": every post would score the same.
        is_unscored = ~(np.isfinite(queries).all(axis=1) & (queries != 0).any(axis=1))
        rows, scores = self._index.search(queries, count, excluded=excluded_rows)
        scores = np.where(rows < 0, np.nan, scores)
        if is_unscored.any():
            # For all requests, though used for a few: on the first days it is for nearly all.
            popular_rows = self._popular_rows(requests.windows, excluded_rows, count)
            rows = np.where(is_unscored[:, None], popular_rows, rows)
            scores = np.where(is_unscored[:, None], np.nan, scores)
        from_popular = (is_unscored | self.is_popular)[:, None]
        sources = np.broadcast_to(
            np.where(from_popular, POPULAR_PLACE, RETRIEVAL_PLACE), rows.shape
        )
        return Blended(rows, scores.astype(np.float32), sources), is_unscored

    def _candidates(self, blended: Blended, is_unscored: np.ndarray) -> Candidates:
        """Returns the posts of rows of the corpus."""
        rows = blended.rows
        return Candidates(
            post_ids=np.where(rows < 0, 0, _values_at(self.corpus.post_ids, rows)),
            author_ids=np.where(rows < 0, 0, _values_at(self.corpus.author_ids, rows)),
            retrieval_scores=blended.scores,
            is_unscored=is_unscored,
            sources=blended.sources,
        )

    def rank(self, windows: Windows, candidates: Candidates) -> Ranked:
        """Predicts all actions and combines them with the weights of the release."""
        rows = self.corpus.rows_of(candidates.post_ids)
        slates = requests.with_candidates(
            windows,
            self.config,
            post_ids=candidates.post_ids,
            author_ids=candidates.author_ids,
            created_at=np.where(rows < 0, 0, _values_at(self.corpus.created_at, rows)),
            of_posts=_values_at(self.corpus.attributes, rows),
        )
        if self.reads_evidence:
            slates = slates.with_evidence(self.rates or Rates.none(len(self.config.actions)))
        # Whom retrieval does not know is served by the fallback in both parts, never by a mixture.
        unscored_rows = np.flatnonzero(candidates.is_unscored)
        if len(unscored_rows) == len(slates.user_ids):
            probabilities = self.fallback.predict(slates)
        else:
            probabilities = self.ranker.predict(slates)
            if len(unscored_rows):
                probabilities = probabilities.copy()  # a ranker may return memory of its own
                probabilities[unscored_rows] = self.fallback.predict(slates.rows(unscored_rows))
        sums = scoring.weighted_scores(probabilities, self.weights, slates.candidate_mask)
        return Ranked(probabilities, sums.scores, sums.num_not_finite)

    def cut(self, windows: Windows, candidates: Candidates, ranked: Ranked) -> Feeds:
        """Applies author diversity and keeps the best, and the least of each source."""
        section = self.config.materialize_feeds
        feed = feed_cut.feed(
            ranked.base_scores,
            candidates.post_ids,
            candidates.author_ids,
            length=section.feed_length,
            diversity=AuthorDiversity(section.author_decay, section.author_floor),
            places=Places(
                limits=[
                    Limit(each.groups, each.most)
                    for each in limits.of_posts(
                        self.corpus, self.config, candidates.post_ids, candidates.author_ids
                    )
                ],
                quotas=Quotas(candidates.sources, self._blend.least(section.feed_length)),
            ),
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
            sources=np.take_along_axis(candidates.sources, place, 1),
        )

    @property
    def weights(self) -> Sequence[float]:
        """The weight of each action, `[A]`: that of the release, whatever is configured since."""
        return self.description["weights"]

    @functools.cached_property
    def _index(self) -> ExactIndex:
        """The corpus, to be searched with queries of the release's own retrieval model."""
        return ExactIndex(self.corpus.vectors, self.corpus.is_eligible)

    @functools.cached_property
    def _blend(self) -> Blend:
        """The sources beside retrieval."""
        return Blend.of(Catalogue(self.corpus, self.fallback, self.config))

    def _popular_rows(
        self, windows: Windows, excluded_rows: tuple[np.ndarray, np.ndarray], count: int
    ) -> np.ndarray:
        """`[N, K]` int64 rows of the most popular posts for each request, -1 beyond the last."""
        corpus = self.corpus
        collection = Collection(corpus.post_ids, corpus.author_ids, corpus.is_eligible)
        post_ids = baselines.serve(
            self.fallback, collection, windows, count, excluded=excluded_rows
        )
        return corpus.rows_of(post_ids)


def _values_at(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns the values of some rows, those of row 0 for -1; zeros if there are no rows at all.

    Whoever asks masks what belongs to no row.
    """
    if not len(values):
        return np.zeros((*rows.shape, *values.shape[1:]), values.dtype)
    return values[np.maximum(rows, 0)]
