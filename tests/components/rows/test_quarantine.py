from collections.abc import Callable

import pyarrow as pa
import pytest

from components.contract import ExitCode
from components.rows import quarantine
from components.rows.row_texts import RowTexts
from components.settings.config import Config
from schemas.events import QUARANTINED

Row = Callable[..., dict]
KUAIRAND = "ingest_events: {source: {layout: kuairand, path: source}}\n"


def limited(deployment, text: str) -> None:
    deployment.configure(f"{KUAIRAND}validate_events: {{max_quarantined_share: 1.0, {text}}}\n")


@pytest.mark.parametrize(("budget", "code"), [(0.24, ExitCode.BAD_DATA), (0.25, ExitCode.DONE)])
def test_a_rule_over_its_budget_refuses_the_day(deployment, row: Row, budget, code) -> None:
    limited(deployment, f"budgets: {{bad_surface: {budget}, zero_id: 0}}")
    deployment.log([row(n, tab=1 if n > 1 else 99) for n in range(8)])
    deployment.run("ingest_events")
    ended, outcome = deployment.run("validate_events")
    assert ended == code
    if code == ExitCode.BAD_DATA:
        assert (
            "2 of 8 rows (25.00%) break the rule bad_surface; `validate_events.budgets` allows "
            "24.00%; for example log_standard.csv:2, log_standard.csv:3" in outcome["error"]
        )


def test_a_budget_of_a_rule_that_is_none_is_refused(deployment, row: Row) -> None:
    deployment.log([row(0)])
    limited(deployment, "budgets: {bad_surfaces: 0.1}")
    assert deployment.run("validate_events")[0] == ExitCode.BAD_CONFIGURATION


def rows_in_quarantine(**details: str) -> pa.Table:
    """Rows of one file, each with its rule and what is wrong."""
    rows = [
        {"rule": rule, "detail": detail, "file": "a.csv", "line": line, "user_id": 7}
        for line, (rule, detail) in enumerate(details.items(), start=2)
    ]
    return pa.Table.from_pylist(rows, schema=QUARANTINED.schema())


def test_rules_are_summed_up_the_most_frequent_first_without_a_value() -> None:
    many = rows_in_quarantine(bad_dwell="dwell_seconds: expected 0 to 60 seconds, got -8")
    one = rows_in_quarantine(zero_id="user_id: expected an id, got 0")
    reports = quarantine.summary(pa.concat_tables([one, *[many] * 5]))
    assert [(each.name, each.count) for each in reports] == [("bad_dwell", 5), ("zero_id", 1)]
    assert reports[0].expected == "dwell_seconds: expected 0 to 60 seconds"
    assert reports[0].places == ["a.csv:2"] * 3


@pytest.mark.parametrize("shows_ids", [False, True])
def test_examples_hide_users_and_values_that_may_be_theirs(shows_ids: bool) -> None:
    config = Config.model_validate(
        {
            "store": "store",
            "first_day": "2026-01-01",
            "ingest_events": {"source": {"layout": "synthetic"}},
            "actions": [{"name": "favorite", "is_positive": True}],
            "report": {"show_user_ids": shows_ids},
        }
    )
    wrong = {
        "negative_id": "user: expected an id above 0, got -7",
        "bad_surface": "surface: x, got 9",
    }
    rows = quarantine.examples(rows_in_quarantine(**wrong), RowTexts(), config)
    hidden = "user: expected an id above 0, got •••"
    assert [row["detail"] for row in rows] == [
        wrong["negative_id"] if shows_ids else hidden,
        wrong["bad_surface"],
    ]
    assert {row["user"] == "7" for row in rows} == {shows_ids}
