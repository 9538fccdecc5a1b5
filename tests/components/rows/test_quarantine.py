from collections.abc import Callable

import pytest

from components.contract import ExitCode

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
