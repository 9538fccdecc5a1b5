from pathlib import Path

import pytest

from components.settings.config import Config
from components.settings.loading import load


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A fresh deployment of the synthetic world."""
    path = tmp_path / "phoenix.yaml"
    path.write_text(
        "store: store\nfirst_day: 2026-01-01\n"
        "ingest_events: {source: {layout: synthetic}}\n"
        "actions: [{name: favorite, is_positive: true}]\n"
    )
    return load(path)
