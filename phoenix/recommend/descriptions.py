"""The description of a trained model, `model.json` in its folder, of whatever format.

Apart from what loads a model, because who compares descriptions needs no JAX.
"""

from collections.abc import Mapping
from typing import Any

FORMAT_VERSION = 2  # 2: the ranker says whether it reads counts, and how much its taste counts
_SINCE_2 = {"has_counts": False, "taste": 1.0}
_RANKER = "ranking_transformer"


def migrated(description: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a description as it would be written today; one of a later format as it is.

    Args:
      description: The content of `model.json`, of a trained model or of a baseline.

    >>> old = {"format_version": 1, "kind": "ranking_transformer", "config": {"emb_size": 8}}
    >>> migrated(old)["config"]
    {'has_counts': False, 'taste': 1.0, 'emb_size': 8}
    """
    if description.get("format_version") != 1:
        return dict(description)
    added = _SINCE_2 if description["kind"] == _RANKER else {}
    config = {**added, **description["config"]}
    return {**description, "format_version": FORMAT_VERSION, "config": config}
