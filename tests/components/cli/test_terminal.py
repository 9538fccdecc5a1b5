import pytest

from components.cli import terminal
from components.cli.doctor.findings import Finding, Severity


def test_findings_are_sorted_with_the_worst_last(capsys: pytest.CaptureFixture[str]) -> None:
    found = [
        Finding(check="disk", severity=Severity.ERROR, message="full", advice="free some"),
        Finding(check="python", severity=Severity.FINE, message="3.11"),
        Finding(check="runs", severity=Severity.WARNING, message="one failed", advice="look"),
    ]
    terminal.findings(found)
    out = capsys.readouterr().out
    assert out.index("python") < out.index("runs") < out.index("disk")
    assert "free some" in out
    assert out.endswith("1 errors, 1 warnings, 1 fine.\n")


def test_what_comes_from_data_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.facts({"reason": "[bold]not a style[/bold]", "list": ["[red]a", {"b": 1}]})
    out = capsys.readouterr().out
    assert "[bold]not a style[/bold]" in out
    assert "[red]a" in out


def test_long_lines_are_not_broken_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "word " * 100
    terminal.facts({"reason": reason.strip()})
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_without_a_release_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.releases([])
    assert capsys.readouterr().out == "There is no release yet.\n"


def test_an_account_tells_folded_actions_from_repeats_and_that_no_rule_is_broken(capsys) -> None:
    account = {"rows_in": 9, "accepted": 5, "duplicate": 4, "quarantined": 0, "late": 0}
    rules = {"rules": [], "rules_of_posts": []}
    terminal.quarantine({"day": "2026-03-01", **account, "folded": 3, **rules})
    text = " ".join(capsys.readouterr().out.split())
    assert "4 duplicate, 0 quarantined, 0 late (3 duplicates are actions of impressions" in text
    assert text.endswith("No row breaks a rule.")


def test_settings_that_a_search_judged_have_their_gains_beside_them(capsys) -> None:
    def row(settings: str, mean: float | None, gain: float | None, end: str | None = None) -> dict:
        interval = None if gain is None else (gain - 0.01, gain + 0.01)
        metrics = {"gauc": {"mean": mean, "gain": gain, "interval": interval}}
        return {"settings": settings, "metrics": metrics, "end": end}

    rows = [
        row("the present", 0.5, None),
        row("epochs 2", 0.52, 0.02),
        row("x 1", None, None, "no"),
    ]
    terminal.tuned({"settings": rows, "result": "Surely better.", "written": "a.yaml"})
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        "settings gauc gain",
        "the present 0.5000",
        "epochs 2 0.5200 +0.0200 (+0.0100 to +0.0300)",
        "x 1 - no",
    ]
    assert "Written: a.yaml" in lines
