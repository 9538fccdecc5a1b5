"""The Kubernetes runner: the pod that would be created."""

from dataclasses import replace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from kubernetes.client import ApiClient
from kubernetes.client import models as k8s

from components import contract
from wiring import steps
from wiring.kubernetes import PodStep, terminated
from wiring.settings import Mount

ENDS = [(65, True), (75, False), (137, False), (78, True)]  # exit code, whether it is final


@pytest.fixture
def task(monkeypatch):
    settings = replace(
        steps.SETTINGS,
        runner="kubernetes",
        image="phoenix@sha256:0",
        namespace="recommender",
        mounts=(Mount("store-claim", "/store", False), Mount("log-claim", "/log", True)),
    )
    monkeypatch.setattr(steps, "SETTINGS", settings)
    return steps.task(contract.TRAIN_RANKER, retrain="auto")


@pytest.fixture
def pod(task):
    built = task.build_pod_request_obj(dry_run=True)  # needs no cluster
    return ApiClient().sanitize_for_serialization(built)


def test_the_pod_runs_the_step_without_a_shell(pod):
    (container,) = pod["spec"]["containers"]
    assert container["command"] == ["python", "-P", "-m", "components.train_ranker"]
    assert container["args"][-3:] == ["--retrain", "auto", "--unchanged-ok"]
    assert container["image"] == "phoenix@sha256:0"
    assert pod["metadata"]["namespace"] == "recommender"


def test_the_pod_fits_the_restricted_security_standard(pod):
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
    }
    assert spec["automountServiceAccountToken"] is False
    assert not spec.get("hostNetwork")


def test_the_pod_has_limits_and_sees_its_mounts_alone(pod):
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    limits = container["resources"]["limits"]
    assert limits == {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "2Gi"}
    assert spec["activeDeadlineSeconds"] > 0
    mounts = {mount["mountPath"]: mount.get("readOnly") for mount in container["volumeMounts"]}
    assert mounts == {"/tmp": None, "/store": False, "/log": True}
    claims = [volume.get("persistentVolumeClaim") for volume in spec["volumes"]]
    assert [claim and claim["claimName"] for claim in claims] == [None, "store-claim", "log-claim"]


def test_nothing_is_fetched_from_the_pod_but_its_log(task):
    assert (task.do_xcom_push, task.get_logs, task.durable) == (False, True, True)


def ended(exit_code):
    state = k8s.V1ContainerState(
        terminated=k8s.V1ContainerStateTerminated(
            exit_code=exit_code, message='noise\n{"status": "failed", "error": "row 7"}'
        )
    )
    status = k8s.V1ContainerStatus(
        name="base", state=state, image="", image_id="", ready=False, restart_count=0
    )
    return k8s.V1Pod(status=k8s.V1PodStatus(container_statuses=[status]))


@pytest.mark.parametrize(
    ("status", "is_final"), [(65, True), (75, False), (137, False), (78, True)]
)
def test_the_exit_code_of_the_container_decides_about_a_retry(task, monkeypatch, status, is_final):
    def fail(self, *args):
        raise AirflowException("Pod returned a failure.")

    monkeypatch.setattr(
        "airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator.cleanup", fail
    )
    pod = ended(status)
    with pytest.raises(AirflowException, match="row 7") as raised:
        PodStep.cleanup(task, pod, pod)
    assert isinstance(raised.value, AirflowFailException) is is_final


def test_a_pod_that_never_ran_has_no_exit_code():
    assert terminated(None, "base") is None
    assert terminated(k8s.V1Pod(status=k8s.V1PodStatus()), "base") is None
