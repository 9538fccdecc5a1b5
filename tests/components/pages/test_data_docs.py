import datetime
from pathlib import Path

from components.pages import data_docs
from components.quality.day_checks import DayChecks
from components.quality.day_statistics import DayStatistics
from components.rows import quarantine
from components.store.artifacts import Store

ACCOUNT = {"rows_in": 10, "accepted": 7, "duplicate": 1, "quarantined": 2, "late": 0}
RULE = quarantine.RuleReport(
    name="bad_dwell", count=2, expected="dwell: expected <60>", places=["<log>.csv:3"]
)

FAILED = {
    "expectation": "expect_column_max_to_be_between",
    "kind": "volume",
    "column": "volume",
    "arguments": {"min_value": 8.0, "max_value": None},
    "severity": "warning",
    "success": False,
    "observed_value": 7.0,
}
CHECKS = DayChecks(
    results=[FAILED, FAILED | {"success": True, "column": "users"}],
    sections=["<p>rendered</p>"],
    not_judged=["surfaces/1"],
    statistics=DayStatistics({}, {}, {}, frozenset()),
    distances={},
    earlier_distances=[],
)


def published(folder: Path, *reasons: str) -> str:
    address = data_docs.publish(
        Store(str(folder)),
        datetime.date(2026, 1, 2),
        account=ACCOUNT,
        rules=[RULE],
        checks=CHECKS,
        reasons=reasons,
    )
    assert address == str(folder / "docs/2026-01-02/index.html")
    return Path(address).read_text()


def test_the_page_shows_where_every_row_went(tmp_path: Path) -> None:
    page = published(tmp_path)
    assert "Accepted." in page
    assert "70.00%" in page
    assert "1 of 2 expectations hold" in page
    assert "volume: expected at least 8, got 7" in page
    assert "for want of earlier days: surfaces: 1" in page
    assert "<p>rendered</p>" in page


def test_names_from_the_source_cannot_become_markup(tmp_path: Path) -> None:
    page = published(tmp_path, "<script>alert(1)</script>")
    assert "<script" not in page
    assert "&lt;log&gt;.csv:3" in page
    assert "default-src 'none'" in page, "even what slipped through could not run"


def test_a_later_run_replaces_the_page(tmp_path: Path) -> None:
    assert "Refused." in published(tmp_path, "too few")
    assert "Refused." not in published(tmp_path)


def test_the_index_leads_to_every_day_newest_first(tmp_path: Path) -> None:
    for number in (2, 1):
        data_docs.publish(
            Store(str(tmp_path)),
            datetime.date(2026, 1, number),
            account=ACCOUNT,
            rules=[],
            checks=CHECKS,
            reasons=["too few"] if number == 1 else [],
        )
    data_docs.draw_index(Store(str(tmp_path)))
    index = (tmp_path / "docs/index.html").read_text()
    assert index.index('href="2026-01-02/index.html"') < index.index('href="2026-01-01/index.html"')
    assert index.count("refused") == 1
    assert "http:" not in index
    assert "<script" not in index
