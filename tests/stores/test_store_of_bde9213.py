"""A store that an earlier commit made is read, continued and rolled back by this one.

`make.py` made the archive at commit bde9213 (see README.md): four days of a small log, of which the
third was rolled back. Nothing here needs more of the code than the command line and the files.
"""

import contextlib
import importlib
import importlib.metadata
import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ARCHIVE = Path(__file__).with_name("bde9213.tar.xz")
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")
NEXT_DAY = "2026-01-05"
STEPS = (
    ("ingest_events",),
    ("validate_events",),
    ("build_features",),
    ("train_retrieval",),
    ("train_ranker",),
    ("evaluate_models",),
    ("export_corpus",),
    ("publish_release",),
    ("measure_feeds",),
    ("materialize_feeds", "--shard", "0", "--num-shards", "2"),
    ("materialize_feeds", "--shard", "1", "--num-shards", "2"),
    ("publish_feeds", "--num-shards", "2"),
)
USER, NUM_POSTS = "7", 60


@dataclass(frozen=True)
class Deployment:
    """The unpacked archive."""

    folder: Path

    @property
    def config(self) -> str:
        """The configuration's path."""
        return str(self.folder / "phoenix.yaml")

    def phoenix(self, *argv: str) -> str:
        """Runs a command of `phoenix`, which must succeed; returns what it prints."""
        (script,) = importlib.metadata.entry_points(group="console_scripts", name="phoenix")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = script.load()([*argv, "--config", self.config])
        assert code == 0, f"{argv}: {output.getvalue()}"
        return output.getvalue()

    def phoenix_json(self, *argv: str) -> Any:
        """The same for a command that can print JSON."""
        return json.loads(self.phoenix(*argv, "--json"))

    def step(self, name: str, day: str, *options: str) -> dict[str, Any]:
        """Runs a step, which must make something new; returns its result."""
        output = io.StringIO()
        argv = ["--config", self.config, "--day", day, *options]
        with contextlib.redirect_stdout(output):
            code = importlib.import_module(f"components.{name}").main(argv)
        assert code == 0, f"{name} of {day}: {output.getvalue()}"
        return json.loads(output.getvalue().splitlines()[-1])

    def manifest(self, artifact: dict[str, str]) -> dict[str, Any]:
        """The manifest of what a step's result names."""
        path = f"store/{artifact['kind']}/{artifact['partition']}/{artifact['key']}/manifest.json"
        return json.loads((self.folder / path).read_text())

    def head(self, kind: str, day: str) -> str:
        """The key of the current artifact of a day."""
        folder = self.folder / f"store/pointers/heads/{kind}/{day}"
        return json.loads(max(folder.iterdir()).read_text())["value"]["key"]

    def live(self) -> str:
        """The day that is live."""
        rows = self.phoenix_json("releases", "list")
        (day,) = [row["day"] for row in rows if row["is_live"]]
        return day


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The store as it is in the archive, for commands that change nothing."""
    folder = tmp_path_factory.mktemp("bde9213")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return Deployment(folder)


@pytest.fixture
def deployment(unpacked: Deployment, tmp_path: Path) -> Deployment:
    """A copy, free to be changed."""
    return Deployment(shutil.copytree(unpacked.folder, tmp_path / "deployment"))


def test_the_archive_is_small_enough_for_the_repository() -> None:
    assert ARCHIVE.stat().st_size < 1_000_000


def test_every_artifact_is_whole(unpacked: Deployment) -> None:
    findings = unpacked.phoenix_json("doctor", "--deep")
    messages = [each["message"] for each in findings if each["check"] == "artifacts"]
    assert messages == ["44 current artifacts are whole, with all their files."]
    for day in DAYS:
        unpacked.phoenix("releases", "verify", day)


def test_releases_are_listed_with_what_became_of_them(unpacked: Deployment) -> None:
    rows = unpacked.phoenix_json("releases", "list")
    assert [row["day"] for row in rows] == list(DAYS)
    models = [(row["retrieval"]["model"], row["ranker"]["model"]) for row in rows]
    assert models == [("most_popular",) * 2] + [("two_tower", "ranking_transformer")] * 3
    withdrawn = [row["withdrawn_by"] for row in rows]
    assert withdrawn == [None, None, "fixture: rollback: a day to withdraw", None]
    assert unpacked.live() == DAYS[3]


@pytest.mark.parametrize("day", DAYS)
def test_a_release_and_its_feeds_are_shown(day: str, unpacked: Deployment) -> None:
    assert day in unpacked.phoenix("releases", "show", day)
    feed = unpacked.phoenix_json("feed", USER, "--day", day)
    assert [item["rank"] for item in feed["items"]] == [1, 2, 3, 4, 5]
    assert feed["day"] == day


def test_a_place_in_a_feed_is_explained_by_the_models_of_the_release(unpacked: Deployment) -> None:
    served = {item["post_id"] for item in unpacked.phoenix_json("feed", USER)["items"]}
    absent = min({str(number) for number in range(1, NUM_POSTS + 1)} - served)
    first = unpacked.phoenix_json("why", USER, min(served))
    assert first["item"]["post_id"] == min(served)
    assert unpacked.phoenix_json("why", USER, absent)["reasons"]


def test_what_broke_a_rule_is_listed(unpacked: Deployment) -> None:
    rules = unpacked.phoenix_json("quarantine", "list", "--day", DAYS[0])["rules"]
    assert {rule["rule"] for rule in rules} == {"unreadable_number", "zero_id"}


def test_the_pages_of_all_days_are_drawn(deployment: Deployment) -> None:
    deployment.phoenix("report")
    releases = {row["day"]: row["digest"] for row in deployment.phoenix_json("releases", "list")}
    for day in DAYS:
        page = (deployment.folder / f"store/pages/{day}/index.html").read_text()
        assert "cannot be shown" not in page
        assert releases[day][:12] in page


def test_late_rows_that_wait_make_a_new_version_of_their_day(deployment: Deployment) -> None:
    before = deployment.head("validate_events", DAYS[2])
    validated = deployment.step("validate_events", DAYS[2])
    assert validated["artifact"]["key"] != before
    assert validated["facts"]["arrived_late"] == {DAYS[3]: 3}
    features = deployment.step("build_features", DAYS[2])
    assert validated["artifact"] in deployment.manifest(features["artifact"])["recipe"]["inputs"]


def test_the_next_day_continues_from_state_champion_and_live_release(
    deployment: Deployment,
) -> None:
    path = Path(deployment.config)
    config = yaml.safe_load(path.read_text())
    # What is the default now is another model, which is trained from scratch.
    config["train_retrieval"]["model"] |= {"reads_counts": False, "candidate_facts": False}
    path.write_text(yaml.safe_dump(config))
    state = deployment.head("build_features", DAYS[3])
    champion = deployment.head("publish_release", DAYS[3])
    inputs = {}
    for name, *options in STEPS:
        if name == "evaluate_models":
            options = ["--force", "promote", "--reason", "whatever so small a model has learned"]
        made = deployment.step(name, NEXT_DAY, *options)["artifact"]
        inputs[name] = [item.get("key") for item in deployment.manifest(made)["recipe"]["inputs"]]
    assert state in inputs["build_features"]
    for name in ("train_retrieval", "train_ranker", "evaluate_models"):
        assert champion in inputs[name]
    assert deployment.live() == NEXT_DAY
    assert deployment.phoenix_json("feed", USER)["day"] == NEXT_DAY


def test_an_earlier_release_becomes_live_with_its_feeds(deployment: Deployment) -> None:
    expected = deployment.phoenix_json("feed", USER, "--day", DAYS[1])
    deployment.phoenix("releases", "rollback", DAYS[1], "--reason", "clicks fell")
    assert deployment.live() == DAYS[1]
    assert deployment.phoenix_json("feed", USER) == {**expected, "is_live": True}
