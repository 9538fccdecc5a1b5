"""Airflow's UI in a real browser: what a person who operates the pipeline sees and can do.

Screenshots go to the folder of the test run, which pytest prints when a test fails; set
PHOENIX_SCREENSHOTS to keep them.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from components.contract import Dag
from components.local.deployment import USER

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

DAYS = ("2026-01-01", "2026-01-02")
DAY = DAYS[-1]
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def browser(require_program: Callable[[str], str]) -> Iterator[Browser]:
    program = require_program("chromium")
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root; the pages are all our own.
        made = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def session(browser, airflow):
    """The state of a browser in which the user has logged in through the form."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(airflow.url)
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(json.loads(airflow.deployment.passwords.read_text())[USER])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Assets")).to_be_visible(timeout=PATIENCE_MS)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(browser, session, request, tmp_path) -> Iterator[Page]:
    context = browser.new_context(storage_state=session, viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield page
    folder = Path(os.environ.get("PHOENIX_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{request.node.name}.png")
    context.close()


@pytest.fixture(scope="module")
def run_url(airflow):
    """The address of the release run of the day."""
    found = airflow.client().every(f"dags/{Dag.RELEASE}/dagRuns", "dag_runs", order_by="id")
    run = next(run for run in found if run["partition_key"] == DAY)
    return f"{airflow.url}/dags/{Dag.RELEASE}/runs/{quote(run['dag_run_id'], safe='')}"


def test_the_graph_of_assets_shows_the_line_of_dags(page, airflow):
    assets = airflow.client().get("assets")["assets"]
    features = next(asset for asset in assets if asset["name"] == "features")
    page.goto(f"{airflow.url}/assets/{features['id']}")
    graph = page.locator(".react-flow")
    for name in (*Dag, "features", "release", "feeds"):
        expect(graph.get_by_text(name, exact=True).first).to_be_visible()


def open_form(page, airflow, dag):
    page.goto(f"{airflow.url}/dags/{dag}")
    page.get_by_role("button", name="Trigger").first.click()
    return page.get_by_role("dialog")


def test_the_form_offers_the_choices_of_the_contract(page, airflow):
    form = open_form(page, airflow, Dag.RELEASE)
    form.get_by_role("button", name="Gate", exact=True).click()
    expect(form.get_by_text("Overrule the gate for both models; needs a reason.")).to_be_visible()
    expect(form.locator("input[name=element_force]")).to_be_attached()
    expect(form.locator("input[name=element_day]")).to_have_attribute("type", "date")


def test_a_wrong_value_is_refused_with_its_reason(page, airflow):
    form = open_form(page, airflow, Dag.RELEASE)
    form.get_by_role("button", name="Gate", exact=True).click()
    form.locator("input[name=element_reason]").fill("so")
    form.get_by_role("button", name="Trigger").click()
    expect(form.get_by_text("Invalid input for param reason: 'so' is too short")).to_be_visible()


def test_a_partition_key_that_is_no_day_is_refused_with_its_reason(page, airflow):
    form = open_form(page, airflow, Dag.DATA)
    form.get_by_role("button", name="Advanced Options", exact=True).click()
    form.locator("input[name=partitionKey]").fill("2026-02-30")
    form.get_by_role("button", name="Trigger").click()
    expect(form.get_by_text("Partition key '2026-02-30' does not match")).to_be_visible()


def test_only_the_head_offers_a_backfill(page, airflow):
    form = open_form(page, airflow, Dag.DATA)
    form.get_by_text("Run this Dag for a range of dates").click()
    expect(form.get_by_text("All Runs")).to_be_visible()
    expect(form.locator("input[name=max_active_runs]")).to_have_value("1")
    form = open_form(page, airflow, Dag.FEEDS)
    expect(form.locator("input[type=radio][value=backfill]")).to_be_disabled()


@pytest.mark.parametrize(
    ("tab", "content"), [("Run page", "Run of the UTC day"), ("Data docs", f"Data of {DAY}")]
)
def test_a_run_shows_the_page_of_its_day_in_a_tab(page, run_url, tab, content):
    page.goto(run_url)
    page.get_by_role("link", name=tab).click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text(content).first).to_be_visible()
    expect(frame.get_by_text(DAY).first).to_be_visible()


def test_the_buttons_of_a_task_open_the_page_and_the_docs(page, run_url):
    page.goto(f"{run_url}/tasks/evaluate_models/details")
    for name in ("Run page", "Data docs"):
        target = page.get_by_role("link", name=name).get_attribute("href")
        opened = page.context.new_page()
        assert opened.goto(target).status == 200
        expect(opened.get_by_text(DAY).first).to_be_visible()
        opened.close()


def test_the_menu_leads_to_the_pages_of_all_days(page, airflow):
    page.goto(f"{airflow.url}/plugin/phoenix-index")
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name=DAY).click()
    expect(frame.get_by_text("Run of the UTC day").first).to_be_visible()


