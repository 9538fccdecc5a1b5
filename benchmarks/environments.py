"""Environments of peers that the product must not depend on, made below `build/` when needed."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_BUILD = Path(__file__).parents[1] / "build"


def python_with(name: str, packages: Sequence[str]) -> Path:
    """Returns the Python of the environment `name`, made with `packages` the first time.

    Args:
      name: Of the folder below `build/`.
      packages: Requirements, installed one after the other: what an earlier one brought is kept.
    """
    folder = _BUILD / name
    python, is_complete = folder / "bin" / "python", folder / ".complete"
    if not is_complete.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        for package in packages:
            subprocess.run([python, "-m", "pip", "install", "-q", package], check=True)
        is_complete.touch()
    return python
