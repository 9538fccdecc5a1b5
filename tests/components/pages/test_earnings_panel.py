"""The page of a release shows what it earned, day by day, beside what it had promised."""

import json

from components import contract
from components.pages import report

FIRST, SECOND, THIRD = "2026-01-01", "2026-01-02", "2026-01-03"


def _publish_at_midnight(world) -> None:
    """Lets the feeds of each day have gone live as the next one began."""
    storage = world.store.storage
    for number, day in enumerate((SECOND, THIRD, "2026-01-04"), 1):
        path = f"pointers/live/{number:08d}.json"
        entry = json.loads(storage.read(path)) | {"moved_at": f"{day}T00:00:00.000+00:00"}
        storage.replace(path, json.dumps(entry).encode())


def test_the_page_of_a_release_shows_what_it_earned(world) -> None:
    _publish_at_midnight(world)
    assert world.run("measure_feeds", THIRD) == 0
    storage = world.store.storage
    page = storage.read(report.page_path(FIRST)).decode()
    assert "What the release of this day earned" in page
    assert f'<td class="nowrap">{SECOND}</td>' in page
    assert "What the release earned per impression on 1 days" in page
    assert "The gate had promised: retrieval" in page
    facts = world.artifact("measure_feeds", THIRD).facts
    assert facts["releases"][0]["day"] == FIRST
    assert 0 < facts["share"]["mean"] < 1
    page = storage.read(report.page_path(THIRD)).decode()
    assert f"<p>{facts['told']}.</p>" in page
    assert "Release of 2026-01-01" in page


def test_a_page_without_a_measure_says_so(world) -> None:
    report.refresh_day(world.store, world.config, contract.parse_day("2026-01-04"))
    page = world.store.storage.read(report.page_path("2026-01-04")).decode()
    assert "Nothing was measured yet." in page
