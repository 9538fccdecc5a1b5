"""A measure rolls a release back only where it is told to, once, and never past a rollback."""

import pytest

from components.contract import ExitCode
from components.earnings import history
from components.release import releases
from tests.components.earnings.served_days import MANY, ServedDays, fallen, ms, watched


@pytest.fixture
def days(tmp_path) -> ServedDays:
    return ServedDays.new(tmp_path)


def test_it_rolls_back_by_itself_only_where_configured_and_once(days) -> None:
    published = fallen(days)
    assert releases.live(days.store).release == published[3][0]
    days.path.write_text(days.path.read_text() + "measure_feeds: {roll_back: true}\n")
    assert days.measure("2026-01-04")[0] == ExitCode.NOTHING_TO_DO  # not the newest day
    watched(days, "2026-01-06", 0.3, seed=6)
    assert days.measure("2026-01-05")[0] == ExitCode.NOTHING_TO_DO  # nor is this
    assert releases.live(days.store).release == published[3][0]
    watched(days, "2026-01-05", 0.3, seed=5)
    assert days.measure("2026-01-06")[0] == ExitCode.DONE
    entry = releases.live(days.store).entry
    assert (entry.value["release"]["digest"], entry.actor) == (
        published[1][0].digest,
        "measure_feeds",
    )
    assert set(entry.value["withdrawn"]) == {each[0].digest for each in published[2:]}
    releases.rollback(days.store, published[3][0].digest, "by hand", "ada")
    assert days.measure("2026-01-06")[0] == ExitCode.NOTHING_TO_DO
    assert releases.live(days.store).entry.actor == "ada"


def test_other_models_that_are_live_by_now_are_left_alone(days) -> None:
    fallen(days, live="c")
    days.path.write_text(days.path.read_text() + "measure_feeds: {roll_back: true}\n")
    assert days.measure("2026-01-05")[0] == ExitCode.NOTHING_TO_DO
    assert releases.live(days.store).entry.number == 4


def test_it_never_goes_back_past_a_rollback(days) -> None:
    first = days.release("2026-01-01", MANY)
    second = days.release("2026-01-02", MANY, model="b")
    third = days.release("2026-01-03", MANY, model="c")
    days.go_live(*first, ms("2026-01-01", 23))
    for hour, each in enumerate((second, third)):
        days.go_live(*each, ms("2026-01-03", hour))
    days.go_live(*second, ms("2026-01-03", 2), withdrawn=[third[0].digest])
    days.path.write_text(days.path.read_text() + "measure_feeds: {roll_back: true}\n")
    watched(days, "2026-01-02", 0.6, seed=1)
    days.measure("2026-01-03")
    watched(days, "2026-01-03", 0.1, seed=2)
    days.measure("2026-01-04")
    loss = history.loss(days.store)
    assert loss is not None
    assert loss.before == first[0]
    assert "since a release was rolled back" in loss.advice
    assert releases.live(days.store).release == second[0]
