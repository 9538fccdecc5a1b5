import datetime
from typing import Any

import numpy as np
import pytest

from components.features import statistics
from components.quality import drift
from components.settings.quality import BaselineConfig
from phoenix.data import histograms
from phoenix.data.histograms import DISTANCES, Histogram
from phoenix.data.population import WorldConfig
from phoenix.data.synthetic import World

BASELINE = BaselineConfig()
NO_FLOOR = BaselineConfig(min_psi=0, min_jensen_shannon=0, min_l_infinity=0)
FIRST = datetime.date(2026, 1, 1)


def world_days(seed: int, num_days: int, rows: int = 1_500) -> list[dict[str, Histogram]]:
    """Days of a world in which nothing changes but what every day brings."""
    config = WorldConfig(
        first_day=FIRST,
        actions=("favorite", "click", "share", "not_interested"),
        num_users=300,
        num_authors=30,
        num_posts=300,
        num_posts_per_day=10,
        impressions_per_day=rows,
        seed=seed,
    )
    world, days = World(config), []
    for number in range(num_days):
        seen = world.impressions(FIRST + datetime.timedelta(days=number))
        names, counts = np.unique(seen.surfaces, return_counts=True)
        hours = np.bincount(seen.shown_at % 86_400_000 // 3_600_000, minlength=24)
        _, per_user = np.unique(seen.user_ids, return_counts=True)
        actions = {
            str(a): int((seen.actions >> np.uint64(a) & np.uint64(1)).sum()) for a in range(4)
        }
        surfaces = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
        days.append(
            {
                "action": histograms.of_categories(actions),
                "surface": histograms.of_categories(surfaces),
                "hour": histograms.of_categories({str(h): int(n) for h, n in enumerate(hours)}),
                "dwell_seconds": histograms.of_numbers(seen.dwell_seconds),
                "delay_seconds": histograms.of_numbers((seen.ingested_at - seen.shown_at) / 1e3),
                "rows_per_user": histograms.of_numbers(per_user),
            }
        )
    return days


def replayed(
    days: list[dict[str, Histogram]], baseline: BaselineConfig, trained_every: int = 1
) -> list[list]:
    """The comparisons of every day, each with the days before the last training alone."""
    recorded: list[dict[str, Any]] = []
    found = []
    for number, day in enumerate(days):
        before = slice(max(0, number - baseline.days), number)
        trained = number // trained_every * trained_every
        comparisons = []
        if trained:
            reference = statistics.merge(days[max(0, trained - baseline.days) : trained])
            comparisons = drift.compare(reference, day, recorded[before], baseline)
        recorded.append(drift.to_dict(comparisons))
        found.append(comparisons)
    return found


def test_a_distance_is_that_of_all_earlier_days_together() -> None:
    days = world_days(1, 3)
    reference = statistics.merge(days[:2])
    for each in drift.compare(reference, days[2], [], BASELINE):
        whole = histograms.merge(day[each.variable] for day in days[:2])
        both = histograms.aligned(whole, days[2][each.variable], num_bins=10)
        expected = DISTANCES[each.measure](both.reference, both.current)
        assert each.value == pytest.approx(expected, rel=1e-5)
        assert each.limit is None
        assert not each.is_alarm


def test_without_enough_history_nothing_is_judged() -> None:
    limits = [{each.limit for each in day} for day in replayed(world_days(2, 6), BASELINE)]
    assert limits[:4] == [set(), {None}, {None}, {None}]
    assert None not in limits[4]


def test_planted_drift_is_told_on_its_day_and_by_its_name() -> None:
    days = world_days(3, 12)
    surfaces = days[-1]["surface"].counts
    shifted = {"0": surfaces["0"] // 3, "1": surfaces["1"] + 2 * surfaces["0"] // 3, "2": 9}
    longer = np.random.default_rng(0).lognormal(2.5, 0.7, 1_500)
    days[-1] |= {
        "surface": histograms.of_categories(shifted),
        "dwell_seconds": histograms.of_numbers(longer),
    }
    *quiet, last = replayed(days, BASELINE)
    assert sum(each.is_alarm for day in quiet for each in day) <= 1
    assert {each.name for each in last if each.is_alarm} == {
        f"{variable}/{measure}"
        for variable in ("surface", "dwell_seconds")
        for measure in DISTANCES
    }


def test_a_change_too_small_to_matter_is_no_alarm_however_quiet_the_history() -> None:
    usual = {"surface": histograms.of_categories({"0": 70_000, "1": 30_000})}
    slightly = {"surface": histograms.of_categories({"0": 69_000, "1": 31_000})}
    days = [usual] * 8 + [slightly]
    assert any(each.is_alarm for each in replayed(days, NO_FLOOR)[-1])
    assert not any(each.is_alarm for each in replayed(days, BASELINE)[-1])


def test_variables_that_one_side_lacks_are_not_compared() -> None:
    days = world_days(4, 2)
    del days[1]["hour"]
    empty = days[0] | {"surface": Histogram({})}
    names = {each.variable for each in drift.compare(empty, days[1], [], BASELINE)}
    assert names == {"action", "dwell_seconds", "delay_seconds", "rows_per_user"}


@pytest.mark.slow
@pytest.mark.parametrize("trained_every", [1, 7])
def test_false_alarms_are_as_rare_as_was_asked_for(trained_every: int) -> None:
    """Nothing changes here; by the calibrated limits alone, and with the floors of the defaults.

    The days before are those of the drift between days, the days before the last training those of
    the drift from what the live model was trained on.
    """
    alarms = {"limits": 0, "floors": 0}
    judged = 0
    for seed in range(20):
        days = world_days(100 + seed, 60)
        for name, baseline in (("limits", NO_FLOOR), ("floors", BASELINE)):
            compared = replayed(days, baseline, trained_every)
            found = [each for day in compared for each in day if each.limit]
            alarms[name] += sum(each.is_alarm for each in found)
        judged += len(found)
    assert judged > 17_000
    assert alarms["limits"] / judged < 0.002, alarms
    assert alarms["floors"] <= alarms["limits"]
