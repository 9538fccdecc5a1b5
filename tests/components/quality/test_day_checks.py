import json

import pytest

from components.contract import ExitCode
from components.quality import day_checks

DAYS = [f"2026-01-{number:02d}" for number in range(1, 6)]
CONFIG = """
ingest_events:
  source: {layout: synthetic, num_users: 100, num_authors: 10, num_posts: 100, num_posts_per_day: 5,
           impressions_per_day: IMPRESSIONS}
validate_events: {severities: {volume: SEVERITY}}
baseline: {min_days: 2}
"""


def run_day(deployment, day: str, impressions: int, severity: str) -> tuple[int, dict]:
    text = CONFIG.replace("IMPRESSIONS", str(impressions)).replace("SEVERITY", severity)
    deployment.configure(text)
    deployment.run("ingest_events", day)
    return deployment.run("validate_events", day)


def test_a_day_is_held_against_the_days_before_it_with_the_severities_set(deployment) -> None:
    for day in DAYS[:4]:
        assert run_day(deployment, day, 600, "critical")[0] == ExitCode.DONE
    first, made = (deployment.artifact("validate_events", day) for day in (DAYS[0], DAYS[3]))
    read = [(each["kind"], each["partition"]) for each in made.manifest["recipe"]["inputs"]]
    assert read == [("ingest_events", DAYS[3]), *(("validate_events", day) for day in DAYS[:3])]
    not_judged = first.facts["expectations"]["not_judged"]
    assert {"volume", "users", "posts", "action_rates/click"} <= set(not_judged)
    assert made.facts["expectations"]["not_judged"] == []
    kept = json.loads(made.path("statistics.json").read_text())
    assert kept["distances"]["surface/psi"]["limit"] is not None
    assert sum(kept["histograms"]["surface"]["counts"].values()) == 600
    # A tenth of the rows refuses the day, or is told, or is nobody's concern.
    code, outcome = run_day(deployment, DAYS[4], 60, "critical")
    assert code == ExitCode.BAD_DATA
    assert "the critical expectation volume: expected" in outcome["error"]
    page = deployment.store.storage.read(f"docs/{DAYS[4]}/index.html").decode()
    assert "Refused." in page
    assert "data:image/svg+xml" in page
    page = deployment.store.storage.read(f"pages/{DAYS[4]}/index.html").decode()
    assert "drawn in the Data Docs" in page
    assert "Nothing was compared" not in page
    index = deployment.store.storage.read("docs/index.html").decode()
    assert index.index("refused") < index.index("accepted</td>")
    for severity, number in (("warning", 1), ("ignore", 0)):
        code, facts = run_day(deployment, DAYS[4], 60, severity)
        assert code == ExitCode.DONE
        failed = facts["expectations"]["failed"]
        assert sum(each.startswith("volume: volume: expected") for each in failed) == number


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [((None, 0.5), "at most 0.5"), ((3, None), "at least 3"), ((1, 2), "1 to 2")],
)
def test_limits_are_told_in_words(limits: tuple, wanted: str) -> None:
    result = {
        "kind": "usual",
        "expectation": "in_range",
        "column": "volume",
        "observed_value": 7.0,
        "arguments": dict(zip(("min_value", "max_value"), limits, strict=True)),
    }
    assert day_checks.description(result) == f"volume: expected {wanted}, got 7"
