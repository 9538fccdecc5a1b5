"""Statistics of actions made comparable: over the actions that all sides knew.

An action that one side could not know has no rate there, and counts of "none" mean something else
with every list. Compared as they are, a list that grew would look like users who changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phoenix.data.histograms import Histogram

_BY_ACTION = ("action", "newest_action")  # variables whose categories are actions
_OF_ANY_ACTION = "active_share"  # depends on the whole list


@dataclass(frozen=True)
class Measured:
    """The histograms of a day, and the actions that it knew."""

    histograms: Mapping[str, Histogram]
    actions: frozenset[str]


def of_common_actions(parts: Sequence[Measured]) -> list[Mapping[str, Histogram]]:
    """Returns the histograms of all parts, over the actions that each of them knew.

    Where all knew the same ones, they are as they were; else what depends on the whole list is
    left out.

    >>> from phoenix.data.histograms import of_categories
    >>> day = {"action": of_categories({"like": 2, "click": 3, "(none)": 5})}
    >>> old = Measured(day, frozenset({"like", "click"}))
    >>> new = Measured(day, frozenset({"like", "share"}))
    >>> [dict(each["action"].counts) for each in of_common_actions([old, new])]
    [{'like': 2}, {'like': 2}]
    """
    if len({part.actions for part in parts}) <= 1:
        return [part.histograms for part in parts]
    common = frozenset.intersection(*(part.actions for part in parts))
    return [
        {
            name: _only(histogram, common) if name in _BY_ACTION else histogram
            for name, histogram in part.histograms.items()
            if name != _OF_ANY_ACTION
        }
        for part in parts
    ]


def _only(histogram: Histogram, names: frozenset[str]) -> Histogram:
    return Histogram({name: n for name, n in histogram.counts.items() if name in names})
