"""The buttons on a task."""

from types import SimpleNamespace

from wiring.links import PREFIX, DataDocs, RunPage

ADDRESS = "http://localhost:8080"


def test_links_lead_to_where_the_plugin_serves_the_pages(monkeypatch):
    from plugins import phoenix_pages

    monkeypatch.setenv("AIRFLOW__API__BASE_URL", ADDRESS)
    task = SimpleNamespace(day="2026-01-01")
    assert phoenix_pages.PREFIX == PREFIX
    assert RunPage().get_link(task, ti_key=None) == f"{ADDRESS}{PREFIX}/pages/2026-01-01/index.html"
    assert DataDocs().get_link(task, ti_key=None) == f"{ADDRESS}{PREFIX}/docs/2026-01-01/index.html"


def test_a_task_without_a_day_has_no_page():
    assert RunPage().get_link(SimpleNamespace(day=""), ti_key=None) == ""
