"""Limits of the next value of a series, from its values so far, with a rate of false alarms."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A scale on which values of one kind scatter about as a normal distribution does."""

    forward: Callable[[float], float]
    back: Callable[[float], float]  # The inverse, within the values that the kind may have.


def _from_share(share: float) -> float:
    """The angle of a share: between 0 and pi / 2, whatever comes."""
    return math.asin(math.sqrt(min(max(share, 0.0), 1.0)))


def _to_share(angle: float) -> float:
    return math.sin(min(max(angle, 0.0), math.pi / 2)) ** 2


def _to_count(logarithm: float) -> float:
    return max(0.0, math.expm1(min(logarithm, 700.0)))  # beyond is no float


# Changes of counts and times are factors. The variance of the angle of a share does not depend on
# the share (Bartlett, 1936). The cube root of a chi-square, to which the distances of two equal
# distributions are proportional, is about normal (Wilson and Hilferty, 1931).
COUNT = Scale(math.log1p, _to_count)
SHARE = Scale(_from_share, _to_share)
DISTANCE = Scale(math.cbrt, lambda root: root**3)


def interval(values: Sequence[float], scale: Scale, *, false_alarms: float) -> tuple[float, float]:
    """Returns the limits between which the next value lies, if nothing has changed.

    `mean ± t(1 - false_alarms / 2, n - 1) s sqrt(1 + 1 / n)` on the scale of the values: Hahn and
    Meeker, Statistical Intervals (1991), the prediction interval for one future observation.

    Args:
      values: n of the past, at least two; each on its own, none of it twice.
      scale: Of the values.
      false_alarms: Share of values outside although nothing has changed; half on each side.

    >>> [round(limit) for limit in interval([90, 100, 110], COUNT, false_alarms=0.05)]
    [60, 164]
    """
    from scipy.special import stdtrit  # quick to import, unlike scipy.stats

    number = len(values)
    points = [scale.forward(value) for value in values]
    mean = math.fsum(points) / number
    variance = math.fsum((point - mean) ** 2 for point in points) / (number - 1)
    # Student's, not the normal one: of few days the spread is itself a guess.
    quantile = float(stdtrit(number - 1, 1 - false_alarms / 2))
    half = quantile * math.sqrt(variance * (1 + 1 / number))
    return scale.back(mean - half), scale.back(mean + half)
