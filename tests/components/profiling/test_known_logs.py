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


def test_parts_of_mind_in_folders_are_one_log(tmp_path: Path) -> None:
    for part in ("MIND_train", "MIND_dev"):
        (tmp_path / part).mkdir()
        logs.mind(tmp_path / part, logs.events())
    proposal = recognise(read_samples(tmp_path))
    assert proposal is not None
    assert proposal.source["events"] == f"{tmp_path}/*/behaviors.tsv"
    assert proposal.source["posts"] == f"{tmp_path}/*/news.tsv"


def test_a_part_of_mind_without_labels_is_left_aside_and_told(tmp_path: Path) -> None:
    for part in ("MIND_dev", "MIND_test"):
        (tmp_path / part).mkdir()
        logs.mind(tmp_path / part, logs.events())
    behaviors = tmp_path / "MIND_test" / "behaviors.tsv"
    behaviors.write_text(behaviors.read_text().replace("-0", "").replace("-1", ""))
    proposal = recognise(read_samples(tmp_path))
    assert proposal is not None
    assert proposal.source["events"] == f"{tmp_path}/MIND_dev/behaviors.tsv"
    assert "Of 2 parts one is read" in proposal.notes[0]


def test_a_part_of_mind_without_labels_is_no_log_to_learn_from(tmp_path: Path) -> None:
    logs.mind(tmp_path, logs.events())
    behaviors = tmp_path / "behaviors.tsv"
    behaviors.write_text(behaviors.read_text().replace("-0", "").replace("-1", ""))
    assert recognise(read_samples(tmp_path)) is None
