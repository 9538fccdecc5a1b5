"""What releases earned is told where people look, with the way back."""

import pytest

from components.cli.doctor import store as doctor
from components.earnings import history
from tests.components.earnings.served_days import ServedDays, fallen


@pytest.fixture
def days(tmp_path) -> ServedDays:
    return ServedDays.new(tmp_path)


def test_a_release_that_surely_earns_less_is_told_with_the_way_back(days) -> None:
    published = fallen(days)
    against = days.measured("2026-01-05").facts["releases"][0]["comparison"]
    assert against["verdict"] == "surely less"
    assert against["days"] == 1
    assert against["gain"] == pytest.approx(-0.3, abs=0.06)
    before = days.measured("2026-01-04").facts["releases"][0]
    assert before["comparison"] is None  # the models of the day before: nothing came before them
    loss = history.loss(days.store)
    assert loss is not None
    assert loss.before == published[1][0]
    command = f"phoenix releases rollback {published[1][0].digest[:12]} --reason"
    assert command in loss.advice
    (finding,) = [
        each for each in doctor.store_findings(days.config, deep=False) if each.check == "earnings"
    ]
    assert (finding.severity, command in finding.advice) == ("warning", True)
    summary = history.summary(history.by_release(days.store)[published[2][0].digest])
    assert summary["impressions"] == 600


def test_days_that_were_summed_with_other_weights_are_not_compared(days) -> None:
    fallen(days)
    days.path.write_text(days.path.read_text().replace("weight: 2.0", "weight: 3.0"))
    days.measure("2026-01-05")
    assert days.measured("2026-01-05").facts["releases"][0]["comparison"] is None
    assert history.loss(days.store) is None
