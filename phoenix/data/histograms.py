"""Histograms that can be added up, and how far two of them are apart.

Numbers are counted in the cells of one grid that is the same for all days: the sign, the exponent
and the first three bits of the fraction of a float32, so eight cells from a number to its double.
The histogram of several days is therefore the exact sum of theirs, whatever is compared later, and
the quantile bins of a comparison follow from the reference alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

_DROPPED_BITS = 20  # of the 23 bits of the fraction
_NUM_CELLS = 1 << 11  # of numbers from 0 on


@dataclass(frozen=True)
class Histogram:
    """The counts of values, by name; those of numbers by the cell of the grid."""

    counts: Mapping[str, int]
    is_number: bool = False

    @property
    def total(self) -> int:
        """The number of values.

        >>> of_categories({"like": 3, "hide": 1, "share": 0}).total
        4
        """
        return sum(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Returns what `from_dict` reads."""
        return {"is_number": self.is_number, "counts": dict(self.counts)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Histogram":
        """Reads what `to_dict` returned."""
        return cls(dict(content["counts"]), content["is_number"])


class Aligned(NamedTuple):
    """Two histograms on the bins of the first."""

    labels: Sequence[str]  # K
    reference: np.ndarray  # [K] int64
    current: np.ndarray  # [K] int64


def of_categories(counts: Mapping[str, int]) -> Histogram:
    """Returns the histogram of counted categories; those that did not occur are left out."""
    return Histogram({name: int(n) for name, n in sorted(counts.items()) if n})


def of_numbers(values: np.ndarray, weights: np.ndarray | None = None) -> Histogram:
    """Counts numbers in the cells of the grid.

    Args:
      values: `[L]`; what is not above 0 counts as 0.
      weights: `[L]` int64: how often each occurred; once if None.

    >>> of_numbers(np.array([0.0, 1.0, 1.01, 2.0])).counts
    {'0': 1, '1016': 2, '1024': 1}
    """
    # The bits of positive floats are in the order of the floats, so a shift makes ascending cells.
    positive = np.where(values > 0, values, 0).astype(np.float32)
    cells = positive.view(np.int32) >> _DROPPED_BITS
    counts = np.bincount(cells, weights, minlength=_NUM_CELLS).astype(np.int64)
    return Histogram({str(cell): int(counts[cell]) for cell in np.flatnonzero(counts)}, True)


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """Adds histograms up to that of all values together.

    Raises:
      ValueError: If there is none, or numbers are added to categories.

    >>> merge([of_categories({"like": 3}), of_categories({"hide": 1, "like": 1})]).counts
    {'hide': 1, 'like': 4}
    """
    counts: dict[str, int] = {}
    kinds = set()
    for histogram in histograms:
        kinds.add(histogram.is_number)
        for key, count in histogram.counts.items():
            counts[key] = counts.get(key, 0) + count
    if len(kinds) != 1:
        raise ValueError(f"Expected histograms of one kind, got {len(kinds)} kinds.")
    return Histogram(dict(sorted(counts.items())), kinds.pop())


def aligned(reference: Histogram, current: Histogram, *, num_bins: int) -> Aligned:
    """Puts two histograms on common bins.

    The bins of numbers are quantiles of the reference, as near as its cells allow; those of
    categories are all that occur in either.

    Args:
      reference: With which to compare; must not be empty.
      current: What is compared.
      num_bins: Most bins of numbers.

    >>> days = [of_numbers(np.array(day)) for day in ([1.0, 2.0, 4.0, 8.0], [1.0, 1.0, 9.0])]
    >>> both = aligned(*days, num_bins=2)
    >>> both.labels, both.reference.tolist(), both.current.tolist()
    (['0', '4'], [2, 2], [2, 1])
    """
    if not reference.is_number:
        names = sorted(reference.counts.keys() | current.counts.keys(), key=_natural)
        both = [[h.counts.get(name, 0) for name in names] for h in (reference, current)]
        return Aligned(names, *(np.array(counts, np.int64) for counts in both))
    cells = np.array(sorted(map(int, reference.counts)))
    counts = np.array([reference.counts[str(cell)] for cell in cells])
    # A cell goes whole to the quantile in which the middle of its values lies. The current
    # histogram has no say, so that the bins are the same for every day that is compared.
    middle_rank = (np.cumsum(counts) - counts / 2) / counts.sum()
    is_edge = np.diff(np.floor(middle_rank * num_bins)) > 0
    edges = cells[1:][is_edge]  # the first bin begins at 0
    both = [_bin_counts(h, edges) for h in (reference, current)]
    lower = [0.0, *(_lower_edge(cell) for cell in edges)]
    return Aligned([f"{edge:g}" for edge in lower], *both)


def population_stability_index(reference: np.ndarray, current: np.ndarray) -> float:
    """Sum over the bins of `(q - p) ln(q / p)`: 0 if equal, without an upper limit.

    Siddiqi, Credit Risk Scorecards (2006), where below 0.1 is no change and above 0.25 a large
    one. Half a count is added to every bin, so that an empty one is no infinity.

    Args:
      reference: `[K]` counts, from which p.
      current: `[K]` counts, from which q.

    >>> round(population_stability_index(np.array([80, 20]), np.array([20, 80])), 3)
    1.625
    """
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (reference, current))
    return float(np.sum((q - p) * np.log(q / p)))


