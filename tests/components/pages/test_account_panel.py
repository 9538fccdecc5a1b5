"""What a day's page says of its rows, after the real steps."""

from collections.abc import Callable

import pytest

from components.pages import account_panel
from components.pages.day_facts import DayFacts
from components.settings.loading import load

Row = Callable[..., dict]
BY_DAY = """
ingest_events:
  source:
    layout: columns
    events: source/{day}_?.csv
    posts: source/video_features_basic.csv
    event_columns:
      {user_id: user_id, post_id: video_id, shown_at: time_ms, surface: tab}
    post_columns: {post_id: video_id, author_id: author_id}
validate_events: {max_quarantined_share: 0.5, budgets: {bad_surface: 0.4}}
"""
USER = 987654321


@pytest.fixture
def days(deployment, row: Row):
    """Two days; the second has two files, a late row and two bad ones."""
    deployment.configure(BY_DAY)
    deployment.log([row(-1440 + n) for n in range(4)], "2026-01-01_a.csv")
    deployment.log([row(n) for n in range(4)], "2026-01-02_a.csv")
    bad = [row(9, user_id=USER, tab=77), row(10, user_id=f"{USER}x")]
    deployment.log([row(5), row(-60, user_id=8), *bad], "2026-01-02_b.csv")
    for day in ("2026-01-01", "2026-01-02"):
        for step in ("ingest_events", "validate_events"):
            assert deployment.run(step, day)[0] == 0
    return deployment


def panel(deployment) -> dict:
    config = load(deployment.root / "phoenix.yaml")
    return dict(account_panel.account(DayFacts.read(deployment.store, config, "2026-01-02")) or {})


def page(deployment, day: str) -> str:
    return deployment.store.storage.read(f"pages/{day}/index.html").decode()


def test_the_page_accounts_for_every_file_and_rule(days) -> None:
    shown = panel(days)
    files = {each["file"]: [each[name] for name in shown["names"]] for each in shown["files"]}
    assert files == {"2026-01-02_a.csv": [4, 4, 0, 0, 0], "2026-01-02_b.csv": [4, 1, 0, 2, 1]}
    assert [(rule["name"], rule["count"], rule["budget"]) for rule in shown["rules"]] == [
        ("bad_surface", 1, 0.4),
        ("unreadable_number", 1, None),
    ]
    text = page(days, "2026-01-02")
    assert "2026-01-02_b.csv" in text
    assert "<b>8</b>" in text, "all files together"
    assert "40.0 %" in text


def test_the_examples_show_no_personal_value(days) -> None:
    shown = {row["rule"]: row for row in panel(days)["examples"]}
    assert shown["bad_surface"]["detail"] == "surface: expected 0 to 15, got 77"
    assert shown["unreadable_number"]["detail"].endswith("got •••")
    assert shown["unreadable_number"]["place"] == "2026-01-02_b.csv:5"
    text = page(days, "2026-01-02")
    assert "2026-01-02_b.csv:4" in text
    assert str(USER) not in text
    assert str(shown["bad_surface"]["user"]) in text


def test_a_day_to_run_again_is_listed_with_its_command_until_it_was(days) -> None:
    assert panel(days)["late"] == [{"day": "2026-01-01", "count": 1, "is_waiting": True}]
    command = "phoenix step validate_events --day 2026-01-01"
    assert command in page(days, "2026-01-02")
    assert days.run("validate_events", "2026-01-01")[0] == 0
    assert panel(days)["late"][0]["is_waiting"] is False
    assert command not in page(days, "2026-01-02"), "it was drawn again with the day that changed"
    assert "<b>1</b> arrived on" in page(days, "2026-01-01")
