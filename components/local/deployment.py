"""The folder of a deployment: configuration, store, and the home of its Airflow."""

from dataclasses import dataclass
from pathlib import Path

USER = "admin"


@dataclass(frozen=True)
class Deployment:
    """A folder that holds one deployment: its configuration, its store's default, its Airflow."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration that the steps are given."""
        return self.folder / "phoenix.yaml"

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.folder / "airflow"

    @property
    def passwords(self) -> Path:
        """The file with the user's generated password."""
        return self.home / "passwords.json"
