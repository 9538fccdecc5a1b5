"""The deployment that a demonstration works in, and the days that it will process."""

import datetime
import json
import re
from dataclasses import dataclass
from pathlib import Path

from components.cli.loop.world_log import WorldLog
from components.errors import BadConfigurationError, BadDataError
from components.local.deployment import Deployment
from components.settings.config import Config
from components.settings.loading import load
from components.settings.source import SyntheticSource
from components.source import source as sources
from components.store.artifacts import Store

_EXAMPLES = Path(__file__).parents[2] / "examples"
_SYNTHETIC_DAYS = 28  # that the scheduler may ever start by itself


@dataclass(frozen=True)
class Plan:
    """A deployment and the days that it can process."""

    deployment: Deployment
    config: Config
    last_day: datetime.date  # newest day that is complete
    has_ended: bool  # whether nothing is added to the source any more

    def days(self, count: int | None) -> list[datetime.date]:
        """Returns the days from the configured first one on; all of them without a count."""
        first = self.config.first_day
        num_available = (self.last_day - first).days + 1
        num_days = num_available if count is None else min(count, num_available)
        return [first + datetime.timedelta(days=number) for number in range(num_days)]


def prepare(source: Path | None, root: Path) -> Plan:
    """Makes the deployment's folder and configuration, unless they are there.

    A configuration that is there is left as the user wrote it, but for the path of the source.

    Args:
      source: A folder in KuaiRand's layout; None for the synthetic world.
      root: Folder of the deployments.

    Raises:
      BadConfigurationError: If the source is no folder, or the configuration breaks a rule.
      BadDataError: If the source has no event.
    """
    if source is not None and not source.is_dir():
        raise BadConfigurationError(f"--source: expected a folder, got {source}.")
    name = "synthetic" if source is None else "kuairand"
    deployment = Deployment(root / name)
    if deployment.config.exists():
        text = deployment.config.read_text(encoding="utf-8")
    else:
        text = (_EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
        text = re.sub(r"(?m)^store:.*$", "store: store", text)
    if source is not None:
        # By pattern and not by YAML: reading and writing it would lose the user's comments.
        path = json.dumps(str(source.resolve()))  # a JSON text is a YAML text
        text = re.sub(r"(?m)^( +path:).*$", lambda match: f"{match[1]} {path}", text, count=1)
    deployment.folder.mkdir(parents=True, exist_ok=True)
    deployment.config.write_text(text, encoding="utf-8")
    return plan_of(deployment)


def prepare_loop(root: Path) -> tuple[Plan, WorldLog]:
    """Makes the deployment whose log is written by a world that answers its feeds.

    Args:
      root: Folder of the deployments.

    Returns:
      The plan, and the log, of which nothing is written yet.

    Raises:
      BadConfigurationError: If the configuration breaks a rule.
    """
    deployment = Deployment(root / "loop")
    deployment.folder.mkdir(parents=True, exist_ok=True)
    if not deployment.config.exists():
        text = (_EXAMPLES / "loop.yaml").read_text(encoding="utf-8")
        deployment.config.write_text(text.replace("../var/loop/", ""), encoding="utf-8")
    config = load(deployment.config)
    # The same world as without the loop, so that both can be compared.
    world = load(_EXAMPLES / "synthetic.yaml").ingest_events.source.model_dump(exclude={"layout"})
    last_day = config.first_day + datetime.timedelta(days=_SYNTHETIC_DAYS - 1)
    log = WorldLog.of(config, world, deployment.folder)
    return Plan(deployment, config, last_day, has_ended=True), log


def plan_of(deployment: Deployment) -> Plan:
    """Returns the plan of a deployment whose configuration is there.

    Raises:
      BadConfigurationError: If the configuration breaks a rule, or the source is not there.
      BadDataError: If the source has no event.
    """
    config = load(deployment.config)
    source = config.ingest_events.source
    if isinstance(source, SyntheticSource):
        last_day = config.first_day + datetime.timedelta(days=_SYNTHETIC_DAYS - 1)
        return Plan(deployment, config, last_day, has_ended=True)
    source_days = sources.open_source(config, Store(config.store)).days
    if not source_days:
        raise BadDataError("The source has no event.")
    yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
    # The newest event's own day may still be growing.
    last_day = source_days[-1] - datetime.timedelta(days=1)
    return Plan(deployment, config, last_day, has_ended=source_days[-1] < yesterday)
