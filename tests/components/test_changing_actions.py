"""A list of actions that changes over a store of three days: everything is read by name.

Two promises: a bit of an old day is what its name said then, whatever place the name has now; and
what an old day could not know is neither yes nor no, anywhere.
"""

import importlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from components import contract
from components.contract import ExitCode
from components.features import windows_files
from components.features.log_actions import LogActions
from components.quality.day_statistics import STATISTICS_FILE
from components.release import releases
from components.settings.loading import load
from components.store.artifacts import Artifact, Store
from phoenix.data.hashing import HashSpec
from phoenix.data.windows import unpack_actions

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")
NEXT = "2026-03-04"
DATA_STEPS = ("ingest_events", "validate_events", "build_features")
MODEL_STEPS = tuple(name for name in contract.STEPS if name not in DATA_STEPS)
COLUMNS = ("clicked", "liked", "shared", "rating")
NUM_USERS, NUM_POSTS, SESSIONS, LENGTH = 30, 12, 3, 4
CLICK = "{name: click, column: clicked, weight: 1}"
LIKE = "{name: like, column: liked, weight: 2, is_positive: true}"
SHARE = "{name: share, column: shared, weight: 3}"
GOOD = "{name: good, column: rating, at_least: 4, weight: 1}"
BEFORE = (CLICK, LIKE, SHARE)
_CONFIG = """
store: store
first_day: 2026-03-01
ingest_events:
  source:
    layout: columns
    events: log/{day}.csv
    overrun_minutes: 0
    event_columns: {user_id: user, post_id: post, shown_at: time}
    posts: posts.csv
    post_columns: {post_id: post, author_id: author, created_at: written}
hashing: {user_rows: 100, post_rows: 100, author_rows: 50}
build_features: {history_length: 8, num_candidates: 4, window_minutes: 60}
baseline: {feature_users: 1}
train_retrieval: {model: &model {emb_size: 8, num_layers: 1, num_heads: 1, key_size: 8}, \
min_windows: 10, batch_size: 32, epochs: 1}
train_ranker: {model: *model, min_windows: 10, batch_size: 32, epochs: 1}
evaluate_models: {retrieval_k: 5}
materialize_feeds: {num_retrieved: 8, feed_length: 4, seen_days: 1}
publish_feeds: {min_coverage: 0.1}
actions: [%s]
"""


@dataclass(frozen=True)
class Deployment:
    """A log of four days, its store and its configuration."""

    root: Path

    def configure(self, *actions: str) -> None:
        """Writes the configuration with a list of actions."""
        (self.root / "phoenix.yaml").write_text(_CONFIG % ", ".join(actions))

    def run(self, name: str, day: str, **options: object) -> int:
        """Runs the real main of a step; returns its exit code."""
        if name in ("materialize_feeds", "publish_feeds"):
            options["num_shards"] = 1
        argv = contract.STEPS[name].argv(config=str(self.root / "phoenix.yaml"), day=day, **options)
        return importlib.import_module(f"components.{name}").main(argv)

    def run_all(self, day: str, steps: tuple[str, ...] = DATA_STEPS) -> None:
        """Runs steps that must all be done."""
        for name in steps:
            assert self.run(name, day) == ExitCode.DONE, (name, day)

    def artifact(self, kind: str, day: str) -> Artifact:
        """The current artifact of a day."""
        store = Store(str(self.root / "store"))
        ref = store.head(kind, day)
        assert ref is not None
        return store.read(ref)

    def told(self) -> dict[tuple[int, int, int], dict[str, str]]:
        """What the log says of each impression: user, post, time -> the cells of the actions."""
        rows = {}
        for file in sorted((self.root / "log").iterdir()):
            header, *lines = file.read_text().splitlines()
            for line in lines:
                row = dict(zip(header.split(","), line.split(","), strict=True))
                rows[int(row["user"]), int(row["post"]), int(row["time"])] = row
        return rows

    def windows(self, day: str):
        """The windows of a day as a reader of the configuration of today gets them."""
        features = self.artifact("build_features", day)
        actions = LogActions.of_features(features.manifest, load(self.root / "phoenix.yaml"))
        return windows_files.read_windows(
            features.folder, spec=HashSpec.documented(), actions=actions
        )


