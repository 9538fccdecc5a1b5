"""The folder of a deployment: configuration, store, and the home of its Airflow."""

from dataclasses import dataclass
from pathlib import Path

USER = "admin"
_CONFIG_FILE = "phoenix.yaml"


@dataclass(frozen=True)
class Deployment:
    """A folder that holds one deployment: its configuration, its store's default, its Airflow."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration that the steps are given."""
        return self.folder / _CONFIG_FILE

    @property
    def home(self) -> Path:
        """The folder that is AIRFLOW_HOME."""
        return self.folder / "airflow"

    @property
    def passwords(self) -> Path:
        """The file with the user's generated password."""
        return self.home / "passwords.json"

    @property
    def state_file(self) -> Path:
        """The list of Airflow's processes; there is none before a start and after a stop."""
        return self.home / "processes.json"


def deployments(root: Path) -> list[Deployment]:
    """Returns the deployments in the folders below `root` that have a configuration, by name."""
    return [Deployment(path.parent) for path in sorted(root.glob(f"*/{_CONFIG_FILE}"))]
