"""Logs in which a row is a list of posts, from the files through the data steps."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.cli import app
from components.contract import ExitCode
from tests.components.small_log import DAY, START, Deployment

CONFIG = """
store: store
first_day: 2026-01-01
actions: [{name: click, column: %s, is_positive: true}]
validate_events: {max_quarantined_share: 1.0, min_accepted_rows: 0, repairs: repairs}
ingest_events:
  source:
    layout: columns
    events: source/%s
    time_unit: s
    text_ids: {user_id: "", post_id: "", author_id: ""}
    rows: slates
%s
"""
MIND = """
    event_names: [slate, user, ts, history, shown]
    event_columns:
      {user_id: user, post_id: shown.post, author_id: shown.post, shown_at: ts, request_id: slate}
    slates: {lists: [shown], separator: " ", parts: [post, label]}
"""
SECOND = START // 1000
Write = Callable[..., None]


@pytest.fixture
def write(deployment: Deployment) -> Write:
    """Writes a configuration and, of text, its log."""

    def configure(
        name: str, text: str = "", *, source: str = MIND, label: str = "shown.label"
    ) -> None:
        deployment.source.mkdir(exist_ok=True)
        if text:
            (deployment.source / name).write_text(text)
        (deployment.root / "phoenix.yaml").write_text(CONFIG % (label, name, source))

    return configure


def tsv(*rows: tuple[str, ...], start: int = SECOND) -> str:
    """Rows of a user and a list, a second apart."""
    lines = [
        f"{n}\t{user}\t{start + n}\tN9\t{shown}" for n, (user, shown) in enumerate(rows, start=1)
    ]
    return "\n".join(lines) + "\n"


def run(deployment: Deployment, *steps: str) -> dict:
    facts = {}
    for step in steps or ("ingest_events", "validate_events"):
        code, facts = deployment.run(step)
        assert code == ExitCode.DONE, facts
    return facts


def accepted(deployment: Deployment) -> list[dict]:
    return deployment.table("validate_events", "accepted.parquet").to_pylist()


def quarantined(deployment: Deployment) -> list[dict]:
    return deployment.table("validate_events", "quarantined.parquet").to_pylist()


def test_a_line_becomes_a_row_for_each_post_with_label_place_and_request(deployment, write) -> None:
    write("behaviors.tsv", tsv(("U1", "N1-1 N2-0 N3-0"), ("U2", "N1-0")))
    facts = run(deployment)
    assert facts["files"] == [
        {
            "file": "behaviors.tsv", "rows_in": 4, "accepted": 4, "duplicate": 0,
            "quarantined": 0, "late": 0,
        }
    ]  # fmt: skip
    rows = sorted(accepted(deployment), key=lambda row: (row["request_id"], row["position"]))
    assert [(row["request_id"], row["position"], row["actions"]) for row in rows] == [
        ("1", 1, 1),
        ("1", 2, 0),
        ("1", 3, 0),
        ("2", 1, 0),
    ]
    assert len({row["post_id"] for row in rows}) == 3
    assert len({row["shown_at"] for row in rows[:3]}) == 1
    events = deployment.table("ingest_events", "events.parquet").to_pylist()
    assert [(row["line"], row["entry"]) for row in events] == [(1, 1), (1, 2), (1, 3), (2, 1)]


def test_a_malformed_entry_is_rejected_by_line_and_place_and_its_line_is_not(
    deployment, write
) -> None:
    write("behaviors.tsv", tsv(("U1", "N1-1 N2 N3-0"), ("U2", "N1-x N4-1")))
    facts = run(deployment)
    assert (facts["rows_in"], facts["accepted"], facts["quarantined"]) == (5, 3, 2)
    first, second = quarantined(deployment)
    assert (first["line"], first["entry"], first["rule"]) == (1, 2, "malformed_entry")
    assert first["detail"] == "shown: expected post-label, 2 parts, got 'N2'"
    assert json.loads(first["raw"])["user"] == "U1", "erasure must find whose row it is"
    assert (second["line"], second["entry"], second["rule"]) == (2, 1, "unreadable_flag")
    words = ["quarantine", "show", "--json", "--day", DAY]
    assert app.app([*words, "--config", str(deployment.root / "phoenix.yaml")]) == 0
    shown = json.loads(deployment.capsys.readouterr().out)
    assert [row["place"] for row in shown] == ["behaviors.tsv:1[2]", "behaviors.tsv:2[1]"]


def test_an_empty_list_is_a_slate_without_posts_counted_and_no_row(
    deployment, write, caplog
) -> None:
    write("behaviors.tsv", tsv(("U1", "N1-1"), ("U2", ""), ("U3", "NULL")))
    facts = run(deployment, "ingest_events")
    assert (facts["rows_in"], facts["empty_slates"]) == (1, 2)
    assert "2 slates are without posts" in caplog.text
    assert run(deployment, "validate_events")["accepted"] == 1


def test_a_row_that_cannot_be_read_rejects_each_of_its_posts(deployment, write) -> None:
    text = tsv(("U1", "N1-1 N2-0"), ("", "N1-1 N2-0")) + "3\tU3\n"
    write("behaviors.tsv", text)
    facts = run(deployment)
    assert (facts["rows_in"], facts["quarantined"]) == (5, 3)
    places = [(row["line"], row["entry"], row["rule"]) for row in quarantined(deployment)]
    # A row of other columns is one row: nobody knows of how many posts.
    assert sorted(places, key=str) == [
        (2, 1, "missing_value"),
        (2, 2, "missing_value"),
        (3, None, "malformed_row"),
    ]


def test_an_entry_is_mended_and_replayed_by_its_place(deployment, write) -> None:
    write("behaviors.tsv", tsv(("U1", "N1-1 N2 N3-0"), ("U2", "N2 N4-0")))
    assert run(deployment)["quarantined"] == 2
    config = ["--config", str(deployment.root / "phoenix.yaml"), "--day", DAY]
    path = deployment.root / "repairs" / f"{DAY}.csv"
    path.parent.mkdir()
    assert app.app(["quarantine", "export", "--to", str(path), *config]) == 0
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [(row["line"], row["entry"]) for row in rows] == [("1", "2"), ("2", "1")]
    values = {
        "user_id": "U1", "post_id": "N2", "author_id": "N2", "shown_at": f"{DAY} 00:00:01Z",
        "ingested_at": f"{DAY} 00:00:01Z", "surface": "0", "actions": "click", "dwell_seconds": "0",
    }  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerow(rows[0] | values)
    assert app.app(["quarantine", "replay", *config]) == 0
    (left,) = quarantined(deployment)
    assert (left["line"], left["entry"]) == (2, 1)
    facts = deployment.artifact("validate_events").facts
    assert (facts["rows_in"], facts["accepted"], facts["quarantined"]) == (5, 4, 1)


def test_nothing_of_a_forgotten_user_stays_but_line_and_place(deployment, write) -> None:
    write("behaviors.tsv", tsv(("U1", "N1-1 N2"), ("U2", "N1-1")))
    (deployment.root / "erased.txt").write_text("U1\n")
    config = deployment.root / "phoenix.yaml"
    section = "ingest_events:\n  erased_users: erased.txt"
    config.write_text(config.read_text().replace("ingest_events:", section))
    facts = run(deployment)
    assert (facts["accepted"], facts["quarantined_by_rule"]) == (1, {"erased": 2})
    assert [(row["line"], row["entry"], row["raw"]) for row in quarantined(deployment)] == [
        (1, 2, ""),
        (1, 1, ""),
    ]


def test_a_slate_that_is_told_twice_repeats_its_posts(deployment, write) -> None:
    rows = tsv(("U1", "N1-1 N2-0"))
    source = MIND.replace("request_id: slate", "source_event_id: slate")
    write("behaviors.tsv", rows + rows, source=source)
    facts = run(deployment)
    assert (facts["rows_in"], facts["accepted"], facts["duplicate"]) == (4, 2, 2)
    assert sorted(row["source_event_id"] for row in accepted(deployment)) == ["1[1]", "1[2]"]


OTHER_FORMS = {
    "structures of Parquet": (
        "log.parquet",
        [[{"post": "N1", "label": True}, {"post": "N2", "label": False}], [{"post": "N3"}]],
        "post_id: shown.post, author_id: shown.post",
        "slates: {lists: [shown]}",
        "shown.label",
    ),
    "two lists of JSON": (
        "log.jsonl",
        [["N1", "N2"], ["N3"]],
        "post_id: shown, author_id: shown",
        "slates: {lists: [shown, clicks]}",
        "clicks",
    ),
    "lists of text in Parquet": (
        "log.parquet",
        [["N1-1", "N2-0"], ["N3-0"]],
        "post_id: shown.post, author_id: shown.post",
        "slates: {lists: [shown], parts: [post, label]}",
        "shown.label",
    ),
    "lists of Python in CSV": (
        "log.csv",
        ["['N1-1', 'N2-0']", "['N3-0']"],
        "post_id: shown.post, author_id: shown.post",
        "slates: {lists: [shown], parts: [post, label]}",
        "shown.label",
    ),
}


def write_table(path: Path, table: dict[str, list]) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.table(table), path)
        return
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, table.keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("kind", OTHER_FORMS)
def test_lists_of_every_kind_of_file_give_the_same_rows(deployment, write, kind: str) -> None:
    text = tsv(("U1", "N1-1 N2-0"), ("U2", "N3-0"))
    write("behaviors.tsv", text)
    run(deployment)
    expected = accepted(deployment)
    name, shown, columns, slates, label = OTHER_FORMS[kind]
    source = (
        f"    event_columns: {{user_id: user, shown_at: ts, request_id: slate, {columns}}}\n"
        f"    {slates}\n"
    )
    write(name, source=source, label=label)
    table = {"slate": [1, 2], "user": ["U1", "U2"], "ts": [SECOND + 1, SECOND + 2], "shown": shown}
    write_table(deployment.source / name, table | {"clicks": [[1, 0], [0]]})
    run(deployment)
    assert accepted(deployment) == expected


def test_slates_of_files_by_day_are_of_the_day_of_their_time(deployment, write) -> None:
    source = MIND + "    overrun_minutes: 60\n"
    write("{day}.tsv", source=source)
    late = tsv(("U9", "N8-1 N9-0"), start=SECOND + 86_400)
    (deployment.source / f"{DAY}.tsv").write_text(tsv(("U1", "N1-1 N2-0")) + late)
    (deployment.source / "2026-01-03.tsv").write_text(tsv(("U1", "N7-1"), start=SECOND + 86_400))
    facts = run(deployment)
    assert facts["accepted"] == 2
    assert deployment.artifact("ingest_events").facts["next_day_rows"] == 2
    _, facts = deployment.run("ingest_events", "2026-01-03")
    assert facts["events"] == 3


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("    event_columns: {user_id: user, post_id: shown, author_id: shown, shown_at: ts}\n",
         "`rows: slates` and `slates` belong together"),
        (MIND.replace("post_id: shown.post", "post_id: user"),
         "`post_id` must be of a list that `slates.lists` names, as 'shown', got 'user'"),
        (MIND.replace("user_id: user", "user_id: shown.user"),
         "'user_id' is one for all posts of a slate"),
        (MIND.replace("author_id: shown.post", "author_id: shown.author"),
         "'shown.author' is no part of an entry; `slates.parts` names shown.label, shown.post"),
    ],
)  # fmt: skip
def test_a_mapping_that_is_none_of_slates_is_refused(deployment, write, source, told) -> None:
    write("behaviors.tsv", tsv(("U1", "N1-1")), source=source)
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_CONFIGURATION
    assert told in outcome["error"]


def test_a_member_that_no_entry_has_is_told_by_file(deployment, write) -> None:
    source = "    event_columns: {user_id: user, post_id: s.id, author_id: s.id, shown_at: ts}\n"
    write("log.parquet", source=source + "    slates: {lists: [s]}\n", label="s.clicked")
    columns = {"user": ["U1"], "ts": [SECOND], "s": [[{"id": "N1", "liked": 1}]]}
    pq.write_table(pa.table(columns), deployment.source / "log.parquet")
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_DATA
    assert "log.parquet: expected entries of 's' with a member 'clicked'" in outcome["error"]
