import datetime
from pathlib import Path

from components import data_docs
from components.artifacts import Store

ACCOUNT = {"rows_in": 10, "accepted": 7, "duplicate": 1, "quarantined": 2, "late": 0}
RULE = data_docs.RuleReport(
    name="bad_dwell", count=2, expected="dwell: expected <60>", places=["<log>.csv:3"]
)


def published(folder: Path, *reasons: str) -> str:
    address = data_docs.publish(
        Store(str(folder)),
        datetime.date(2026, 1, 2),
        account=ACCOUNT,
        rules=[RULE],
        checks=([{"success": True}, {"success": False}], ["<p>rendered</p>"]),
        reasons=reasons,
    )
    assert address == str(folder / "docs/2026-01-02/index.html")
    return Path(address).read_text()


def test_the_page_shows_where_every_row_went(tmp_path: Path) -> None:
    page = published(tmp_path)
    assert "Accepted." in page
    assert "70.00%" in page
    assert "1 of 2 expectations of the accepted rows hold" in page
    assert "<p>rendered</p>" in page


def test_names_from_the_source_cannot_become_markup(tmp_path: Path) -> None:
    page = published(tmp_path, "<script>alert(1)</script>")
    assert "<script" not in page
    assert "&lt;log&gt;.csv:3" in page
    assert "default-src 'none'" in page, "even what slipped through could not run"


def test_a_later_run_replaces_the_page(tmp_path: Path) -> None:
    assert "Refused." in published(tmp_path, "too few")
    assert "Refused." not in published(tmp_path)
