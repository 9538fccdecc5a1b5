"""The rule of the gate: finite, better, and by enough."""

import math

import pytest

from components.release.decisions import Comparison, judge


def _comparison(candidate: float | None, champion: float | None) -> Comparison:
    return Comparison(
        metric="ndcg@5", candidate=candidate, champion=champion, min_gain=0.01, interval=None
    )


@pytest.mark.parametrize(
    ("candidate", "champion", "is_promoted", "why"),
    [
        (0.52, 0.5, True, "gain +0.0200: at least the required 0.01"),
        (0.505, 0.5, False, "less than the required 0.01"),
        (0.5, 0.5, False, "not better"),
        (0.4, 0.5, False, "gain -0.1000: not better"),
        (math.inf, 0.5, False, "not finite"),
        (math.nan, 0.5, False, "not finite"),
        (None, 0.5, False, "nobody on this day can be measured"),
    ],
)
def test_a_candidate_is_promoted_only_if_it_is_better_by_enough(
    candidate: float | None, champion: float | None, is_promoted: bool, why: str
) -> None:
    promoted, reason = judge(_comparison(candidate, champion), untrained=None)
    assert promoted == is_promoted
    assert why in reason


def test_without_training_nothing_is_promoted() -> None:
    promoted, reason = judge(_comparison(0.9, 0.1), untrained="the first day")
    assert (promoted, reason) == (False, "no candidate: the first day")


def test_equal_is_not_better_even_without_a_required_gain() -> None:
    comparison = Comparison(metric="gauc", candidate=0.5, champion=0.5, min_gain=0.0, interval=None)
    assert not judge(comparison, untrained=None)[0]
