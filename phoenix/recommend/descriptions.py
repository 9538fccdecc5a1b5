"""The description of a trained model, `model.json` in its folder, of whatever format.

Apart from what loads a model, because who compares descriptions needs no JAX.
"""

from collections.abc import Mapping
from typing import Any

# 2: the ranker says whether it reads counts, and how much its taste counts; 3: the retrieval model
# says whether it reads counts; 4: and whether its candidate tower reads facts; 5: a model may have
# the state of its optimizer beside it; 6: the retrieval model says how many factors of taste it
# has.
FORMAT_VERSION = 6
_RANKER, _RETRIEVAL = "ranking_transformer", "two_tower"
# What the models of a format were, in words that came with a later one.
_SINCE = {
    2: {_RANKER: {"has_counts": False, "taste": 1.0}},
    3: {_RETRIEVAL: {"has_counts": False}},
    4: {_RETRIEVAL: {"has_candidate_facts": False}},
    6: {_RETRIEVAL: {"taste_size": 0}},
}


def migrated(description: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a description as it would be written today; one of a later format as it is.

    Args:
      description: The content of `model.json`, of a trained model or of a baseline.

    >>> old = {"format_version": 1, "kind": "ranking_transformer", "config": {"emb_size": 8}}
    >>> migrated(old)["config"]
    {'has_counts': False, 'taste': 1.0, 'emb_size': 8}
    """
    version = description.get("format_version")
    if version is None or version not in range(1, FORMAT_VERSION):
        return dict(description)
    config = dict(description["config"])
    for since in range(version + 1, FORMAT_VERSION + 1):
        config = {**_SINCE.get(since, {}).get(description["kind"], {}), **config}
    return {
        "optimizer": None,
        **description,
        "format_version": FORMAT_VERSION,
        "config": config,
    }
