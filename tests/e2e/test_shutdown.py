"""The end of the deployment of the end-to-end tests. It comes last, by its name."""

import signal
import subprocess
import sys

import pytest

from components.cli import demo
from components.local import process_groups
from components.local.deployment import Deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DEMONSTRATION = (
    "from pathlib import Path; from components.cli import demo; "
    "demo.run_demo(num_days=2, root=Path('.'))"
)


def test_ctrl_c_in_the_middle_of_the_demonstration_leaves_no_process(tmp_path, deployment):
    home = Deployment(tmp_path / "synthetic")
    home.folder.mkdir()
    home.config.write_bytes(deployment.config.read_bytes())
    process = subprocess.Popen(
        [sys.executable, "-c", DEMONSTRATION],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        for line in process.stdout:
            if "Watch it in Airflow" in line:  # it runs, and steps are about to
                break
        assert process_groups.strangers(home.home)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode != 0
    assert process_groups.strangers(home.home) == []


def test_down_leaves_no_process(root, deployment, airflow):
    assert airflow.is_running
    assert demo.down(root=root) == [deployment.folder]
    assert process_groups.strangers(deployment.home) == []
    assert not airflow.is_running
    assert demo.down(root=root) == []
