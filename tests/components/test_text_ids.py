"""Ids that are text come back as the source writes them, whatever the order of the days."""

import importlib
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import contract
from components.cli import app
from components.contract import ExitCode
from components.tables import cells, id_texts
from tests.components.small_log import Deployment

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
TEXT_IDS = """
ingest_events:
  source:
    layout: columns
    events: source/{events}
    time_unit: iso
    event_columns: {{user_id: who, post_id: what, author_id: by, shown_at: at}}
    text_ids: {{user_id: "@", post_id: "", author_id: "/"}}
"""
LOG = {
    DAYS[0]: [("u-1@x", "SKU-0053", "acme/shoes"), ("u-2@y", "SKU-0001", "acme/hats")],
    DAYS[1]: [("u-1@z", "SKU-0007", "zeta/x")],
    DAYS[2]: [("u-3@x", "SKU-0053", "acme/shoes"), ("", "SKU-9", "acme/hats")],
}
HEADER = "who,what,by,at,is_like,is_click\n"
NAMES = ("user_id", "post_id", "author_id")


def write_log(deployment: Deployment, events: str, log=LOG) -> None:
    """Writes a log in one file, or in one a day."""
    deployment.source.mkdir(exist_ok=True)
    lines = {
        day: [f"{user},{post},{by},{day}T10:00:{n:02d}Z,0,1\n" for n, (user, post, by) in rows]
        for day, rows in ((day, enumerate(rows)) for day, rows in log.items())
    }
    if events == "log.csv":
        text = HEADER + "".join(line for day in lines.values() for line in day)
        (deployment.source / events).write_text(text)
    else:
        for day, of_day in lines.items():
            (deployment.source / f"{day}.csv").write_text(HEADER + "".join(of_day))
    deployment.configure(TEXT_IDS.format(events=events))


def texts(deployment: Deployment, step: str, day: str) -> dict[str, set[str]]:
    """The texts in the current artifact of a step."""
    found = id_texts.read_all(deployment.artifact(step, day).folder)
    return {name: set(part.texts.to_pylist()) for name, part in found.items()}


def text_id(text: str, end: str = "") -> int:
    return int(cells.parse_text_id(pa.array([text]), end)[0][0])


NAMED_POSTS = """
ingest_events:
  source:
    layout: columns
    events: source/{day}.csv
    posts: source/posts.csv
    time_unit: iso
    event_columns: {user_id: who, post_id: what, shown_at: at}
    post_columns: {post_id: sku, author_id: shop, title: name}
    text_ids: {user_id: "@", post_id: "", author_id: ""}
hashing: {user_rows: 64, post_rows: 64, author_rows: 16}
build_features: {history_length: 4, num_candidates: 2}
materialize_feeds: {users: all, feed_length: 4, num_retrieved: 4, seen_days: 1}
publish_feeds: {min_coverage: 0.0}
report: {show_user_ids: true, num_example_feeds: 2}
"""
POSTS = """sku,shop,name
SKU-0053,acme,"Shoes, red"
SKU-0001,acme,[Hat]
SKU-0007,zeta,
SKU-9,zeta,Scarf
"""


@pytest.fixture(scope="module")
def published_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of a log with text ids and titles; the second is published."""
    folder = tmp_path_factory.mktemp("published")
    deployment = Deployment(folder, None)  # type: ignore[arg-type]
    write_log(deployment, "{day}.csv")
    (deployment.source / "posts.csv").write_text(POSTS)
    deployment.configure(NAMED_POSTS)
    data_steps = ("ingest_events", "validate_events", "build_features")
    for day, steps in ((DAYS[0], data_steps), (DAYS[1], tuple(contract.STEPS))):
        for step in steps:
            argv = ["--config", str(folder / "phoenix.yaml"), "--day", day]
            assert importlib.import_module(f"components.{step}").main(argv) == 0, step
    return folder


def phoenix(folder: Path, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Runs a command, which must succeed; returns what it prints."""
    capsys.readouterr()
    assert app.app([*argv, "-c", str(folder / "phoenix.yaml")]) == 0
    return capsys.readouterr().out


@pytest.fixture(params=["log.csv", "{day}.csv"], ids=["one file", "a file a day"])
def text_log(request, deployment: Deployment) -> Deployment:
    """A log whose ids are all text."""
    write_log(deployment, request.param)
    return deployment


