"""Which release is the champion, what is live, and how a rollback takes both back."""

import datetime
import itertools
import json
import shutil
from pathlib import Path

import pytest

from components.contract import ExitCode
from components.errors import BadConfigurationError, BadDataError, TryAgainError
from components.release import releases
from components.store.pointers import Pointer
from tests.components.conftest import CHAIN

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def test_the_champion_is_of_a_day_strictly_before(three_days) -> None:
    store = three_days.store
    assert releases.champion_as_of(store, _day(DAYS[0])) is None
    for before, day in itertools.pairwise(DAYS):
        assert releases.champion_as_of(store, _day(day)).partition == before


def test_a_champion_is_found_without_a_look_at_the_days_around_it(
    world, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases.rollback(world.store, DAYS[1], "bad", actor="ada")
    read, log = [], Pointer.log
    monkeypatch.setattr(Pointer, "log", lambda pointer: read.append(pointer.name) or log(pointer))
    assert releases.champion_as_of(world.store, _day("2026-01-04")).partition == DAYS[1]
    heads = [f"heads/publish_release/{day}" for day in (DAYS[2], DAYS[1])]
    assert read == ["live", *heads], "no day before the champion's"
    assert releases.champion_as_of(world.store, _day(DAYS[1])).partition == DAYS[0]
    assert read[3:] == ["live", f"heads/publish_release/{DAYS[0]}"], "and none after the day"


def test_a_champion_that_is_gone_is_missed_and_a_rollback_goes_on_without_it(world, capsys) -> None:
    shutil.rmtree(Path(world.config.store) / "publish_release" / DAYS[2])
    next_day = "2026-01-04"
    assert set(world.run_day(next_day, CHAIN[:3])) == {0}
    for step in ("train_retrieval", "train_ranker"):  # which would go on from it
        assert world.run(step, next_day) == ExitCode.BAD_DATA
        assert world.run(step, next_day, retrain="never") == 0
    capsys.readouterr()
    assert world.run("evaluate_models", next_day) == ExitCode.BAD_DATA
    error = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert error.startswith(f"publish_release of {DAYS[2]}"), error
    assert "Run the step publish_release for this day again" in error
    releases.rollback(world.store, DAYS[1], "the third is lost", actor="ada")
    assert releases.champion_as_of(world.store, _day(next_day)).partition == DAYS[1]
    assert world.run("evaluate_models", next_day) == 0


def test_a_rollback_restores_release_and_feeds_together_and_says_who_and_why(world) -> None:
    before = world.store.pointer("live").log()[1].value
    releases.rollback(world.store, DAYS[1], "clicks fell", actor="ada")
    live = releases.live(world.store)
    assert (live.release.partition, live.feeds.partition) == (DAYS[1], DAYS[1])
    assert {key: live.entry.value[key] for key in before} == before
    assert (live.entry.actor, live.entry.reason) == ("ada", "rollback: clicks fell")


def test_a_rollback_serves_the_earlier_feeds_before_the_pointer_moves(world) -> None:
    served = []

    def unreachable(feeds, lease) -> list[str]:
        lease.check()
        served.append((feeds.ref.partition, world.live_day()))
        raise TryAgainError("the sink cannot be reached")

    with pytest.raises(TryAgainError, match="cannot be reached"):
        releases.rollback(world.store, DAYS[1], "bad", actor="ada", serve=unreachable)
    assert served == [(DAYS[1], DAYS[2])]
    assert world.live_day() == DAYS[2]


def test_a_withdrawn_release_is_nobodys_champion_and_does_not_come_back(world) -> None:
    releases.rollback(world.store, DAYS[0], "bad", actor="ada")
    assert releases.champion_as_of(world.store, _day("2026-01-04")).partition == DAYS[0]
    assert world.run("publish_feeds", DAYS[2], num_shards=2) == 99
    assert world.live_day() == DAYS[0]
    rows = {row["day"]: row for row in releases.list_releases(world.store)}
    assert [rows[day]["is_live"] for day in DAYS] == [True, False, False]
    assert rows[DAYS[2]]["withdrawn_by"] == "ada: rollback: bad"


def test_the_next_day_goes_live_after_a_rollback(world) -> None:
    releases.rollback(world.store, DAYS[1], "bad", actor="ada")
    assert set(world.run_day("2026-01-04")) == {0}
    assert world.live_day() == "2026-01-04"
    assert releases.champion_as_of(world.store, _day("2026-01-04")).partition == DAYS[1]


def test_going_back_to_a_withdrawn_release_reinstates_it(world) -> None:
    releases.rollback(world.store, DAYS[0], "bad", actor="ada")
    releases.rollback(world.store, DAYS[2], "it was good after all", actor="bob")
    assert world.live_day() == DAYS[2]
    withdrawn = releases.withdrawn(world.store)
    assert releases.find(world.store, DAYS[2]).digest not in withdrawn
    assert releases.find(world.store, DAYS[1]).digest in withdrawn


def test_a_rollback_is_undone_without_withdrawing_anything(world) -> None:
    store = world.store
    with pytest.raises(BadConfigurationError, match=r"newest move is that of .* published"):
        releases.restore(store, "there was none", actor="bob")
    releases.rollback(store, DAYS[1], "bad", actor="ada")  # withdraws the third
    releases.rollback(store, DAYS[0], "worse", actor="ada")  # and the second
    served: list[str] = []
    away = ["a sink"]

    def serve(feeds, lease) -> list[str]:
        served.append(feeds.ref.partition)
        return away

    entry = releases.restore(store, "the counter", actor="bob", serve=serve)
    assert (world.live_day(), served, entry.reason) == (DAYS[1], [DAYS[1]], "restored: the counter")
    days = {day: releases.find(store, day).digest for day in DAYS}
    assert releases.withdrawn(store).keys() == {days[DAYS[2]]}, "what ada's first one withdrew"
    assert releases.champion_as_of(store, _day("2026-01-04")).digest == days[DAYS[1]]
    with pytest.raises(BadConfigurationError, match=r"newest move is that of .* restored"):
        releases.restore(store, "twice", actor="bob")
    again = releases.restore(store, "the rest", actor="bob", serve=serve)
    assert again == entry, "a sink was not served yet: nothing moves, and it is completed"
    away.clear()
    with pytest.raises(BadConfigurationError, match=r"newest move is that of .* restored"):
        releases.restore(store, "twice", actor="bob", serve=serve)


def test_a_rollback_that_missed_a_sink_is_completed_by_the_same_call(world) -> None:
    away = ["a sink"]
    entry = releases.rollback(world.store, DAYS[1], "bad", serve=lambda feeds, lease: away)
    again = releases.rollback(world.store, DAYS[1], "bad", serve=lambda feeds, lease: away)
    assert again == entry
    with pytest.raises(BadConfigurationError, match="live already"):
        releases.rollback(world.store, DAYS[1], "bad", serve=lambda feeds, lease: [])


def test_nobody_rolls_back_while_somebody_publishes(world) -> None:
    refused = pytest.raises(TryAgainError, match="is being written by process")
    with releases.publishing(world.store), refused:
        releases.rollback(world.store, DAYS[1], "bad")
    assert world.live_day() == DAYS[2]


@pytest.mark.parametrize(
    ("to", "reason", "message"),
    [
        ("2026-01-09", "why not", "was never live; live were those of 2026-01-01"),
        (DAYS[2], "why not", "is live already"),
        (DAYS[0], "  ", "needs a reason"),
    ],
)
def test_a_senseless_rollback_is_refused(to: str, reason: str, message: str, three_days) -> None:
    with pytest.raises(BadConfigurationError, match=message):
        releases.rollback(three_days.store, to, reason, actor="ada")


def test_a_rollback_to_damaged_feeds_changes_nothing(world) -> None:
    file = world.artifact("publish_feeds", DAYS[0]).path("feeds.parquet")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BadDataError, match=r"feeds\.parquet is damaged"):
        releases.rollback(world.store, DAYS[0], "bad", actor="ada")
    assert world.live_day() == DAYS[2]


def test_show_and_find_take_a_day_or_the_beginning_of_a_digest(three_days) -> None:
    digest = releases.find(three_days.store, DAYS[1]).digest
    shown = releases.show(three_days.store, digest[:8])
    assert shown["release"]["partition"] == DAYS[1]
    assert len(shown["was_live"]) == 1
    with pytest.raises(BadConfigurationError, match="names 0"):
        releases.find(three_days.store, "2027-01-01")


def test_verify_reads_the_release_and_its_feeds(world) -> None:
    ref = releases.find(world.store, DAYS[2])
    found = releases.verify(world.store, ref)
    assert found["files"] > 10
    file = world.store.read(ref).folder / "corpus/vectors/c/0/0"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BadDataError, match="corpus/vectors"):
        releases.verify(world.store, ref)
