"""The end of the deployment of the end-to-end tests. It comes last, by its name."""

import pytest

from components import demo, local_airflow

pytestmark = pytest.mark.e2e


def test_down_leaves_no_process(root, deployment, airflow):
    assert airflow.is_running
    assert demo.down(root=root) == [deployment.folder]
    assert local_airflow.strangers(deployment.home) == []
    assert not airflow.is_running
    assert demo.down(root=root) == []