def jensen_shannon(reference: np.ndarray, current: np.ndarray) -> float:
    """Entropy of the mean less the mean of the entropies, in bits: 0 if equal, 1 if disjoint.

    Lin, Divergence Measures Based on the Shannon Entropy, IEEE Trans. Inf. Theory 37 (1991).

    Args:
      reference: `[K]` counts.
      current: `[K]` counts.

    >>> jensen_shannon(np.array([5, 0]), np.array([0, 9]))
    1.0
    """
    p, q = _shares(reference), _shares(current)
    entropy = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return max(0.0, entropy)  # Equal distributions may come out below 0 by a rounding.


def l_infinity(reference: np.ndarray, current: np.ndarray) -> float:
    """The largest difference of the shares of any bin: 0 if equal, at most 1.

    Breck et al., Data Validation for Machine Learning, MLSys (2019).

    Args:
      reference: `[K]` counts.
      current: `[K]` counts.

    >>> l_infinity(np.array([1, 1, 2]), np.array([2, 2, 0]))
    0.5
    """
    return float(np.max(np.abs(_shares(reference) - _shares(current)), initial=0.0))


DISTANCES = {
    "psi": population_stability_index,
    "jensen_shannon": jensen_shannon,
    "l_infinity": l_infinity,
}


def _bin_counts(histogram: Histogram, edges: np.ndarray) -> np.ndarray:
    """`[K]` int64 counts of numbers in bins that begin at cell 0 and at each of the K - 1 edges."""
    cells = np.array([int(cell) for cell in histogram.counts], np.int64)
    counts = np.array(list(histogram.counts.values()), np.int64)
    bins = np.searchsorted(edges, cells, side="right")
    return np.bincount(bins, counts, minlength=len(edges) + 1).astype(np.int64)


def _lower_edge(cell: int) -> float:
    """The smallest number of a cell."""
    return float(np.array(cell << _DROPPED_BITS, np.int32).view(np.float32))


def _natural(name: str) -> tuple[bool, int, str]:
    """Sorts whole numbers by value, before everything else."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def _shares(counts: np.ndarray) -> np.ndarray:
    """`[K]` shares of their sum; zeros of nothing."""
    return counts / max(counts.sum(), 1)


def _entropy(shares: np.ndarray) -> float:
    """Entropy in bits; an exact sum, so that the order of the bins does not matter."""
    present = shares[shares > 0]
    return -math.fsum(present * np.log2(present))
