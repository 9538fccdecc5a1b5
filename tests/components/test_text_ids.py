"""Ids that are text come back as the source writes them, whatever the order of the days."""

import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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


@pytest.fixture(params=["log.csv", "{day}.csv"], ids=["one file", "a file a day"])
def text_log(request, deployment: Deployment) -> Deployment:
    """A log whose ids are all text."""
    write_log(deployment, request.param)
    return deployment


def test_a_day_keeps_the_texts_of_its_users_and_of_all_posts_that_are_known(text_log) -> None:
    for day in DAYS:
        assert text_log.run("ingest_events", day)[0] == 0
    assert texts(text_log, "ingest_events", DAYS[1]) == {
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
    texts = r"post_id: the texts 'SKU-000\d' and 'SKU-0053' have one number, 9"
    assert re.search(texts, outcome["error"])


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