def test_a_day_keeps_the_texts_of_its_users_and_of_all_posts_that_are_known(text_log) -> None:
    for day in DAYS:
        assert text_log.run("ingest_events", day)[0] == 0
    for day in DAYS[:2]:  # the third has a row without a user
        assert text_log.run("validate_events", day)[0] == 0
    assert texts(text_log, "ingest_events", DAYS[1])["post_id"] == {"SKU-0007"}
    assert texts(text_log, "validate_events", DAYS[1]) == {
        "user_id": {"u-1"},
        "post_id": {"SKU-0053", "SKU-0001", "SKU-0007"},
        "author_id": {"acme", "zeta"},
    }
    assert texts(text_log, "ingest_events", DAYS[2])["user_id"] == {"u-3"}
    for day in DAYS:
        artifact = text_log.artifact("ingest_events", day)
        of_day = id_texts.read_all(artifact.folder)
        for file in ("events.parquet", "posts.parquet"):
            table = pq.read_table(artifact.path(file))
            for name in set(NAMES) & set(table.column_names):
                names = of_day[name].names_of(table[name].to_numpy())
                assert not any(text.isdigit() for text in names)
        assert artifact.facts["texts"] == {name: len(part.ids) for name, part in of_day.items()}


def test_days_may_be_made_in_any_order(text_log, tmp_path: Path) -> None:
    for day in DAYS:
        text_log.run("ingest_events", day)
    keys = [text_log.store.head("ingest_events", day) for day in DAYS]
    shutil.rmtree(text_log.root / "store")
    for day in reversed(DAYS):
        text_log.run("ingest_events", day)
    assert [text_log.store.head("ingest_events", day) for day in DAYS] == keys


def test_a_log_whose_ids_are_numbers_has_no_file_more(deployment, row) -> None:
    deployment.log([row(0)])
    deployment.run("ingest_events")
    files = deployment.artifact("ingest_events").manifest["files"]
    assert not [name for name in files if "texts" in name]
    assert "texts" not in deployment.artifact("ingest_events").facts


def test_two_texts_with_one_number_end_the_step_with_both_and_their_column(
    text_log, monkeypatch
) -> None:
    monkeypatch.setattr(cells, "_text_id", lambda text: 1 + len(text))  # a hash far too short
    code, outcome = text_log.run("ingest_events", DAYS[0])
    assert code == ExitCode.BAD_DATA
    message = "user_id: the texts 'u-1' and 'u-2' have one number, 4"
    assert message in outcome["error"]


def test_a_forgotten_user_is_in_no_file_of_texts(text_log) -> None:
    (text_log.root / "forgotten.txt").write_text("u-1\n")
    path = text_log.root / "phoenix.yaml"
    list_file = "ingest_events:\n  erased_users: forgotten.txt\n"
    path.write_text(path.read_text().replace("ingest_events:\n", list_file))
    text_log.run("ingest_events", DAYS[0])
    assert texts(text_log, "ingest_events", DAYS[0])["user_id"] == {"u-2"}
    for file in text_log.artifact("ingest_events", DAYS[0]).folder.iterdir():
        if file.suffix == ".parquet":
            assert "u-1" not in json.dumps(pq.read_table(file).to_pylist(), default=str)


def test_a_feed_is_found_and_shown_by_the_ids_of_the_source(published_folder, capsys) -> None:
    out = phoenix(published_folder, capsys, "feed", "u-2")
    assert f"Feed of user u-2 on {DAYS[1]}" in out, "of the state: the user was there a day ago"
    assert "SKU-0053" in out
    assert "Shoes, red" in out
    assert "[Hat]" in out
    assert "phoenix why u-2 POST" in out
    assert phoenix(published_folder, capsys, "feed", "u-2@elsewhere") == out


def test_json_names_ids_as_strings_and_titles(published_folder, capsys) -> None:
    feed = json.loads(phoenix(published_folder, capsys, "feed", "u-1", "--json"))
    assert feed["user_id"] == "u-1"
    titles = {item["post_id"]: item["title"] for item in feed["items"]}
    known = {"SKU-0053": "Shoes, red", "SKU-0001": "[Hat]", "SKU-0007": None, "SKU-9": "Scarf"}
    assert titles
    assert titles.items() <= known.items()
    assert {item["author_id"] for item in feed["items"]} <= {"acme", "zeta"}
    why = json.loads(phoenix(published_folder, capsys, "why", "u-1", min(titles), "--json"))
    assert (why["user_id"], why["post_id"]) == ("u-1", min(titles))
    assert why["title"] == titles[min(titles)]
    absent = json.loads(phoenix(published_folder, capsys, "why", "u-1", "SKU-0007", "--json"))
    assert (absent["post_id"], absent["item"]) == ("SKU-0007", None)
    assert absent["reasons"] == [f"The user was shown it on {DAYS[1]} already."]


