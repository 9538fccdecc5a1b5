"""Distances of the distributions of a day from others, and the limits above which they alarm.

The limits are calibrated on history: the distance of a day is compared with the distances that
earlier days had, each measured on its day and kept in its artifact. A floor keeps changes that are
too small to matter from being reported, however quiet the history was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components.settings.quality import BaselineConfig
from phoenix.data import histograms, prediction
from phoenix.data.histograms import DISTANCES, Histogram


@dataclass(frozen=True)
class Comparison:
    """One distance of one variable."""

    variable: str
    measure: str  # psi, jensen_shannon or l_infinity
    value: float
    limit: float | None  # None while there is too little history

    @property
    def name(self) -> str:
        """`variable/measure`."""
        return f"{self.variable}/{self.measure}"

    @property
    def is_alarm(self) -> bool:
        """Whether the distance is above the limit."""
        return self.limit is not None and self.value > self.limit


def compare(
    reference: Mapping[str, Histogram],
    current: Mapping[str, Histogram],
    history: Sequence[Mapping[str, Any]],
    baseline: BaselineConfig,
) -> list[Comparison]:
    """Measures the distances of all variables that both sides have.

    Args:
      reference: What is usual, by variable.
      current: The day, by variable.
      history: Of earlier days, oldest first: what `to_dict` returned.
      baseline: Floors, bins and the share of false alarms.

    Returns:
      The comparisons, by variable and measure in alphabetical order of the variables; those of a
      variable without values on one side are left out.
    """
    floors = {
        "psi": baseline.min_psi,
        "jensen_shannon": baseline.min_jensen_shannon,
        "l_infinity": baseline.min_l_infinity,
    }
    comparisons = []
    for variable in sorted(reference.keys() & current.keys()):
        pair = reference[variable], current[variable]
        if not all(histogram.total for histogram in pair):
            continue
        bins = histograms.aligned(*pair, num_bins=baseline.num_bins)
        for measure, distance in DISTANCES.items():
            name = f"{variable}/{measure}"
            earlier = [day[name]["value"] for day in history if name in day]
            # Rounded here, so that what is judged is what later days read.
            value = float(f"{distance(bins.reference, bins.current):.6g}")
            limit = _limit(earlier, floors[measure], baseline)
            comparisons.append(Comparison(variable, measure, value, limit))
    return comparisons


def to_dict(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Returns comparisons as JSON-able values by name, as days keep them for later ones.

    >>> to_dict([Comparison("surface", "psi", 0.01, None)])["surface/psi"]["value"]
    0.01
    """
    return {each.name: asdict(each) for each in comparisons}


def _limit(earlier: Sequence[float], floor: float, baseline: BaselineConfig) -> float | None:
    """Returns the one-sided limit of the next distance, if there is history enough."""
    if len(earlier) < baseline.min_days:
        return None
    both_sides = 2 * baseline.false_alarm_rate  # only the upper one counts
    _, high = prediction.interval(earlier, prediction.DISTANCE, false_alarms=both_sides)
    return float(f"{max(floor, high):.6g}")
