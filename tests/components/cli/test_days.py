import datetime

import pytest

from components.cli import days
from components.errors import BadConfigurationError


def test_a_range_is_two_days_or_one() -> None:
    first, last = datetime.date(2026, 1, 1), datetime.date(2026, 3, 31)
    assert days.parse_range("2026-01-01..2026-03-31") == (first, last)
    assert days.parse_range("2026-01-01") == (first, first)


@pytest.mark.parametrize("text", ["", "..2026-01-01", "2026-01-02..2026-01-01", "2026-1-1..2"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BadConfigurationError, match="--days"):
        days.parse_range(text)