def release_run(airflow):
    """Starts a release run of the day that asks a person, and waits until it does."""
    client = airflow.client()
    body = {"logical_date": None, "conf": {"day": DAY, "approval": "always"}}
    run = client.post(f"dags/{Dag.RELEASE}/dagRuns", body)
    run_id = quote(run["dag_run_id"], safe="")
    path = f"dags/{Dag.RELEASE}/dagRuns/{run_id}"
    wait_until(lambda: state_of_approval(airflow, path) == "awaiting_input")
    return path, f"{airflow.url}/dags/{Dag.RELEASE}/runs/{run_id}/tasks/approval"


def feeds(airflow):
    """The days and states of all runs of the feeds."""
    runs = airflow.client().every(f"dags/{Dag.FEEDS}/dagRuns", "dag_runs", order_by="id")
    return [(run["partition_key"], run["state"]) for run in runs]


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.5)


def test_who_is_asked_sees_the_numbers_and_a_rejected_day_is_no_success(page, airflow):
    before = feeds(airflow)
    path, url = release_run(airflow)
    page.goto(f"{url}/required_actions")
    for text in ("Release the models of", "most popular", "All numbers are on the page"):
        expect(page.get_by_text(text).first).to_be_visible()
    expect(page.get_by_role("button", name="Reject")).to_be_disabled()  # before there is a reason
    answer(page, "Reject", "feeds look odd")
    wait_until(lambda: airflow.client().get(path)["state"] == "failed")
    day_page = f"{airflow.url}/phoenix/pages/{DAY}/index.html"
    page.goto(day_page)
    said = f"The release of {DAY} was rejected by {USER}: feeds look odd."
    expect(page.get_by_text(said).first).to_be_visible()
    asked_again = {"task_ids": ["approval"], "dag_run_id": unquote(path.rpartition("/")[2])}
    body = asked_again | {"include_downstream": True, "only_failed": False, "dry_run": False}
    airflow.client().post(f"dags/{Dag.RELEASE}/clearTaskInstances", body)
    wait_until(lambda: state_of_approval(airflow, path) == "awaiting_input")
    page.goto(f"{url}/required_actions")
    answer(page, "Approve", "looked again")
    wait_until(lambda: airflow.client().get(path)["state"] == "success")
    page.goto(day_page)
    expect(page.get_by_text(said)).to_have_count(0)
    wait_until(lambda: feeds(airflow) == [*before, (DAY, "success")])


def answer(page, button, note):
    page.locator("input[name=element_note]").fill(note)
    page.get_by_role("button", name=button).click()


def state_of_approval(airflow, path):
    return airflow.client().get(f"{path}/taskInstances/approval")["state"]


def fill_moment(page, form, day):
    form.get_by_text("Select date and time").first.click()
    for placeholder, text in (("YYYY/MM/DD", day.replace("-", "/")), ("HH:mm", "00:00")):
        field = page.get_by_placeholder(placeholder).last
        field.fill(text)
        field.press("Enter")
    page.get_by_text("Date Range").click()  # elsewhere: the calendar closes


def test_a_backfill_from_the_form_runs_its_days_through_to_the_feeds(page, airflow):
    before = feeds(airflow)
    form = open_form(page, airflow, Dag.DATA)
    form.get_by_text("Run this Dag for a range of dates").click()
    for day in DAYS:
        fill_moment(page, form, day)
    form.get_by_text("All Runs").click()
    expect(form.get_by_text("2 runs will be triggered.")).to_be_visible()
    form.get_by_role("button", name="Run Backfill").click()
    deadline = time.monotonic() + 180
    while feeds(airflow) != [*before, *((day, "success") for day in DAYS)]:
        assert time.monotonic() < deadline, feeds(airflow)
        time.sleep(0.5)
    page.goto(f"{airflow.url}/dags/{Dag.DATA}/backfills")
    expect(page.get_by_text("All Runs").first).to_be_visible()
