import os
import subprocess
import sys

import pytest

from components.local.deployment import Deployment

CONFIG = """
store: store
first_day: 2026-01-01
ingest_events: {source: {layout: synthetic}}
actions: [{name: favorite, is_positive: true}]
materialize_feeds: {num_shards: 3}
evaluate_models: {approval: when_promoted}
"""


@pytest.fixture
def deployment(tmp_path):
    """A deployment with a configuration; its name is hard on whoever reads it as a pattern."""
    made = Deployment(tmp_path / "100% ours")
    made.folder.mkdir()
    made.config.write_text(CONFIG)
    return made


@pytest.fixture
def start(deployment):
    """Starts a process in the name of the deployment's Airflow, and awaits its first line."""

    def start_process(code, **options):
        environment = os.environ | {"AIRFLOW_HOME": str(deployment.home.resolve())}
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, **options
        )
        process.stdout.readline()
        return process

    return start_process