def write_log(root: Path) -> None:
    """Four days on which every user has a few sessions; users like posts of their own kind."""
    draw = np.random.default_rng(5)
    (root / "log").mkdir(parents=True)
    posts = [f"{post},{post % 5 + 1},{1_700_000_000_000}" for post in range(1, NUM_POSTS + 1)]
    (root / "posts.csv").write_text("\n".join(["post,author,written", *posts]) + "\n")
    for number, day in enumerate((*DAYS, NEXT)):
        start = int(np.datetime64(day, "ms").astype(int))
        lines = [f"user,post,time,{','.join(COLUMNS)}"]
        for user in range(1, NUM_USERS + 1):
            for session in range(SESSIONS):
                posts = draw.permutation(np.arange(1, NUM_POSTS + 1))[:LENGTH]
                for place, post in enumerate(posts.tolist()):
                    time = start + (session * 4 + number) * 3_600_000 + user * 1000 + place * 60_000
                    liked = int(draw.random() < (0.8 if (user + post) % 2 else 0.1))
                    values = (int(draw.random() < 0.5), liked, int(draw.random() < 0.3))
                    cells = (user, post, time, *values, draw.integers(1, 6))
                    lines.append(",".join(map(str, cells)))
        (root / "log" / f"{day}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def three_days(tmp_path_factory) -> Deployment:
    """Three days of which the last has a trained model that is live."""
    deployment = Deployment(tmp_path_factory.mktemp("actions"))
    write_log(deployment.root)
    deployment.configure(*BEFORE)
    for day in DAYS:
        deployment.run_all(day)
    deployment.run_all(DAYS[0], MODEL_STEPS)
    deployment.run_all(DAYS[2], MODEL_STEPS[:2])
    promotion = {"force": "promote", "reason": "a trained model to begin with"}
    assert deployment.run("evaluate_models", DAYS[2], **promotion) == ExitCode.DONE
    deployment.run_all(DAYS[2], MODEL_STEPS[3:])
    return deployment


@pytest.fixture
def deployment(three_days, tmp_path) -> Deployment:
    """A copy of the three days, free to be changed."""
    shutil.copytree(three_days.root, tmp_path / "copy")
    return Deployment(tmp_path / "copy")


def check_windows(deployment: Deployment, day: str, expected: dict[str, str | None]) -> None:
    """Compares the bits of all windows with the log.

    Args:
      deployment: The store.
      day: Whose windows.
      expected: By action, in order: its column, whose cells are 0 and 1, or 4 and 5 for a yes in
        `rating`; with the first day that knows it after an "@" where the days before do not.
    """
    windows, told = deployment.windows(day), deployment.told()
    names = load(deployment.root / "phoenix.yaml").action_names
    assert names == tuple(expected)
    parts = [
        (
            side,
            windows.user_ids[:, None],
            *(getattr(windows, f"{side}_{x}") for x in ("post_ids", "shown_at")),
            bits,
            unknown,
        )
        for side, bits, unknown in (
            ("history", windows.history_actions, windows.history_unknown_actions),
            ("candidate", windows.labels, windows.label_unknown_actions),
        )
    ]
    num_old = 0
    for _, users, posts, times, bits, unknown in parts:
        users = np.broadcast_to(users, posts.shape)
        done = unpack_actions(bits, len(names))
        masked = np.zeros_like(done) if unknown is None else unpack_actions(unknown, len(names))
        for place in zip(*np.nonzero(posts), strict=True):
            row = told[int(users[place]), int(posts[place]), int(times[place])]
            shown_on = str(np.datetime64(int(times[place]), "ms"))[:10]
            num_old += shown_on < NEXT
            for a, name in enumerate(names):
                column, _, since = expected[name].partition("@")
                is_known = shown_on >= since
                said = int(row[column]) >= 4 if column == "rating" else row[column] == "1"
                assert masked[(*place, a)] == (not is_known), (name, shown_on)
                assert done[(*place, a)] == (is_known and said), (name, shown_on)
    assert num_old > 100 or day == DAYS[0]  # histories reach back into the days before the change


CHANGES = {
    "nothing": (BEFORE, {"click": "clicked", "like": "liked", "share": "shared"}),
    "reordered": (
        (SHARE, CLICK, LIKE),
        {"share": "shared", "click": "clicked", "like": "liked"},
    ),
    "removed": ((LIKE, SHARE), {"like": "liked", "share": "shared"}),
    "appended": (
        (*BEFORE, GOOD),
        {"click": "clicked", "like": "liked", "share": "shared", "good": f"rating@{NEXT}"},
    ),
    "renamed without a word": (
        (CLICK, LIKE.replace("name: like", "name: favorite"), SHARE),
        {"click": "clicked", "favorite": f"liked@{NEXT}", "share": "shared"},
    ),
    "renamed": (
        (CLICK, LIKE.replace("name: like", "name: favorite, formerly: [like]"), SHARE),
        {"click": "clicked", "favorite": "liked", "share": "shared"},
    ),
    "everything at once": (
        (GOOD, SHARE, LIKE.replace("name: like", "name: favorite, formerly: [like]")),
        {"good": f"rating@{NEXT}", "share": "shared", "favorite": "liked"},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_bits_of_every_day_are_read_by_name(change: str, deployment: Deployment) -> None:
    actions, expected = CHANGES[change]
    deployment.configure(*actions)
    deployment.run_all(NEXT)
    check_windows(deployment, NEXT, expected)
    # Features of an old day, which nobody built again, read as training reads them.
    old = {name: column.replace(f"@{NEXT}", "@9999") for name, column in expected.items()}
    check_windows(deployment, DAYS[2], old)
    statistics = json.loads(
        deployment.artifact("validate_events", NEXT).path(STATISTICS_FILE).read_text()
    )
    rates = {name for name in statistics["metrics"] if name.startswith("action_rates/")}
    assert rates == {f"action_rates/{name}" for name in expected}


def test_a_day_that_was_not_ingested_again_does_not_know_the_new_action(deployment) -> None:
    deployment.configure(*BEFORE, GOOD)
    deployment.run_all(DAYS[2], ("validate_events", "build_features"))
    validated = deployment.artifact("validate_events", DAYS[2]).facts
    assert validated["unknown_actions"] == ["good"]
    assert "good" not in validated["statistics"]["action_rates"]
    deployment.run_all(DAYS[2])  # with its ingestion, it does
    assert deployment.artifact("validate_events", DAYS[2]).facts["unknown_actions"] == []
    expected = {"click": "clicked", "like": "liked", "share": "shared", "good": f"rating@{DAYS[2]}"}
    check_windows(deployment, DAYS[2], expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (CLICK.replace("clicked", "shared"), "column 'clicked'; now column 'shared'"),
        (CLICK.replace("clicked", "clicked, values: ['0']"), "now column 'clicked', values ['0']"),
        (GOOD.replace("good, column: rating", "click, column: clicked"), "at_least 4"),
    ],
)
def test_an_action_of_another_meaning_is_refused_by_name(change, words, deployment, caplog) -> None:
    deployment.configure(change, LIKE, SHARE)
    deployment.run_all(NEXT, DATA_STEPS[:2])
    for step in ("build_features", "train_ranker", "train_retrieval", "evaluate_models"):
        day = NEXT if step == "build_features" else DAYS[2]
        caplog.clear()
        assert deployment.run(step, day) == ExitCode.BAD_DATA, step
        message = caplog.text
        assert "the action 'click' had another meaning on 2026-03-0" in message
        assert words in message
        assert "`phoenix step ingest_events --day 2026-03-0" in message
    for day in (*DAYS, NEXT):  # what the message says
        for step in DATA_STEPS:
            assert deployment.run(step, day) in (ExitCode.DONE, ExitCode.NOTHING_TO_DO)


def test_rows_of_another_meaning_are_refused_before_they_are_validated(deployment, caplog) -> None:
    deployment.configure(CLICK.replace("clicked", "shared"), LIKE, SHARE)
    assert deployment.run("validate_events", DAYS[2]) == ExitCode.BAD_DATA
    assert "the action 'click' had another meaning on 2026-03-03" in caplog.text


def test_a_column_of_another_name_is_no_other_meaning(deployment) -> None:
    file = deployment.root / "log" / f"{NEXT}.csv"
    file.write_text(file.read_text().replace("clicked", "is_click"))
    deployment.configure(
        CLICK.replace("column: clicked", "column: is_click, formerly: [clicked]"), LIKE, SHARE
    )
    # Yesterday's file, which may run on into the day, has the old name.
    yesterday = deployment.root / "log" / f"{DAYS[2]}.csv"
    midnight = int(np.datetime64(NEXT, "ms").astype(int))
    with yesterday.open("a") as text:
        text.write(f"1,5,{midnight + 60_000},1,0,0,3\n")
    config = deployment.root / "phoenix.yaml"
    config.write_text(config.read_text().replace("overrun_minutes: 0", "overrun_minutes: 5"))
    deployment.run_all(NEXT)
    ingested = deployment.artifact("ingest_events", NEXT)
    rows = pq.read_table(ingested.paths("events.parquet")).to_pylist()
    assert [row["actions"] for row in rows if row["file"] == yesterday.name] == [1]
    assert deployment.artifact("build_features", NEXT).facts["unknown_actions"] == {}


def test_a_changed_list_goes_live_by_name(deployment, caplog) -> None:
    old = deployment.artifact("publish_release", DAYS[2]).facts
    deployment.configure(*CHANGES["everything at once"][0])
    deployment.run_all(NEXT)
    deployment.run_all(NEXT, MODEL_STEPS)
    store = Store(str(deployment.root / "store"))
    live = releases.live(store)
    assert live is not None
    assert live.day.isoformat() == NEXT
    assert old["actions"] == ["click", "like", "share"]
    released = deployment.artifact("publish_release", NEXT)
    assert released.facts["actions"] == ["good", "share", "favorite"]
    assert released.facts["weights"] == [1, 3, 2]
    evaluated = deployment.artifact("evaluate_models", NEXT)
    reasons = " ".join(evaluated.facts["ranker"]["reasons"])
    assert "the champion of 2026-03-03 does not know good" in reasons
    metrics = json.loads(evaluated.path("metrics.json").read_text())["ranker"]
    assert set(metrics["champion"]["actions"]) == {"share", "favorite"}
    assert set(metrics["candidate"]["actions"]) == {"good", "share", "favorite"}
    # The champion goes on: its day is not trained on again, and what it knows keeps its weights.
    for step in ("train_retrieval", "train_ranker"):
        facts = deployment.artifact(step, NEXT).facts
        assert (facts["started_from"], facts["partitions"]) == (DAYS[2], [DAYS[2]])
        assert (facts["new_actions"], facts["scratch_reason"]) == (["good"], None)
    page = deployment.root / "store" / "pages" / NEXT / "index.html"
    assert "which does not know good" in page.read_text()
    trained = deployment.artifact("train_ranker", NEXT)
    assert [each["name"] for each in trained.facts["actions"]] == ["good", "share", "favorite"]
    # Of an action that no day of the training knew, there is no metric, and no error.
    assert not any(name.endswith("/good") for name in trained.facts["last_point"])
    assert any(name.endswith("/favorite") for name in trained.facts["last_point"])


def test_a_champion_that_is_carried_on_answers_by_name(deployment) -> None:
    deployment.configure(SHARE, CLICK, LIKE)
    deployment.run_all(NEXT)
    for step in ("train_retrieval", "train_ranker"):
        assert deployment.run(step, NEXT, retrain="never") == ExitCode.DONE
    deployment.run_all(NEXT, MODEL_STEPS[2:])
    champion = deployment.artifact("publish_release", DAYS[2]).facts["ranker"]
    carried = deployment.artifact("publish_release", NEXT).facts["ranker"]
    assert (carried["digest"], carried["folder"]) == (champion["digest"], "ranker")
    assert [each["name"] for each in carried["actions"]] == ["click", "like", "share"]
    # The same model judged on the same day under the old list: the same numbers by name.
    metrics = {}
    for name, actions in (("new", None), ("old", BEFORE)):
        if actions is not None:
            deployment.configure(*actions)
            for step in (*DATA_STEPS, "evaluate_models"):
                deployment.run(step, NEXT)
        content = deployment.artifact("evaluate_models", NEXT).path("metrics.json").read_text()
        metrics[name] = json.loads(content)
    assert metrics["new"]["ranker"]["champion"] == metrics["old"]["ranker"]["champion"]
    assert metrics["new"]["retrieval"]["champion"] == metrics["old"]["retrieval"]["champion"]


def test_the_message_names_each_day_once(deployment, caplog) -> None:
    deployment.configure(CLICK.replace("clicked", "shared"), LIKE, SHARE)
    assert deployment.run("train_ranker", NEXT) == ExitCode.BAD_DATA
    days = re.findall(r"meaning on ([-, 0-9]+) \(", caplog.text)
    assert days == [", ".join(DAYS)]
