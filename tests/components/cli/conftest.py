import pytest

from components.contract import ExitCode
from tests.components.cli.refused_day import KUAIRAND, LIMITS


@pytest.fixture
def refused(deployment, row):
    """A day with three bad rows of eight, which is more than allowed."""
    deployment.configure(KUAIRAND + LIMITS % 5)
    rows = [row(n, user_id=100 + n) for n in range(5)]
    bad = [row(6, user_id=777, tab=7), row(7, user_id=777, tab=9), row(8, play_time_ms="long")]
    deployment.log([*rows, *bad])
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    assert deployment.run("validate_events")[0] == ExitCode.BAD_DATA
    return deployment
