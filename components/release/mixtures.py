"""Mixtures in artifacts: the folder of a model, the fallback beside it, and the share of the model.

A mixture has no files of its own. Its most popular part is the fallback of the evaluation or
release that names it, so it counts as of the same day as everything else in it; what a mixture
hands on to the next day is its model and the share.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from phoenix.recommend.baselines import MostPopular
from phoenix.recommend.mixture import RankerMixture, RetrieverMixture
from phoenix.recommend.recommender import Ranker, Retriever


def label(kind: str, share: float) -> str:
    """Returns a model as people read of it.

    >>> label("two_tower", 1.0), label("two_tower", 0.75)
    ('two_tower', 'mixture of two_tower (75 %) and most_popular')
    """
    return kind if share == 1 else f"mixture of {kind} ({share * 100:.3g} %) and {MostPopular.name}"


def digest(model: str, popular: str, share: float) -> str:
    """SHA-256 of what a mixture is made of, the digests of two folders; of a model alone its own.

    >>> digest("a" * 64, "b" * 64, 1.0) == "a" * 64
    True
    """
    if share == 1:
        return model
    return hashlib.sha256(json.dumps([model, popular, share]).encode()).hexdigest()


def retriever(model: Retriever, popular: MostPopular | None, share: float) -> Retriever:
    """Returns the mixture, or the model where it is alone."""
    return model if share == 1 or popular is None else RetrieverMixture(model, popular, share)


def ranker(model: Ranker, popular: MostPopular | None, share: float) -> Ranker:
    """Returns the mixture, or the model where it is alone."""
    return model if share == 1 or popular is None else RankerMixture(model, popular, share)


BY_ROLE: Mapping[str, Callable[..., Any]] = {"retrieval": retriever, "ranker": ranker}
