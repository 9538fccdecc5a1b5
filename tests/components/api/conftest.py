from collections.abc import Iterator

import pytest

from tests.components.api.serving_process import Serving, serving


@pytest.fixture(scope="session")
def served(three_days) -> Iterator[Serving]:
    """A server of the three finished days; for reading only."""
    with serving(three_days.path) as server:
        yield server
