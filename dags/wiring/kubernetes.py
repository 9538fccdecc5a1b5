"""The Kubernetes runner: a step as a pod that fits the restricted pod security standard.

Imported only when the deployment's runner is `kubernetes`: the provider takes seconds to import.
"""

from collections.abc import Sequence
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s

from wiring import outcome
from wiring.operators import StepOperator
from wiring.settings import Mount, Settings

_SCRATCH = "/tmp"


class PodStep(StepOperator, KubernetesPodOperator):
    """Runs one step as a pod; the exit code of its container decides about a retry."""

    ARGUMENTS = "arguments"

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Any = None,
    ) -> None:
        """Removes the pod; a failure becomes one that Airflow does or does not retry."""
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowException:
            end = terminated(remote_pod, self.base_container_name)
            if end is not None:
                lines = (end.message or "").splitlines()
                outcome.check(self.task_id, int(end.exit_code or 0), lines)
            raise  # evicted, or never started: Airflow may try again


def terminated(pod: k8s.V1Pod | None, container: str) -> k8s.V1ContainerStateTerminated | None:
    """Returns the end of the named container of a pod; None if it has none (evicted, never ran)."""
    statuses = (pod.status.container_statuses if pod and pod.status else None) or []
    for status in statuses:
        if status.name == container and status.state:
            return status.state.terminated
    return None


def arguments(module: str, argv: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Returns the arguments with which PodStep runs `module`, beside those of every operator."""
    return {
        "name": f"phoenix-{module.rpartition('.')[2].replace('_', '-')}",
        "namespace": settings.namespace,
        "image": settings.image,
        "cmds": ["python", "-P", "-m", module],
        "arguments": list(argv),
        "env_vars": {
            "HOME": _SCRATCH,
            "AIRFLOW_CTX_DAG_ID": "{{ dag.dag_id }}",
            "AIRFLOW_CTX_DAG_RUN_ID": "{{ run_id }}",
        },
        "security_context": k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=settings.user,
            run_as_group=settings.user,
            fs_group=settings.user,
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        "container_security_context": k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            privileged=False,
            read_only_root_filesystem=True,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
        ),
        "container_resources": _resources(settings),
        "volumes": [
            k8s.V1Volume(name="scratch", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="1Gi")),
            *(_volume(number, mount) for number, mount in enumerate(settings.mounts)),
        ],
        "volume_mounts": [
            k8s.V1VolumeMount(name="scratch", mount_path=_SCRATCH),
            *(
                k8s.V1VolumeMount(
                    name=f"mount-{number}", mount_path=mount.target, read_only=mount.read_only
                )
                for number, mount in enumerate(settings.mounts)
            ),
        ],
        "automount_service_account_token": False,
        "hostnetwork": False,
        "active_deadline_seconds": int(settings.timeout.total_seconds()),
        "termination_grace_period": int(settings.stop_seconds),
        # The end of the log becomes the message of the failure: it holds the step's error.
        "termination_message_policy": "FallbackToLogsOnError",
        "durable": True,  # a worker that died finds its pod again
        "on_finish_action": "delete_pod",
        "do_xcom_push": False,  # no sidecar; the manifest is the truth
        "get_logs": True,
        "log_pod_spec_on_failure": False,
    }


def _resources(settings: Settings) -> k8s.V1ResourceRequirements:
    # Requests equal to limits: the last class of pods that a node evicts.
    limits = {
        "cpu": f"{settings.cpus:g}",
        "memory": settings.memory,
        "ephemeral-storage": "2Gi",
    }
    return k8s.V1ResourceRequirements(requests=limits, limits=limits)


def _volume(number: int, mount: Mount) -> k8s.V1Volume:
    claim = k8s.V1PersistentVolumeClaimVolumeSource(
        claim_name=mount.source, read_only=mount.read_only
    )
    return k8s.V1Volume(name=f"mount-{number}", persistent_volume_claim=claim)
