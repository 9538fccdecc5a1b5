"""The Docker runner: what the engine would be told."""

from dataclasses import replace

import docker
import pytest
from airflow.providers.docker.exceptions import DockerContainerFailedException
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from components import contract
from wiring import steps
from wiring.docker import HARDENING, DockerStep, arguments, exit_code
from wiring.settings import Mount

ENDS = [(65, True), (75, False), (137, False), (78, True)]  # exit code, whether it is final


@pytest.fixture
def task(monkeypatch):
    settings = replace(
        steps.SETTINGS,
        runner="docker",
        image="phoenix@sha256:0",
        cpus=1.5,
        mounts=(Mount("/srv/store", "/store", False), Mount("/srv/log", "/log", True)),
    )
    monkeypatch.setattr(steps, "SETTINGS", settings)
    return steps.task(contract.TRAIN_RANKER, retrain="auto")


def test_the_container_runs_the_step_without_a_shell(task):
    assert task.entrypoint == ["python", "-P", "-m", "components.train_ranker"]
    assert task.format_command(task.command) == task.command  # a list stays a list
    assert task.command[-3:] == ["--retrain", "auto", "--unchanged-ok"]
    assert task.image == "phoenix@sha256:0"


def test_the_container_owns_nothing(task):
    assert task.user == "10001"
    assert (task.privileged, task.mount_tmp_dir, task.retrieve_output) == (False, False, False)
    assert task.auto_remove == "force"
    assert task.mem_limit == "4g"
    assert [mount["ReadOnly"] for mount in task.mounts] == [False, True]


def test_every_container_is_hardened(task, monkeypatch):
    client = docker.APIClient(base_url="unix:///nowhere", version="1.44")  # it does not connect
    monkeypatch.setattr(
        "airflow.providers.docker.operators.docker.DockerOperator.cli", property(lambda _: client)
    )
    host = task.cli.create_host_config(mem_limit="4g")
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == HARDENING["pids_limit"]
    assert host["NanoCpus"] == 1_500_000_000
    assert host["Memory"] == 4 << 30
    client.close()


def test_settings_in_docker_notation_stay(task):
    given = replace(steps.SETTINGS, memory="512m")
    assert arguments("m", [], given)["mem_limit"] == "512m"


@pytest.mark.parametrize(
    ("status", "is_final"), [(65, True), (75, False), (137, False), (78, True)]
)
def test_the_exit_code_of_the_container_decides_about_a_retry(task, monkeypatch, status, is_final):
    def fail(self, context):
        raise DockerContainerFailedException(
            f"Docker container failed: {{'StatusCode': {status}}}",
            logs=[b"noise", '{"status": "failed", "error": "row 7"}'],
        )

    monkeypatch.setattr("airflow.providers.docker.operators.docker.DockerOperator.execute", fail)
    with pytest.raises(AirflowException, match="row 7") as raised:
        DockerStep.execute(task, {})
    assert isinstance(raised.value, AirflowFailException) is is_final


def test_a_failure_without_an_exit_code_is_a_bug():
    assert exit_code(DockerContainerFailedException("something else")) == 70