def test_a_user_without_a_feed_is_named_by_the_text(published_folder, capsys) -> None:
    config = str(published_folder / "phoenix.yaml")
    assert app.app(["feed", "u-77", "-c", config]) == ExitCode.DONE
    assert "Feed of user u-77 on 2026-01-02 (the default feed" in capsys.readouterr().out
    assert app.app(["feed", "@x", "-c", config]) == ExitCode.BAD_CONFIGURATION
    assert "The user '@x' is no id: expected text before '@'" in capsys.readouterr().err


def test_the_files_of_feeds_have_columns_of_text(published_folder) -> None:
    deployment = Deployment(published_folder, None)  # type: ignore[arg-type]
    feeds = deployment.table("publish_feeds", "feeds.parquet", DAYS[1])
    assert set(feeds["user"].to_pylist()) == {"u-1", "u-2"}
    assert set(feeds["author"].to_pylist()) <= {"acme", "zeta"}
    for user_id, user in zip(feeds["user_id"].to_pylist(), feeds["user"].to_pylist(), strict=True):
        assert user_id == text_id(user)


def test_pages_show_texts_and_titles(published_folder) -> None:
    page = (published_folder / f"store/pages/{DAYS[1]}/index.html").read_text()
    assert "post SKU-0053 <em>Shoes, red</em>" in page
    assert "u-2" in page


def test_quarantined_rows_are_shown_mended_and_replayed_by_text(
    published_folder, tmp_path, capsys
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(published_folder, folder)
    log = folder / f"source/{DAYS[2]}.csv"
    log.write_text(HEADER + f"u-8@x,SKU-9,x,{DAYS[2]}T01:00:00Z,0,1\n" * 2)
    config = (folder / "phoenix.yaml").read_text()
    config = config.replace("event_columns: {", "event_columns: {surface: is_like, ")
    config = config.replace("is_like, is_positive", "is_click, is_positive")
    log.write_text(log.read_text().replace(",0,1", ",77,1", 1))
    config += "validate_events: {repairs: repairs, max_quarantined_share: 1.0}\n"
    (folder / "phoenix.yaml").write_text(config)
    for step in ("ingest_events", "validate_events"):
        argv = ["--config", str(folder / "phoenix.yaml"), "--day", DAYS[2]]
        assert importlib.import_module(f"components.{step}").main(argv) == 0
    rows = json.loads(phoenix(folder, capsys, "quarantine", "show", "--day", DAYS[2], "--json"))
    assert [(row["user"], row["post_id"]) for row in rows] == [("u-8", "SKU-9")]
    (folder / "repairs").mkdir()
    file = folder / f"repairs/{DAYS[2]}.csv"
    phoenix(folder, capsys, "quarantine", "export", "--day", DAYS[2], "--to", str(file))
    assert '"u-8","SKU-9"' in file.read_text()
    file.write_text(file.read_text().replace("u-8", "u-9").replace(",77,", ",1,"))
    phoenix(folder, capsys, "quarantine", "replay", "--day", DAYS[2])
    assert texts(Deployment(folder, capsys), "validate_events", DAYS[2])["user_id"] == {
        "u-8",
        "u-9",
    }


def test_a_user_listed_later_leaves_new_versions_and_the_search_names_the_files(
    published_folder, tmp_path, capsys
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(published_folder, folder)
    (folder / "forgotten.txt").write_text("u-2\n")
    path = folder / "phoenix.yaml"
    list_file = "ingest_events:\n  erased_users: forgotten.txt\n"
    path.write_text(path.read_text().replace("ingest_events:\n", list_file))
    config = ["-c", str(path)]
    assert app.app(["erasure", "report", "--json", *config]) == ExitCode.BAD_DATA
    traces = json.loads(capsys.readouterr().out.split("\n", 0)[0])["traces"]
    assert "user_texts.parquet" in {trace["file"] for trace in traces}
    steps = ("ingest_events", "validate_events", "build_features")
    for day in DAYS[:2]:
        for step in steps:
            argv = ["--config", str(path), "--day", day]
            assert importlib.import_module(f"components.{step}").main(argv) == 0
    for step in steps:
        for day in DAYS[:2]:
            found = texts(Deployment(folder, capsys), step, day)
            assert found["user_id"] == {"u-1"}, (step, day)
