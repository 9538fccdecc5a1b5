"""The examination: is this machine, this configuration and this store fit to run?

Every check returns findings; a finding that is not fine says what to do. Nothing is repaired here:
the steps repair what they can by themselves when they run next.
"""

from pathlib import Path

from components.cli.doctor.deployment import deployment_findings
from components.cli.doctor.findings import Finding, unfit
from components.cli.doctor.machine import machine_findings
from components.cli.doctor.sinks import sink_findings
from components.cli.doctor.store import store_findings
from components.errors import BadConfigurationError
from components.settings.config import Config


def examine(config: Config, *, folder: Path | None = None, deep: bool = False) -> list[Finding]:
    """Runs every check.

    Args:
      config: The deployment to examine.
      folder: Where its configuration lies, and its Airflow if it has one of its own.
      deep: Whether to verify every byte of every current artifact, or the manifests alone.
    """
    findings = [
        *machine_findings(),
        *deployment_findings(config, folder),
        *sink_findings(config),
        *store_findings(config, deep=deep),
    ]
    return list(dict.fromkeys(findings))  # one damaged pointer ends several checks


def examine_machine(error: BadConfigurationError) -> list[Finding]:
    """Runs the checks that need no configuration, and adds why there is none."""
    mend = "Mend it, then ask again: `phoenix doctor`."
    return [*machine_findings(), unfit("configuration", str(error), mend)]
