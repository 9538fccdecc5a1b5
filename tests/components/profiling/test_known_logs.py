"""Public logs, recognised by their exact form."""

from pathlib import Path

import pytest

from components.profiling.known_logs import recognise
from components.profiling.samples import read_samples
from tests.components.profiling import logs


@pytest.mark.parametrize("name", logs.PUBLIC)
def test_a_public_log_is_recognised(name: str, tmp_path: Path) -> None:
    logs.PUBLIC[name](tmp_path, logs.events())
    proposal = recognise(read_samples(tmp_path))
    assert proposal is not None
    assert proposal.title.startswith(name)
    assert any(action.is_positive for action in proposal.actions)


def test_any_other_log_is_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,at,is_click\n7,8,1511544070,1\n")
    assert recognise(read_samples(tmp_path)) is None
