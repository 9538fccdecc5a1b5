from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings.config import Config
from components.settings.loading import load
from tests.components.settings.minimal import Loader


@pytest.fixture
def load_raw(tmp_path: Path) -> Loader:
    """Writes a mapping as a configuration file, and reads it."""

    def write_and_load(raw: dict[str, Any]) -> Config:
        path = tmp_path / "phoenix.yaml"
        path.write_text(yaml.safe_dump(raw))
        return load(path)

    return write_and_load
