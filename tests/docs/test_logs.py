"""The commands of docs/logs.md, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.components.profiling import logs

PAGE = (Path(__file__).parents[2] / "docs/logs.md").read_text()


def commands_of(heading: str) -> str:
    """The bash of a section, in order."""
    section = next(part for part in PAGE.split("\n## ") if part.startswith(heading))
    return "\n".join(re.findall(r"^```bash\n(.*?)^```", section, re.M | re.S))


@pytest.mark.parametrize(
    ("heading", "folder", "name", "shown"),
    [
        ("A shop", "shop", "REES46", "Feed of user 541312001 on 2019-11-02"),
        ("News", "news", "MIND", '"Wheel of Fortune"'),
        ("Fashion", "bandit", "Open Bandit", "Feed of user 81ce123cbb5bd8ce0001"),
    ],
)
def test_the_commands_of_the_page_lead_to_a_feed(
    heading: str, folder: str, name: str, shown: str, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir()
    logs.PUBLIC[name](tmp_path / folder, logs.events())
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands_of(heading)],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3_000:]
    assert shown in run.stdout
