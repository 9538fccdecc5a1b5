"""The documents say what is: every command, target, setting, file and code in them exists."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from components import contract
from components.cli import app
from components.contract import ExitCode
from components.settings import loading

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
README = (ROOT / "README.md").read_text()
FIRST_SCREEN = 40  # lines
GROUPS = ("releases", "quarantine", "erasure")  # commands that have commands


def commands_in(text: str) -> set[str]:
    """The `phoenix ...` commands of a document, in blocks and in lines."""
    fenced = re.findall(r"^ *(phoenix [^\n#]+)", text, re.M)
    inline = re.findall(r"`(phoenix [^`]+)`", text)
    return {command.strip() for command in [*fenced, *inline]}


def known_words(command: str) -> list[str]:
    """The words that name the command: `phoenix releases rollback DAY` -> releases, rollback."""
    words = command.split()[1:]
    return words[:2] if words[0] in GROUPS else words[:1]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_exists_with_every_option(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in commands_in((ROOT / name).read_text()):
        assert app.app([*known_words(command), "--help"]) == 0, command
        page = capsys.readouterr().out
        options = set(re.findall(r"--[a-z-]+", command))
        steps = {"--day", "--config"} if known_words(command) == ["step"] else set()
        assert all(option in page for option in options - steps), command


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_target_exists(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / name).read_text(), re.M))
    assert named <= targets


def test_every_command_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    documented = {" ".join(known_words(command)) for command in commands_in(README)}
    for group in ([], *([name] for name in GROUPS)):
        app.app([*group, "--help"])
        page = capsys.readouterr().out
        listed = re.findall(r"^│ ([a-z]+) {2,}", page, re.M)
        assert listed
        for command in listed:
            if command not in GROUPS:
                assert " ".join([*group, command]) in documented


def test_every_exit_code_is_documented() -> None:
    for document in ("README.md", "ARCHITECTURE.md"):
        rows = re.findall(r"^\| (\d+) \|", (ROOT / document).read_text(), re.M)
        assert [int(row) for row in rows] == [int(code) for code in ExitCode]


def test_the_graph_names_every_step() -> None:
    assert all(step in README for step in contract.STEPS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            titles = re.findall(r"^#+ (.+)$", text, re.M)
            assert target[1:] in {title.lower().replace(" ", "-") for title in titles}
        elif not target.startswith("https://"):
            assert (ROOT / target).exists(), target


def test_the_example_of_own_data_is_a_valid_configuration(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(.*?)```", README, re.S)
    assert block is not None
    path = tmp_path / "phoenix.yaml"
    path.write_text(re.sub(r"^ {3}", "", block[1], flags=re.M))
    loaded = loading.load(path)
    assert loaded.action_names == ("favorite", "share", "click", "hide")
    assert yaml.safe_load(path.read_text())["ingest_events"]["source"]["layout"] == "columns"


def test_the_first_screen_says_what_it_is_and_how_to_start() -> None:
    screen = "\n".join(README.splitlines()[:FIRST_SCREEN])
    for part in ("make demo", "make test", "## Results", "evaluate_models"):
        assert part in screen


def test_every_dependency_has_its_sentence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    named = {re.split(r"[\[<>=!~; ]", item)[0] for item in wanted}
    table = (ROOT / "ARCHITECTURE.md").read_text().split("## Dependencies")[1]
    # Providers belong to Airflow, and pytest's plugins to pytest.
    missing = {
        name
        for name in named
        if name not in table and not name.startswith(("apache-airflow-", "pytest-"))
    }
    assert missing == set()


def test_every_decision_is_a_statement_with_its_reason_read_at_once() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    groups = re.split(r"\n### ", page.split("## Decisions")[1].split("\n## ")[0])[1:]
    decisions = [entry for group in groups for entry in group.split("\n- ")[1:]]
    assert len(groups) > 5, "grouped by room"
    assert len(decisions) > 30
    for decision in decisions:
        statement = re.match(r"\*\*[^*]+\*\*(.*)", decision, re.S)
        assert statement, decision
        assert len(statement[1].split()) > 5, f"no reason: {decision}"
        assert len(decision.split()) <= 60, f"too long: {decision}"


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
