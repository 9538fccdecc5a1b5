"""The share of a model in what facts of a role tell of."""

from collections.abc import Mapping
from typing import Any


def share_of(facts: Mapping[str, Any]) -> float:
    """Returns the share of the model in a mixture with most popular; 1.0 of a model alone.

    >>> share_of({"model": "two_tower", "model_share": 0.75}), share_of({"model": "two_tower"})
    (0.75, 1.0)
    """
    return facts.get("model_share", 1.0)  # formats before mixtures name none
