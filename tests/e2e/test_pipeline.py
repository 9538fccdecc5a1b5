"""The whole pipeline through the real scheduler: backfill, cascade, rerun, refusals, stop."""

import hashlib
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest

from components.cli import demo
from components.contract import STEPS, Dag
from components.local.cascade import TaskRun, error_in_log
from components.local.client import RefusedError
from components.release import releases
from components.settings.loading import load
from components.store import records
from components.store.artifacts import Store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

DAYS = ("2026-01-01", "2026-01-02")


@pytest.fixture(scope="module")
def store(deployment):
    return Store(load(deployment.config).store)


def runs(airflow, dag_id, **query):
    found = airflow.client().every(f"dags/{dag_id}/dagRuns", "dag_runs", order_by="id", **query)
    return list(found)


def trigger(airflow, dag_id, **body):
    return airflow.client().post(f"dags/{dag_id}/dagRuns", {"logical_date": None, **body})


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    return found


def ended(airflow, run):
    path = f"dags/{run['dag_id']}/dagRuns/{quote(run['dag_run_id'], safe='')}"
    state = airflow.client().get(path)["state"]
    return state if state in ("success", "failed") else None


def contents(store_folder):
    """The bytes of everything that matters: artifacts and pointers, not records and pages."""
    kinds = [*STEPS, "pointers/live", "pointers/heads"]
    files = [path for kind in kinds for path in (store_folder / kind).rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_backfill_of_the_head_cascades_to_live_feeds(store):
    live = releases.live(store)
    assert live is not None
    assert live.day.isoformat() == DAYS[-1]
    assert store.partitions("publish_feeds") == list(DAYS)
    for day in DAYS:
        ran = records.read(store, day)
        assert {record["step"] for record in ran} == set(STEPS)
        assert {record["status"] for record in ran} <= {"done", "unchanged"}
        assert all(record["airflow_run"] for record in ran)


def test_the_days_of_a_dag_run_one_after_the_other(airflow):
    for dag in Dag:
        found = [run for run in runs(airflow, dag) if run["partition_key"] in DAYS][:2]
        assert [run["partition_key"] for run in found] == list(DAYS)
        assert found[0]["end_date"] <= found[1]["start_date"]


def test_the_same_run_again_does_nothing_and_says_so(root, deployment, store, capsys):
    before = contents(Path(load(deployment.config).store))
    demo.run_demo(num_days=len(DAYS), root=root)
    shown = capsys.readouterr().out
    assert shown.count("nothing to do") == len(DAYS)
    assert contents(Path(load(deployment.config).store)) == before
    for day in DAYS:
        assert {record["status"] for record in records.read(store, day)} == {"unchanged"}


def test_a_run_by_hand_with_the_day_of_the_form_cascades(airflow):
    known = {run["dag_run_id"] for run in runs(airflow, Dag.FEEDS)}
    trigger(airflow, Dag.DATA, conf={"day": DAYS[0]})
    (new,) = wait_for(
        lambda: [run for run in runs(airflow, Dag.FEEDS) if run["dag_run_id"] not in known]
    )
    assert new["partition_key"] == DAYS[0]
    assert wait_for(lambda: ended(airflow, new)) == "success"


@pytest.mark.parametrize(
    ("dag", "body", "reason"),
    [
        (Dag.DATA, {"conf": {"day": "2026-02-30"}}, "'2026-02-30' is not a 'date'"),
        (Dag.DATA, {"partition_key": "2026-1-1x"}, "does not match"),
        (Dag.RELEASE, {"conf": {"retrain": "maybe"}}, "'maybe' is not one of"),
        (Dag.RELEASE, {"conf": {"force": "keep", "reason": "so"}}, "too short"),
    ],
)
def test_a_wrong_value_of_the_form_is_refused_with_its_reason(airflow, dag, body, reason):
    with pytest.raises(RefusedError, match=reason):
        trigger(airflow, dag, **body)


def test_a_gap_fails_without_a_retry_and_with_the_missing_day(airflow):
    run = trigger(airflow, Dag.DATA, partition_key="2026-01-04")
    assert wait_for(lambda: ended(airflow, run)) == "failed"
    task = TaskRun(
        dag_id=Dag.DATA,
        run_id=run["dag_run_id"],
        day="2026-01-04",
        task_id="build_features",
        map_index=-1,
        try_number=1,
        state="failed",
    )
    assert "2026-01-03" in error_in_log(task.log(airflow.deployment.home / "logs"))


def fetch(url, token=None):
    request = urllib.request.Request(url)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


@pytest.fixture(scope="module")
def token(airflow):
    client = airflow.client()
    client.get("version")  # logs in
    return client._token


@pytest.mark.parametrize("kind", ["pages", "docs"])
def test_pages_are_behind_the_authentication_of_airflow(airflow, token, kind):
    url = f"{airflow.url}/phoenix/{kind}/{DAYS[0]}/index.html"
    assert fetch(url)[0] == 401
    assert fetch(url, "not.a.token")[0] == 403
    status, content, headers = fetch(url, token)
    assert (status, DAYS[0] in content) == (200, True)
    assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["pages/../phoenix.yaml", "pages/%2e%2e/pointers/live", "pages/..%2f..%2fphoenix.yaml"]
)
def test_no_other_file_is_served(airflow, token, path):
    assert fetch(f"{airflow.url}/phoenix/{path}", token)[0] == 404


def test_a_dag_run_leads_to_the_page_of_its_day(airflow, token):
    run = runs(airflow, Dag.RELEASE)[0]
    url = f"{airflow.url}/phoenix/runs/pages/{Dag.RELEASE}/{quote(run['dag_run_id'], safe='')}"
    status, content, _ = fetch(url, token)
    assert (status, run["partition_key"] in content) == (200, True)


def test_every_task_links_to_the_page_and_the_docs_of_its_day(airflow):
    run = runs(airflow, Dag.FEEDS)[0]
    links = airflow.client().get(
        f"dags/{Dag.FEEDS}/dagRuns/{quote(run['dag_run_id'], safe='')}"
        "/taskInstances/publish_feeds/links"
    )["extra_links"]
    day = run["partition_key"]
    assert links == {
        "Run page": f"{airflow.url}/phoenix/pages/{day}/index.html",
        "Data docs": f"{airflow.url}/phoenix/docs/{day}/index.html",
    }


def test_secrets_are_readable_by_their_owner_alone(deployment):
    for name in ("airflow.cfg", "passwords.json", "processes.json"):
        assert (deployment.home / name).stat().st_mode & 0o077 == 0, name
