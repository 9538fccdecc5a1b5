"""Recorded cases of the public models, for the tests of this package."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.phoenix.golden_case import GoldenCase, load


@pytest.fixture(scope="session")
def golden(shared_data: Callable[[str], Path]) -> GoldenCase:
    """The recorded public models; the test is skipped by name where they are missing."""
    return load(shared_data)
