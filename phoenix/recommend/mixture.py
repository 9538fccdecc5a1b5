"""Mixtures of a model and the most popular recommender, behind the interfaces of a recommender.

Where neither is surely better than the other, a mean of both is better than either as a rule: each
errs where the other does not (Bates and Granger 1969). Both say logarithms: a ranker log-odds of
actions, a retriever, over its temperature, the logarithm of what is to be expected of a post. So a
mixture is their weighted mean, the logarithmic opinion pool (Genest and Zidek 1986); of a model
that reads counts itself it shrinks what it knows beyond them.

Glossary of shapes:
  N: windows, M: posts, C: candidates, A: actions, D: size of the model's vectors.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit, logit

from phoenix.data.windows import Windows
from phoenix.recommend import named_actions
from phoenix.recommend.baselines import MostPopular
from phoenix.recommend.recommender import PostInputs, Ranker, Retriever

_CERTAIN = 1e-9  # of probabilities: 0 and 1 have no log-odds


@dataclass(frozen=True, eq=False)
class RankerMixture:
    """A ranker and the most popular recommender: the weighted mean of their log-odds."""

    model: Ranker
    popular: MostPopular
    share: float  # of the model, from 0 to 1
    name: ClassVar[str] = "mixture"

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the A actions."""
        return self.model.actions

    @property
    def reads_evidence(self) -> bool:
        """Whether the model reads what was known of candidates before their day."""
        return named_actions.reads_evidence(self.model)

    def predict(self, windows: Windows) -> np.ndarray:
        """`[N, C, A]` float32: see `Ranker`; of an action that the model does not know, the rate.

        >>> round(float(_mean_log_odds(np.array([0.9]), np.array([0.5]), share=0.5)[0]), 6)
        0.75
        """
        own, rates = self.model.predict(windows), self.popular.predict(windows)
        unpredicted = named_actions.unpredicted_actions(self.model)
        mixed = np.empty_like(own)
        for a, action in enumerate(self.actions):  # one by one: float64 of all would be large
            share = 0.0 if action in unpredicted else self.share
            mixed[..., a] = _mean_log_odds(own[..., a], rates[..., a], share=share)
        return mixed

    def predict_dwell(self, windows: Windows) -> np.ndarray | None:
        """`[N, C]` float32: that of the model, which alone has an idea of it."""
        return self.model.predict_dwell(windows)


@dataclass(frozen=True, eq=False)
class RetrieverMixture:
    """A retriever and the most popular recommender: the weighted mean of their logarithms.

    What is popular is one more dimension of the vectors, so a score is a product of two vectors as
    any other, and a corpus need not know.
    """

    model: Retriever
    popular: MostPopular
    share: float  # of the model, from 0 to 1
    name: ClassVar[str] = "mixture"

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the actions in the histories that the model reads."""
        return self.model.actions

    def encode_users(self, windows: Windows) -> np.ndarray:
        """`[N, D + 1]` float32; zero of a user of whom the model knows nothing."""
        own = self.model.encode_users(windows)
        is_known = (own != 0).any(axis=1, keepdims=True)
        scale = self.share / named_actions.temperature(self.model)
        return np.concatenate([own * scale, is_known * (1 - self.share)], axis=1).astype(np.float32)

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        """`[M, D + 1]` float32."""
        own = self.model.encode_posts(post_ids, author_ids, inputs)
        expected = self.popular.encode_posts(post_ids, author_ids)
        logarithms = np.log(np.maximum(expected, np.finfo(np.float32).tiny))
        return np.concatenate([own, logarithms], axis=1).astype(np.float32)


def _mean_log_odds(own: np.ndarray, rates: np.ndarray, *, share: float) -> np.ndarray:
    """Returns the probabilities whose log-odds are the weighted mean, of any one shape."""
    if share == 0:
        return rates
    # NaN stays NaN: who asks is told of it.
    inner = (np.clip(each.astype(np.float64), _CERTAIN, 1 - _CERTAIN) for each in (own, rates))
    own_odds, rate_odds = map(logit, inner)
    return expit(share * own_odds + (1 - share) * rate_odds)
