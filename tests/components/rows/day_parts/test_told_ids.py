"""Late rows whose events another day has told of, through the real steps."""

import random

import pytest

from tests.components.day_log import DayLog
from tests.components.rows.test_source_ids import (
    FIRST,
    KINDS,
    SECOND,
    STEPS,
    THIRD,
    configure,
    write,
)


@pytest.fixture
def log(tmp_path, capsys) -> DayLog:
    return DayLog(tmp_path, capsys)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_that_comes_again_with_a_time_before_is_a_repeat_for_that_day(
    log: DayLog, kind: str
) -> None:
    configure(log, kind)
    write(log, FIRST, f"1,5,{FIRST}T10:00:00,0,a")
    own = [f"1,6,{SECOND}T10:00:00,0,b", f"1,8,{SECOND}T12:00:00,0,c"]
    # c arrives beside its own row; of e nothing but a broken row was told.
    write(log, SECOND, *own, f"1,9,{FIRST}T20:00:00,1,c", f"0,9,{SECOND}T20:00:00,0,e")
    late = [f"1,{n},{FIRST}T1{n}:00:00,1,{own_id}" for n, own_id in ((6, "b"), (7, "d"), (8, "e"))]
    write(log, THIRD, *late, f"1,6,{THIRD}T10:00:00,0,f")
    log.run_days(FIRST, SECOND, THIRD, steps=STEPS)
    log.run_days(FIRST, steps=STEPS)
    assert sorted(log.accepted_posts(FIRST)) == [5, 7, 8]
    assert sorted(log.accepted_posts(SECOND)) == [6, 8]
    facts = log.facts("validate_events", FIRST)
    assert (facts["rows_in"], facts["duplicate_exact"]) == (5, 2)
    if kind == "actions":
        labels = [log.facts("validate_events", day)["labels"] for day in (SECOND, THIRD)]
        assert labels == [0, 2], "nor is a repeat a label of another impression"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 9))]
)
def test_each_event_counts_once_where_it_arrived_first_in_whatever_order_days_are_run(
    log: DayLog, kind: str, seed: int
) -> None:
    configure(log, kind)
    days, draw = [FIRST, SECOND, THIRD], random.Random(seed)
    first: dict[str, tuple[int, int, int]] = {}
    rows: dict[str, list[str]] = {day: [] for day in days}
    for place in range(60):
        arrival = draw.randrange(3)
        day = draw.choice([arrival, draw.randrange(arrival + 1)])
        user, own_id = draw.randrange(1, 4), draw.randrange(20)
        # Each row has a time and a post of its own, so that nothing but ids makes it a repeat.
        time = f"{days[day]}T{draw.randrange(1, 23):02d}:{place:02d}:00"
        rows[days[arrival]].append(f"{user},{place + 1},{time},0,e-{user}-{own_id}")
        rank = (arrival, -day, place)
        first[f"{user}-{own_id}"] = min(first.get(f"{user}-{own_id}", rank), rank)
    for day in days:
        write(log, day, *rows[day])
    log.run_days(*days, steps=STEPS[:1])
    log.run_days(*(days if kind == "actions" else draw.sample(days, 3)), steps=STEPS[1:])
    log.run_days(*days, *days, steps=STEPS)
    accepted = [set(log.accepted_posts(day)) for day in days]
    expected: list[set[int]] = [set(), set(), set()]
    for _, day, place in first.values():
        expected[-day].add(place + 1)
    assert accepted == expected
    ends = [log.store.head("validate_events", day) for day in days]
    log.run_days(*days, steps=STEPS)
    assert [log.store.head("validate_events", day) for day in days] == ends
