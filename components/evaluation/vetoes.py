"""Vetoes: what keeps a model from release however it compares with the champion on the whole.

Each is judged on the day itself, on the users who decide. Where several things of a kind are looked
at, the error that is allowed is shared out among them by Bonferroni: whether there is any veto is
then the same as by Holm's procedure, whose first step it is, and every one has an interval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components.evaluation.results import Result, UserCalibration
from components.settings.steps import EvaluateConfig
from phoenix.metrics.by_user import UserValues
from phoenix.metrics.evidence import Evidence

Interval = tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Veto:
    """One veto, with the numbers on which it rests."""

    reason: str
    about: str  # a baseline, a slice, or an action
    value: float  # of the model
    limit: float  # beyond which the interval lies
    interval: Interval
    users: int
    looked_at: int  # things of this kind, among which the allowed error was shared out

    def __str__(self) -> str:
        """The reason with its numbers."""
        interval = self.interval
        ends = "" if interval is None else f" ({interval[0]:+.4f} to {interval[1]:+.4f}"
        shared = f", one of {self.looked_at} looked at" if self.looked_at > 1 else ""
        return self.reason + (f"{ends}{shared})" if ends else "")

    def to_json(self) -> dict[str, Any]:
        """Returns the veto as JSON-able values."""
        return asdict(self)


def of(section: EvaluateConfig, name: str, results: Mapping[str, Result]) -> list[Veto]:
    """Returns the vetoes on a model; often none.

    Args:
      section: The settings of the gate.
      name: Of the model among the results.
      results: Of those users who decide.
    """
    own = results.get(name)
    if own is None:
        return []
    found = _of_baselines(section, own, results)
    champion = results.get("champion")
    if section.veto_worse_slice and champion is not None:
        found += _of_slices(section, own, champion)
    if section.veto_calibration:
        found += _of_calibration(section, own)
    if section.veto_negative_actions and champion is not None:
        found += _of_negative_actions(section, own, champion)
    return found


def _of_baselines(
    section: EvaluateConfig, own: Result, results: Mapping[str, Result]
) -> list[Veto]:
    """Returns the vetoes on a model that is no better than a baseline."""
    conditions: tuple[tuple[bool, str, str, Callable[[Interval], bool]], ...] = (
        (
            section.veto_not_above_random,
            "random",
            "not surely above random",
            lambda interval: interval is None or interval[0] <= 0,
        ),
        (
            section.veto_below_most_popular,
            "most_popular",
            "surely below most popular",
            lambda interval: interval is not None and interval[1] < 0,
        ),
    )
    found = []
    for is_asked, name, reason, speaks in conditions:
        other = results.get(name)
        pair = None if other is None else _pair(own.by_user, other.by_user)
        if not is_asked or pair is None:
            continue
        interval = pair.interval(section.confidence)
        if speaks(interval):
            found.append(_veto(reason, name, pair, 0.0, interval, num_looks=1))
    return found


def _of_slices(section: EvaluateConfig, own: Result, champion: Result) -> list[Veto]:
    """Returns the vetoes on a model that is surely worse in a slice than by the margin."""
    pairs = _pairs(section, own.slices, champion.slices)
    found = []
    for name, pair in pairs.items():
        limit = -section.slice_margin * champion.slices[name].mean
        interval = pair.interval(_shared(section, len(pairs)))
        if interval is not None and interval[1] < limit:
            reason = f"surely worse by more than {section.slice_margin:.1%} of the champion: {name}"
            found.append(_veto(reason, name, pair, limit, interval, num_looks=len(pairs)))
    return found


def _of_negative_actions(section: EvaluateConfig, own: Result, champion: Result) -> list[Veto]:
    """Returns the vetoes on a model that surely shows what people dislike further up."""
    pairs = _pairs(section, own.negatives, champion.negatives)
    found = []
    for name, pair in pairs.items():
        interval = pair.interval(_shared(section, len(pairs)))
        if interval is not None and interval[0] > section.negative_margin:
            reason = f"posts with {name} are surely ranked higher than by the champion"
            limit = section.negative_margin
            found.append(_veto(reason, name, pair, limit, interval, num_looks=len(pairs)))
    return found


def _of_calibration(section: EvaluateConfig, own: Result) -> list[Veto]:
    """Returns the vetoes on a model whose predictions are surely too high or too low on the whole.

    The ratio of predictions to actions is surely above a limit exactly if the predictions, less the
    limit times the actions, are surely above 0: a mean over users, as all evidence is.
    """
    measured = {
        name: each
        for name, each in own.calibration.items()
        # Of a rare action, a mean over users is known badly, however many users there are.
        if np.count_nonzero(each.observed) >= section.min_users
    }
    found = []
    for name, each in measured.items():
        for limit, words, sign in (
            (section.calibration_limits[0], "too low", -1),
            (section.calibration_limits[1], "too high", 1),
        ):
            interval = _beyond(each, limit).interval(_shared(section, len(measured)))
            if interval is not None and sign * interval[sign < 0] > 0:
                ratio = float(each.predicted.sum() / each.observed.sum())
                reason = f"predictions of {name} are surely {words}, {ratio:.2f} times what was"
                found.append(
                    Veto(
                        reason=f"{reason}, against {limit:g}",
                        about=name,
                        value=ratio,
                        limit=limit,
                        interval=interval,
                        users=len(each.user_ids),
                        looked_at=len(measured),
                    )
                )
    return found


def _beyond(each: UserCalibration, limit: float) -> Evidence:
    """Returns the predictions less a limit times the actions, by user, per impression."""
    return Evidence(each.user_ids, each.predicted - limit * each.observed, each.weights, 1)


def _shared(section: EvaluateConfig, num_looks: int) -> float:
    """Returns the confidence of each of some intervals that together have that of the gate."""
    return 1 - (1 - section.confidence) / max(num_looks, 1)


def _pairs(
    section: EvaluateConfig, own: Mapping[str, UserValues], champion: Mapping[str, UserValues]
) -> dict[str, Evidence]:
    """Returns the differences of both models in everything that enough users say something of."""
    pairs = {
        name: _pair(values, champion[name]) for name, values in own.items() if name in champion
    }
    return {
        name: pair
        for name, pair in pairs.items()
        if pair is not None and len(pair.user_ids) >= section.min_users
    }


def _pair(own: UserValues | None, other: UserValues | None) -> Evidence | None:
    if own is None or other is None or not len(own.user_ids):
        return None
    return Evidence.of_day(own, other)


def _veto(
    reason: str, about: str, pair: Evidence, limit: float, interval: Interval, *, num_looks: int
) -> Veto:
    return Veto(
        reason=reason,
        about=about,
        value=pair.mean,
        limit=limit,
        interval=interval,
        users=len(pair.user_ids),
        looked_at=num_looks,
    )


def sentence(vetoes: Sequence[Veto]) -> str:
    """Returns the vetoes in words."""
    return "; ".join(map(str, vetoes))
