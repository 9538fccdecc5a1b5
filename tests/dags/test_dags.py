"""The DAGs as Airflow reads them, for every runner."""

import json
import os
import subprocess
import sys

import pytest

from components import contract

# In a process of its own: Airflow keeps what it read, and what was imported is the question.
READ = """
import json, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))  # as Airflow does with a bundle
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
started = time.process_time()
bag = DagBag(str(folder))
seconds = time.process_time() - started
dags = {
    dag_id: {
        "tasks": {
            task.task_id: {
                "after": sorted(task.upstream_task_ids),
                "pool": task.pool,
                "assets": [asset.name for asset in task.outlets],
                "operator": task.task_type,
                "retries": task.retries,
            }
            for task in dag.tasks
        },
        "schedule": type(dag.timetable).__name__,
        "starts_on": [name for name in ("features", "release", "late_rows") if name in str(
            getattr(dag.timetable, "asset_condition", ""))],
        "max_active_runs": dag.max_active_runs,
        "params": sorted(dag.params),
        "has_doc": bool(dag.doc_md),
        "file": Path(dag.fileloc).stem,
    }
    for dag_id, dag in bag.dags.items()
}
print(json.dumps({"dags": dags, "errors": bag.import_errors, "seconds": seconds,
                  "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


@pytest.fixture(scope="module")
def read(repository_root):
    """Reads the bundle in a new process, with settings of the section [phoenix]."""

    def run(**settings):
        variables = {f"AIRFLOW__PHOENIX__{name.upper()}": text for name, text in settings.items()}
        done = subprocess.run(
            [sys.executable, "-c", READ, str(repository_root / "dags")],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="module")
def bundle(read):
    return read()


def task(after=(), pool="default_pool", assets=(), operator="ProcessStep"):
    return {
        "after": sorted(after),
        "pool": pool,
        "assets": list(assets),
        "operator": operator,
        "retries": 2,
    }


def test_the_dags_are_a_line_of_assets(bundle):
    assert bundle["errors"] == {}
    assert bundle["dags"] == {
        "phoenix_data": {
            "tasks": {
                "ingest_events": task(),
                "validate_events": task(["ingest_events"]),
                "build_features": task(["validate_events"], assets=["features"]),
                "late_rows": task(["build_features"], assets=["late_rows"], operator="LateDays"),
            },
            "schedule": "CronPartitionTimetable",
            "starts_on": [],
            "max_active_runs": 1,
            "params": ["day"],
            "has_doc": True,
            "file": "phoenix_data",
        },
        "phoenix_late": {
            "tasks": {
                "ingest_events": task(),
                "validate_events": task(["ingest_events"]),
                "build_features": task(["validate_events"]),
            },
            "schedule": "PartitionedAssetTimetable",
            "starts_on": ["late_rows"],
            "max_active_runs": 1,
            "params": ["day"],
            "has_doc": True,
            "file": "phoenix_late",
        },
        "phoenix_release": {
            "tasks": {
                "train_retrieval": task(pool="training"),
                "train_ranker": task(pool="training"),
                "evaluate_models": task(["train_retrieval", "train_ranker"]),
                "export_corpus": task(["evaluate_models"]),
                "approval": task(["export_corpus"], operator="Approval"),
                "publish_release": task(["approval"], assets=["release"]),
            },
            "schedule": "PartitionedAssetTimetable",
            "starts_on": ["features"],
            "max_active_runs": 1,
            "params": ["approval", "day", "force", "reason", "retrain"],
            "has_doc": True,
            "file": "phoenix_release",
        },
        "phoenix_feeds": {
            "tasks": {
                "measure_feeds": task(),
                "materialize_feeds": task(["measure_feeds"]),
                "publish_feeds": task(["materialize_feeds"], assets=["feeds"]),
            },
            "schedule": "PartitionedAssetTimetable",
            "starts_on": ["release"],
            "max_active_runs": 1,
            "params": ["day"],
            "has_doc": True,
            "file": "phoenix_feeds",
        },
    }


def test_every_step_is_a_task_of_its_own_dag(bundle):
    for step in contract.STEPS.values():
        assert step.name in bundle["dags"][step.dag]["tasks"]


def test_reading_the_dags_is_light(bundle):
    heavy = {"jax", "jaxlib", "haiku", "great_expectations", "pandas", "pyarrow", "numpy"}
    assert not heavy & set(bundle["modules"])
    assert not {"docker", "kubernetes", "fastapi"} & set(bundle["modules"])
    assert bundle["seconds"] < 2


@pytest.mark.parametrize(
    ("runner", "operator"), [("docker", "DockerStep"), ("kubernetes", "PodStep")]
)
def test_every_runner_has_the_same_tasks(read, bundle, runner, operator):
    other = read(runner=runner)
    assert other["errors"] == {}
    assert not {"jax", "great_expectations", "pandas"} & set(other["modules"])
    expected = json.loads(json.dumps(bundle["dags"]).replace("ProcessStep", operator))
    assert other["dags"] == expected


def test_a_wrong_setting_is_an_import_error_with_its_name(read):
    errors = read(runner="podman")["errors"]
    assert len(errors) == 4
    assert all("runner" in text and "podman" in text for text in errors.values())
