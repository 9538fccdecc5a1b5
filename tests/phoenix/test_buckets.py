"""Buckets hold what they are asked to hold, waste little, and are few."""

import hypothesis.strategies as st
from hypothesis import given

from phoenix.buckets import eighths, power_of_two

sizes = st.integers(0, 10**9)


@given(size=sizes, at_least=st.integers(1, 64))
def test_powers_of_two_are_the_smallest_that_fit(size: int, at_least: int) -> None:
    bucket = power_of_two(size, at_least=at_least)
    assert bucket.bit_count() == 1
    assert bucket >= max(size, at_least)
    assert bucket == 1 or bucket // 2 < max(size, at_least)


@given(size=sizes)
def test_eighths_fit_and_add_at_most_an_eighth(size: int) -> None:
    assert size <= eighths(size) <= size + size // 8
    assert eighths(eighths(size)) == eighths(size)


def test_eighths_are_few() -> None:
    assert len({eighths(size) for size in range(1000, 2000)}) <= 10
