import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix.data import histograms
from phoenix.data.histograms import Histogram

NUMBERS = st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=60)
COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12)


def slow_cell(value: float) -> int:
    """The cell of a number by comparison with the lower edges, without looking at bits."""
    edges = [float(np.int32(cell << 20).view(np.float32)) for cell in range(2040)]
    return max(cell for cell, edge in enumerate(edges) if edge <= value)


def pair(counts: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    reference, current = np.array(counts).T
    return reference, current


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_the_histogram_of_all_days_is_the_sum_of_theirs(days: list[list[float]]) -> None:
    whole = histograms.of_numbers(np.array([value for day in days for value in day]))
    assert histograms.merge(histograms.of_numbers(np.array(day)) for day in days).counts == (
        whole.counts
    )


@pytest.mark.parametrize("value", [0.0, 1e-30, 0.1, 0.999, 1.0, 1.124, 1.125, 7.3, 86_400.0, 3e38])
def test_a_number_is_in_the_cell_whose_edges_enclose_it(value: float) -> None:
    assert histograms.of_numbers(np.array([value])).counts == {str(slow_cell(value)): 1}


def test_what_is_no_positive_number_counts_as_nothing() -> None:
    assert histograms.of_numbers(np.array([-1.0, -0.0, 0.0, np.nan])).counts == {"0": 4}


def test_weights_are_repetitions() -> None:
    values = np.array([1.0, 5.0, 5.1])
    weighted = histograms.of_numbers(values, np.array([2, 1, 3]))
    assert weighted == histograms.of_numbers(np.repeat(values, [2, 1, 3]))


@given(NUMBERS, NUMBERS, st.integers(1, 12))
def test_bins_are_ranges_that_lose_nothing_and_follow_the_reference_alone(
    before: list[float], now: list[float], num_bins: int
) -> None:
    reference, current = (histograms.of_numbers(np.array(values)) for values in (before, now))
    both = histograms.aligned(reference, current, num_bins=num_bins)
    assert (both.reference.sum(), both.current.sum()) == (len(before), len(now))
    assert len(both.labels) <= num_bins
    alone = histograms.aligned(reference, reference, num_bins=num_bins)
    assert alone.labels == both.labels
    # Smaller numbers are never in a later bin than larger ones.
    one_by_one = [
        histograms.aligned(reference, histograms.of_numbers(np.array([v])), num_bins=num_bins)
        for v in sorted(now)
    ]
    places = [int(np.argmax(each.current)) for each in one_by_one]
    assert places == sorted(places)


def test_bins_of_many_different_numbers_hold_about_the_same_share() -> None:
    values = np.random.default_rng(0).lognormal(1, 1, 50_000)
    reference = histograms.of_numbers(values)
    both = histograms.aligned(reference, reference, num_bins=10)
    assert len(both.labels) == 10
    assert both.reference.min() > 0.5 * len(values) / 10


def test_categories_of_both_sides_are_bins() -> None:
    left = histograms.of_categories({"10": 1, "2": 3, "x": 0})
    both = histograms.aligned(left, histograms.of_categories({"other": 4}), num_bins=2)
    assert both.labels == ["2", "10", "other"]
    assert (both.reference.tolist(), both.current.tolist()) == ([3, 1, 0], [0, 0, 4])


def test_numbers_and_categories_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="one kind"):
        histograms.merge([Histogram({"1": 1}), Histogram({"1": 1}, True)])


@given(COUNTS)
def test_distances_are_those_of_their_definitions(counts: list[tuple[int, int]]) -> None:
    reference, current = pair(counts)
    a, b, k = max(reference.sum(), 1), max(current.sum(), 1), len(counts)
    psi = js = largest = 0.0
    for n, m in counts:
        p, q = (n + 0.5) / (reference.sum() + k / 2), (m + 0.5) / (current.sum() + k / 2)
        psi += (q - p) * math.log(q / p)
        p, q = n / a, m / b
        for share in (p, q):  # half of each Kullback-Leibler divergence from the middle
            js += share * math.log2(2 * share / (p + q)) / 2 if share else 0.0
        largest = max(largest, abs(p - q))
    assert histograms.population_stability_index(reference, current) == pytest.approx(psi)
    assert histograms.l_infinity(reference, current) == pytest.approx(largest)
    if reference.any() and current.any():
        assert histograms.jensen_shannon(reference, current) == pytest.approx(js, abs=1e-12)


@given(COUNTS)
def test_distances_are_symmetric_and_zero_between_equals(counts: list[tuple[int, int]]) -> None:
    reference, current = pair(counts)
    for distance in histograms.DISTANCES.values():
        assert distance(reference, reference) == pytest.approx(0, abs=1e-12)
        there, back = distance(reference, current), distance(current, reference)
        assert there == pytest.approx(back, abs=1e-12)
        assert there >= 0


def test_what_has_nothing_in_common_is_as_far_apart_as_can_be() -> None:
    reference, current = np.array([5, 0]), np.array([0, 7])
    assert histograms.jensen_shannon(reference, current) == 1
    assert histograms.l_infinity(reference, current) == 1


@given(NUMBERS)
def test_a_histogram_survives_json(values: list[float]) -> None:
    histogram = histograms.of_numbers(np.array(values))
    assert Histogram.from_dict(histogram.to_dict()) == histogram
    assert histogram.total == len(values)


@given(NUMBERS, NUMBERS, st.integers(1, 12))
def test_a_bin_holds_what_is_not_below_its_lower_edge_and_below_the_next(
    before: list[float], now: list[float], num_bins: int
) -> None:
    reference, current = (histograms.of_numbers(np.array(values)) for values in (before, now))
    edges = [
        min(float(np.int32(cell << 20).view(np.float32)) for cell in map(int, part))
        for part in _cells_by_bin(reference, num_bins)
    ]
    both = histograms.aligned(reference, current, num_bins=num_bins)
    expected = [sum(value >= edge for value in now) for edge in [0.0, *edges[1:]]]
    counts = [low - high for low, high in zip(expected, [*expected[1:], 0], strict=True)]
    assert both.current.tolist() == counts


def _cells_by_bin(reference: Histogram, num_bins: int) -> list[list[str]]:
    """The cells of the reference by the quantile in which their middle lies."""
    total, below = reference.total, 0
    found: dict[int, list[str]] = {}
    for cell in sorted(reference.counts, key=int):
        middle = (below + reference.counts[cell] / 2) / total
        found.setdefault(math.floor(middle * num_bins), []).append(cell)
        below += reference.counts[cell]
    return list(found.values())
