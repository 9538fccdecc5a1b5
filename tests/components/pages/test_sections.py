from components import contract
from components.pages import sections
from components.pages.day_facts import DayFacts

LAST = "2026-01-03"


def test_there_is_a_line_for_every_step_in_order(three_days) -> None:
    facts = DayFacts.read(three_days.store, three_days.config, LAST)
    lines = sections.step_lines(facts)
    assert [line.name for line in lines] == list(contract.STEPS)
    assert {line.state for line in lines} == {"done"}
    assert max(line.share for line in lines) == 1.0


def test_a_rerun_without_work_still_shows_how_long_the_work_took(world) -> None:
    before = sections.step_lines(DayFacts.read(world.store, world.config, LAST))
    assert world.run("evaluate_models", LAST) == 99
    after = sections.step_lines(DayFacts.read(world.store, world.config, LAST))
    place = list(contract.STEPS).index("evaluate_models")
    assert after[place].state == "unchanged"
    assert after[place].seconds == before[place].seconds


def test_the_seconds_of_shards_add_up(three_days) -> None:
    facts = DayFacts.read(three_days.store, three_days.config, LAST)
    line = sections.step_lines(facts)[list(contract.STEPS).index("materialize_feeds")]
    assert line.seconds == sum(r["seconds"] for r in facts.records["materialize_feeds"])


def test_one_failed_step_makes_a_failed_day(world) -> None:
    world.edit("min_windows: 10", "min_windows: 11")
    world.store.storage.remove("build_features/2026-01-01")
    assert world.run("train_ranker", LAST) == 65
    facts = DayFacts.read(world.store, world.config, LAST)
    lines = sections.step_lines(facts)
    assert sections.state(lines) == "failed"
    (line,) = [line for line in lines if line.state == "failed"]
    assert line.exit_code == 65
    assert line.advice is not None
    assert "2026-01-01" in (line.message or "")


def test_every_exit_code_of_a_failure_has_advice() -> None:
    failures = set(contract.ExitCode) - {0, 99}
    assert failures == sections.ADVICE.keys()


def test_lineage_names_every_input_by_its_digest(three_days) -> None:
    facts = DayFacts.read(three_days.store, three_days.config, LAST)
    rows = {row["kind"]: row for row in sections.lineage(facts)}
    release = three_days.artifact("publish_release", LAST).ref
    inputs = rows["publish_feeds"]["inputs"]
    assert {"name": f"publish_release of {LAST}", "digest": release.digest} in inputs


def test_highlights_compare_what_was_chosen_with_the_most_popular(three_days) -> None:
    facts = DayFacts.read(three_days.store, three_days.config, LAST)
    evaluated = three_days.artifact("evaluate_models", LAST).facts
    shown = sections.highlights(facts)["roles"]["ranker"]
    popular = evaluated["metrics"]["ranker"]["most_popular"][shown["metric"]]
    assert shown["popular"] == popular
