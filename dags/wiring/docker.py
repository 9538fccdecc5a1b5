"""The Docker runner: a step as a container that owns nothing and may do nothing but its work.

Imported only when the deployment's runner is `docker`: the provider takes seconds to import.
"""

import ast
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from airflow.providers.docker.exceptions import DockerContainerFailedException
from airflow.providers.docker.operators.docker import DockerOperator
from docker.types import Mount

from wiring import outcome
from wiring.operators import StepOperator, log_result, result_of_log
from wiring.settings import Settings

_UNITS = {"Ki": "k", "Mi": "m", "Gi": "g"}  # Kubernetes notation -> Docker's

# What DockerOperator has no argument for. /tmp is the only place outside the mounts to write to.
HARDENING = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": "rw,nosuid,nodev,size=1g"},
    "pids_limit": 512,
}


class DockerStep(StepOperator, DockerOperator):
    """Runs one step in the project's image; its exit code decides about a retry."""

    ARGUMENTS = "command"

    def __init__(self, *, nano_cpus: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nano_cpus = nano_cpus

    @property
    def cli(self) -> Any:
        """The client, which hardens every container that it creates."""
        client = super().cli
        # The operator makes the host's configuration itself and has no argument for these.
        client.create_host_config = partial(
            type(client).create_host_config, client, nano_cpus=self.nano_cpus, **HARDENING
        )
        return client

    def execute(self, context: Any) -> Any:
        """Runs the container to its end and returns the small part of the step's result."""
        try:
            last_line = super().execute(context)
        except DockerContainerFailedException as error:
            outcome.check(self.task_id, exit_code(error), _texts(error.logs or []))
            raise
        result = result_of_log(last_line)
        log_result(self.log, result)
        return result


def exit_code(error: DockerContainerFailedException) -> int:
    """Returns the exit status in the provider's message, its only carrier; 70 if there is none."""
    reply = re.search(r"\{.*\}", str(error))  # a dict as Python prints it, which is no JSON
    status = ast.literal_eval(reply[0]).get("StatusCode") if reply else None
    return int(status) if status is not None else 70


def arguments(module: str, argv: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Returns the arguments with which DockerStep runs `module`, beside those of every operator."""
    return {
        "image": settings.image,
        "entrypoint": ["python", "-P", "-m", module],
        "command": list(argv),
        "user": str(settings.user),
        "environment": {
            "HOME": "/tmp",
            "AIRFLOW_CTX_DAG_ID": "{{ dag.dag_id }}",
            "AIRFLOW_CTX_DAG_RUN_ID": "{{ run_id }}",
        },
        "mounts": [
            Mount(target=mount.target, source=mount.source, type="bind", read_only=mount.read_only)
            for mount in settings.mounts
        ],
        "mount_tmp_dir": False,
        "mem_limit": _memory(settings.memory),
        "nano_cpus": int(settings.cpus * 1e9),
        "auto_remove": "force",
        "retrieve_output": False,  # it would unpickle what the container wrote
        "network_mode": "bridge",  # a store or a sink may be in the network
        "privileged": False,
    }


def _memory(text: str) -> str:
    """Returns a limit in Docker's notation.

    >>> _memory("4Gi"), _memory("512M")
    ('4g', '512M')
    """
    return text[:-2] + _UNITS[text[-2:]] if text[-2:] in _UNITS else text


def _texts(lines: Sequence[str | bytes]) -> list[str]:
    return [line if isinstance(line, str) else line.decode(errors="replace") for line in lines]
