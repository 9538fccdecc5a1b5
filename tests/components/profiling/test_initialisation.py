"""From a log to a configuration that reads it."""

import datetime
import re
from pathlib import Path

import pytest

from components.errors import BadConfigurationError, BadDataError
from components.profiling.hints import Hints
from components.profiling.initialisation import initialise
from components.settings.loading import load
from tests.components.profiling import logs

_LOG = "who,product,at,is_click\nann,SKU-1,2026-03-01 10:00:00,1\n,SKU-2,2026-03-02 10:00:00,0\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log whose user no name tells, and of which one row has none."""
    file = tmp_path / "log.csv"
    file.write_text(_LOG)
    return file


def test_the_file_is_a_configuration_that_reads_the_log(log: Path) -> None:
    to = log.parent / "made" / "phoenix.yaml"
    hints = Hints(columns={"user_id": "who"})
    result = initialise(log, to=to, store="store", hints=hints)
    config = load(to)
    assert config == result.config
    assert config.first_day == datetime.date(2026, 3, 1)
    assert [(row.user, row.post, row.actions) for row in result.preview.rows] == [
        ("ann", "SKU-1", (0,))
    ]
    ((rule, count, example),) = result.preview.reasons
    assert (rule, count) == ("missing_value", 1)
    assert "log.csv:3: who: expected an id" in example


def test_a_person_is_asked_for_what_the_log_does_not_say(log: Path) -> None:
    questions = []

    def ask(question: str, choices: list[str]) -> str:
        questions.append((question, list(choices)))
        return "who"

    initialise(log, to=log.parent / "p.yaml", store="store", hints=Hints(), ask=ask)
    assert questions == [("Column of the user", ["who", "product", "at", "is_click"])]


def test_a_configuration_that_is_there_stays(log: Path) -> None:
    to = log.parent / "phoenix.yaml"
    to.write_text("mine")
    with pytest.raises(BadConfigurationError, match="expected no file, found one"):
        initialise(log, to=to, store="store", hints=Hints(columns={"user_id": "who"}))
    assert to.read_text() == "mine"


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    logs.kuairand(tmp_path, logs.events(num_users=1))
    log = tmp_path / "log_standard_4_22_to_5_08_pure.csv"
    log.write_text(re.sub(r"\b15\d{11}\b", "yesterday", log.read_text()))
    with pytest.raises(BadDataError, match="expected rows with a time"):
        initialise(tmp_path, to=tmp_path / "made" / "p.yaml", store="store", hints=Hints())
    assert not list((tmp_path / "made").iterdir())


@pytest.mark.parametrize("name", logs.PUBLIC)
def test_a_public_log_is_read_without_a_word_of_the_user(name: str, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    logs.PUBLIC[name](tmp_path / "log", logs.events())
    to = tmp_path / "phoenix.yaml"
    result = initialise(tmp_path / "log", to=to, store="store", hints=Hints())
    assert result.config.first_day == logs.FIRST_DAY
    assert result.preview.rows
    assert not result.preview.num_rejected, result.preview.reasons
