"""How well a retriever finds what users came to like on a day.

It is asked once per user, at the first window of the day, for the best posts of the whole corpus
that the user's history does not hold.

Glossary of shapes:
  N: windows or users.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.evaluation import examples
from components.evaluation.day_users import by_history, first_windows, users_by_history
from components.evaluation.results import Result, finite
from components.settings.config import Config
from phoenix.data import sorted_ids
from phoenix.data.windows import Engagement, Windows
from phoenix.metrics import by_user as user_metrics
from phoenix.metrics.by_user import RetrievalValues, UserValues
from phoenix.metrics.mergeable import Coverage
from phoenix.recommend.baselines import Collection, Random
from phoenix.recommend.embedding_runner import EmbeddingRunner, NonFiniteOutputError
from phoenix.recommend.recommender import Retriever
from phoenix.search.exact import ExactIndex, Standing


@dataclass(frozen=True)
class RetrievalContest:
    """The users of a day, and what they liked that they had not seen before."""

    config: Config
    windows: Windows  # all of the day
    collection: Collection

    @property
    def metric(self) -> str:
        """The name of the metric of the gate, with its cut-off."""
        return f"recall@{self.config.evaluate_models.retrieval_k}"

    @property
    def gaps(self) -> list[str]:
        """Sentences on the metrics that nobody can compute of this day; often none."""
        if len(self._asked.users) or not len(self.windows.user_ids):
            return []
        return [
            f"no {self.metric}: nobody liked an eligible post that they had not seen, no positive"
        ]

    def judge(self, retriever: Retriever, folder: Path | None = None) -> Result:
        """Returns metrics over the whole corpus, per slice, and how varied the answers are.

        Args:
          retriever: The model.
          folder: Where to keep its vectors; None keeps none.
        """
        posts, k = self.collection, self.config.evaluate_models.retrieval_k
        requests = self._asked.requests
        if isinstance(retriever, Random) or not len(requests.user_ids):
            return self._chance()  # of nobody, any answer is worth the same
        runner = EmbeddingRunner(retriever=retriever, splits={"posts": posts, "users": requests})
        try:
            vectors = runner.run(folder, "tensorstore")
        except NonFiniteOutputError as error:
            return Result({"not_finite": error.count}, None)
        index = ExactIndex(vectors["posts"], posts.is_eligible)
        history = self._rows_of_histories(requests)
        result = index.search(vectors["users"], k, excluded=history)
        answers = np.append(posts.post_ids, 0)[result.rows]  # row -1 is no post
        pairs = self._asked.rows_in(posts)
        standing = index.standing(vectors["users"], result, pairs, excluded=history)
        by_user = self._asked.values_of(answers, standing)
        eligible = posts.post_ids[posts.is_eligible]
        report = {
            "users": len(by_user.recall.values),
            self.metric: finite(by_user.recall.mean),
            f"ndcg@{k}": finite(by_user.ndcg.mean),
            f"mrr@{k}": finite(by_user.reciprocal_rank.mean),
            "coverage": finite(Coverage.of(answers, eligible).values()["coverage"]),
            "slices": _recall_by_slice(by_user.recall, requests),
        }
        by_metric = {self.metric: by_user.recall, f"ndcg@{k}": by_user.ndcg}
        slices = by_history(by_user.recall, requests)
        return Result(
            report,
            by_user.recall,
            slices=slices,
            by_metric=by_metric,
            examples=examples.of_answers(requests.user_ids, answers),
        )

    def _chance(self) -> Result:
        """The expected values of an answer at random, which need no search."""
        k, requests = self.config.evaluate_models.retrieval_k, self._asked.requests
        none = self._asked.values_of(np.zeros((len(requests.user_ids), 1), np.int64)).recall
        # A post may be in a history more than once.
        seen = np.unique(np.stack(self._rows_of_histories(requests), axis=1), axis=0)
        request, row = seen.T
        is_eligible = self.collection.is_eligible[row]
        num_seen = np.bincount(request[is_eligible], minlength=len(requests.user_ids))
        num_posts = self.collection.is_eligible.sum() - num_seen
        # Each post that may be retrieved is among the first k equally often.
        chance = np.minimum(k / np.maximum(num_posts, 1), 1.0)
        rows = np.searchsorted(requests.user_ids, none.user_ids)
        recall = none._replace(values=chance[rows])
        report = {
            "users": len(recall.values),
            self.metric: finite(recall.mean),
            "slices": _recall_by_slice(recall, requests),
        }
        return Result(report, recall)

    def _rows_of_histories(self, requests: Windows) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of request and corpus row: posts of the history are not to be retrieved again."""
        request, place = np.nonzero(requests.history_post_ids)
        post_ids = requests.history_post_ids[request, place]
        rows, is_there = sorted_ids.find(self.collection.post_ids, post_ids)
        return request[is_there], rows[is_there]

    @functools.cached_property
    def _asked(self) -> "_Asked":
        """The users who liked something on the day, of eligible posts that they had not seen.

        What a user reported on the day was not liked, in whichever order both came.
        """
        requests = first_windows(self.windows)
        config, windows = self.config, self.windows
        engagement = Engagement.of(
            config.action_names, config.positive_actions, config.negative_actions
        )
        is_liked = windows.candidate_mask & ((windows.labels & engagement.positive) != 0)
        window, place = np.nonzero(is_liked)
        users, posts = windows.user_ids[window], windows.candidate_post_ids[window, place]
        # Every user of the day has a request, so the place by order is the place of the user.
        history = requests.history_post_ids[np.searchsorted(requests.user_ids, users)]
        is_new = ~(history == posts[:, None]).any(axis=1)
        eligible = self.collection.post_ids[self.collection.is_eligible]
        is_relevant = is_new & np.isin(posts, eligible)
        reporting, reported_place = np.nonzero((windows.labels & engagement.negative) != 0)
        reported = windows.candidate_post_ids[reporting, reported_place]
        pairs = windows.user_ids[reporting], reported
        is_relevant &= ~sorted_ids.find_keys((users, posts), pairs).is_there
        weights = self.windows.label_weights
        if weights is not None:
            weights = weights[window, place][is_relevant]
        users, posts = users[is_relevant], posts[is_relevant]
        # Of the others no recall is defined, so nobody need search for them.
        return _Asked(requests.rows(np.isin(requests.user_ids, users)), users, posts, weights)


class _Asked(NamedTuple):
    """Requests, and what would be a good answer to them."""

    requests: Windows
    users: np.ndarray  # [L] int64: who liked
    posts: np.ndarray  # [L] int64: what
    weights: np.ndarray | None  # [L]: impressions for which a pair stands; None means 1

    def rows_in(self, collection: Collection) -> tuple[np.ndarray, np.ndarray]:
        """`[L]` places of those who liked among the requests, `[L]` rows of what they liked."""
        return (
            np.searchsorted(self.requests.user_ids, self.users),
            np.searchsorted(collection.post_ids, self.posts),
        )

    def values_of(self, answers: np.ndarray, standing: Standing | None = None) -> RetrievalValues:
        """Returns the metrics of answers.

        Args:
          answers: `[N, K]` int64 posts in the order of the requests.
          standing: Of what was liked, where scores can be equal.
        """
        pairs, users = (self.users, self.posts), self.requests.user_ids
        return user_metrics.retrieval(users, answers, pairs, self.weights, standing=standing)


def _recall_by_slice(recall: UserValues, requests: Windows) -> dict[str, Any]:
    return {
        name: {"users": len(members), "recall": finite(recall.of(members).mean)}
        for name, members in users_by_history(requests).items()
    }
