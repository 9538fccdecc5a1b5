"""Forms of logs that people complain about in public, each with its right outcome.

A case is a small log and what the first two steps must make of it: the rows that are accepted, and
the rule and message of those that are not, or the message with which the log is refused.
"""

import datetime
import decimal
import gzip
import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.contract import ExitCode
from tests.components.small_log import DAY, START, Deployment

SECOND = START // 1000
CONFIG = """
store: store
first_day: 2026-01-01
actions: [{name: favorite, column: liked, is_positive: true}]
validate_events: {max_quarantined_share: 1.0, max_duplicate_share: 1.0, min_accepted_rows: 0,
  severities: {any_action: info}}
ingest_events:
  source:
    layout: columns
    events: source/%s
    event_columns: {user_id: user, post_id: item, author_id: item, shown_at: ts%s}
%s
"""
HEADER = "user,item,ts,liked"
TEXT = 'text_ids: {user_id: "", post_id: "", author_id: ""}'
Content = str | bytes | pa.Table


@dataclass(frozen=True, kw_only=True)
class Case:
    """A log, the settings of its source, and the right outcome."""

    content: Content
    name: str = "log.csv"
    settings: str = "time_unit: s"  # of the source
    more: str = ""  # columns
    accepted: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)  # rows in quarantine
    told: str = ""  # in a detail of the quarantine, or in the error of a refusal
    refused: ExitCode | None = None
    check: Callable[[list[dict]], bool] = lambda rows: True  # of accepted rows, by user


def rows(*lines: str, header: str = HEADER) -> str:
    return "\n".join([header, *lines]) + "\n"


def at(time: str) -> str:
    return rows(f"1,1,{time},1")


def seconds(row: dict) -> float:
    return round(row["shown_at"].timestamp() - SECOND, 3)


GOOD = rows(f"1,1,{SECOND},1", f"2,1,{SECOND + 1},0")
MOMENT = datetime.datetime(2026, 1, 2, 10, tzinfo=datetime.UTC)
NESTED = pa.table(
    {
        "user": [{"id": 7}],
        "context": [{"item": {"sku": 9}, "liked": True}],
        "ts": [SECOND],
    }
)
CASES: dict[str, Case] = {
    "dates of Excel as numbers": Case(
        content=rows("1,1,46024.5,1", "2,1,2026-01-02,1"), accepted=1, settings="time_unit: iso",
        rules={"unreadable_time": 1}, told="46024.5 looks like a date of Excel",
    ),
    "nanoseconds since 1970": Case(
        content=at(f"{SECOND}123456789"), settings="time_unit: ns", accepted=1,
        check=lambda came: seconds(came[0]) == 0.123,
    ),
    "nanoseconds that are read as seconds": Case(
        content=rows(f"1,1,{SECOND}000000000,1", f"2,1,{SECOND},1"), accepted=1,
        rules={"unreadable_time": 1}, told="looks like nanoseconds since 1970, `time_unit: ns`",
    ),
    "seconds with a fraction": Case(
        content=at(f"{SECOND}.5"), accepted=1, check=lambda came: seconds(came[0]) == 0.5
    ),
    "a comma before the milliseconds, as loggers write it": Case(
        content=rows('1,1,"2026-01-02 10:00:00,123",1'), settings="time_unit: iso", accepted=1,
        check=lambda came: seconds(came[0]) == 36_000.123,
    ),
    "times with and without an offset": Case(
        content=rows(
            "1,1,2026-01-02T10:00:00+05:30,1", "2,1,2026-01-02T10:00:00Z,1",
            "3,1,2026-01-02 10:00:00,1", "4,1,2026-01-02T10:00:00+0100,1",
        ),
        settings="time_unit: iso\ntime_zone: Europe/Paris", accepted=4,
        check=lambda came: [seconds(row) / 3600 for row in came] == [4.5, 10, 9, 9],
    ),
    "a line break in quotes": Case(
        content=rows(f'1,1,{SECOND},1,"so\nnice"', f'2,1,{SECOND},1,"a ""b"""',
                     header=HEADER + ",comment"),
        accepted=2,
    ),
    "a header that stands in the middle, of files that were put together": Case(
        content=GOOD + rows(f"3,1,{SECOND},1"), accepted=3,
        rules={"unreadable_number": 1}, told="got 'user'",
    ),
    "a delimiter at the end of every line": Case(
        content=GOOD.replace("\n", ",\n"), accepted=2,
    ),
    "a delimiter at the end of every line but the header": Case(
        content=rows(f"1,1,{SECOND},1,", f"2,1,{SECOND},1"), accepted=1,
        rules={"malformed_row": 1}, told="expected 4 columns, got 5",
    ),
    "a decimal comma": Case(
        content=rows(f"1;1;{SECOND};1;3,5", f"2;1;{SECOND};1;3.5",
                     header="user;item;ts;liked;stay"),
        settings='time_unit: s\ndelimiter: ";"', more=", dwell_seconds: stay", accepted=1,
        rules={"unreadable_number": 1}, told="stay: expected a number, got '3,5'",
    ),
    "thousands with separators in an id": Case(
        content=rows(f'"1,234",1,{SECOND},1', f"2,1,{SECOND},1"), accepted=1,
        rules={"unreadable_number": 1}, told="got '1,234'",
    ),
    "an id that a spreadsheet wrote as a power of ten": Case(
        content=rows(f"1.23E+10,1,{SECOND},1", f"2,1,{SECOND},1"), accepted=1,
        rules={"unreadable_number": 1}, told="got '1.23E+10'",
    ),
    "nested objects of JSON": Case(
        content=json.dumps({"user": {"id": 7}, "ctx": {"item": {"sku": 9}}, "ts": SECOND,
                            "liked": 1}) + "\n",
        name="log.jsonl", settings="time_unit: s", accepted=1,
        check=lambda came: (came[0]["user_id"], came[0]["post_id"]) == (7, 9),
    ),
    "a whole number of JSON beyond 53 bits": Case(
        content=json.dumps({"user": 9007199254740993, "item": 1, "ts": SECOND, "liked": 1}) + "\n",
        name="log.jsonl", accepted=1, check=lambda came: came[0]["user_id"] == 9007199254740993,
    ),
    "JSON as one list over lines": Case(
        content=json.dumps([{"user": 1, "item": 1, "ts": SECOND, "liked": 1}], indent=1),
        name="log.json", refused=ExitCode.BAD_DATA, told="expected a column 'user' in at least",
    ),
    "members of gzip one after another": Case(
        content=gzip.compress(GOOD.encode()) + gzip.compress(f"3,1,{SECOND},1\n".encode()),
        name="log.csv.gz", accepted=3,
    ),
    "a gzip that is cut off": Case(
        content=gzip.compress((GOOD * 50).encode())[:-20], name="log.csv.gz",
        refused=ExitCode.BAD_DATA, told="log.csv.gz: expected a whole CSV file",
    ),
    "gzip under the name of CSV": Case(
        content=gzip.compress(GOOD.encode()), refused=ExitCode.BAD_DATA,
        told="expected a column 'user'",
    ),
    "an empty file": Case(
        content="", refused=ExitCode.BAD_DATA, told="expected a CSV file, got an empty file"
    ),
    "a header alone": Case(
        content=HEADER + "\n", refused=ExitCode.BAD_DATA, told="no row at all with a readable time"
    ),
    "all types of Parquet that writers choose": Case(
        content=pa.table(
            {
                "user": pa.array(["u"], pa.large_string()),
                "item": pa.array(["SKU-1"]).dictionary_encode(),
                "ts": pa.array([MOMENT], pa.timestamp("ns", "America/New_York")),
                "liked": pa.array([decimal.Decimal(1)], pa.decimal128(5, 0)),
            }
        ),
        name="log.parquet", settings=TEXT, accepted=1,
        check=lambda came: (seconds(came[0]), came[0]["actions"]) == (36_000, 1),
    ),
    "structures of Parquet": Case(
        content=NESTED, name="log.parquet", accepted=1,
        check=lambda came: (came[0]["user_id"], came[0]["post_id"]) == (7, 9),
    ),
    "ids of floats, as pandas makes them beside nulls": Case(
        content=pa.table(
            {"user": [1.0, float("nan"), None], "item": [5.0] * 3, "ts": [SECOND] * 3,
             "liked": [1] * 3}
        ),
        name="log.parquet", accepted=1, rules={"missing_value": 1, "unreadable_number": 1},
    ),
    "visitors without an id": Case(
        content=rows(f",1,{SECOND},1", f"NULL,1,{SECOND},1", f"2,1,{SECOND},1"),
        settings="time_unit: s\n" + TEXT, accepted=1,
        rules={"missing_value": 1, "unreadable_number": 1}, told="got nothing",
    ),
    "a robot with thousands of rows": Case(
        content=rows(*(f"1,{n + 1},{SECOND + n % 3600},0" for n in range(20_000))),
        accepted=20_000,
    ),
    "a clock that is ahead": Case(
        content=rows(f"1,1,{SECOND + 9_000},1,{SECOND}", f"2,1,{SECOND + 5},1,{SECOND}",
                     header=HEADER + ",seen"),
        more=", ingested_at: seen", accepted=1, rules={"future_timestamp": 1},
    ),
    "a dwell below nothing": Case(
        content=rows(f"1,1,{SECOND},1,-5", f"2,1,{SECOND},1,", header=HEADER + ",stay"),
        more=", dwell_seconds: stay", rules={"bad_dwell": 1, "missing_value": 1},
    ),
    "a dwell in milliseconds": Case(
        content=rows(f"1,1,{SECOND},1,1500", header=HEADER + ",stay"),
        settings="time_unit: s\ndwell_unit: ms", more=", dwell_seconds: stay", accepted=1,
        check=lambda came: came[0]["dwell_seconds"] == 1.5,
    ),
    "true and false in any case": Case(
        content=rows(*(f"{n},1,{SECOND},{word}" for n, word in
                       enumerate(["True", "FALSE", "true", "1.0", "0"], 1))),
        accepted=5, check=lambda came: [row["actions"] for row in came] == [1, 0, 1, 1, 0],
    ),
    "yes and no in words": Case(
        content=rows(f"1,1,{SECOND},yes", f"2,1,{SECOND},No", f"3,1,{SECOND},T"), accepted=3,
        check=lambda came: [row["actions"] for row in came] == [1, 0, 1],
    ),
    "yes and no in words of another language": Case(
        content=rows(f"1,1,{SECOND},oui", f"2,1,{SECOND},non", f"3,1,{SECOND},1"), accepted=1,
        rules={"unreadable_flag": 2}, told="`values` of the action",
    ),
    "ids with blanks in them": Case(
        content=rows(f"ann lee,red shoe 5,{SECOND},1", f"ann,shoe,{SECOND},1"),
        settings="time_unit: s\n" + TEXT, accepted=2,
        check=lambda came: len({row["user_id"] for row in came}) == 2,
    ),
    "ids with blanks around them": Case(
        content=rows(f" ann,shoe,{SECOND},1", f"ann ,shoe ,{SECOND + 1},1"),
        settings="time_unit: s\n" + TEXT, accepted=2,
        check=lambda came: len({(row["user_id"], row["post_id"]) for row in came}) == 1,
    ),
    "one name in two normal forms of Unicode": Case(
        content=rows(*(f"{unicodedata.normalize(form, 'zoé')},a,{SECOND},1"
                       for form in ("NFC", "NFD"))),
        settings="time_unit: s\n" + TEXT, accepted=2,
        # The source writes two texts: to make them one is to guess.
        check=lambda came: len({row["user_id"] for row in came}) == 2,
    ),
    "letters of Latin 1 in a column that nobody reads": Case(
        content=b"user,item,ts,liked,name\n" + f"1,1,{SECOND},1,".encode() + b"caf\xe9\n",
        accepted=1,
    ),
    "names of columns in another case": Case(
        content=GOOD.replace("user", "User", 1), refused=ExitCode.BAD_DATA,
        told="expected a column 'user', found the columns User, item, ts, liked",
    ),
    "a remark above the header": Case(
        content="# exported 2026-01-02\n" + GOOD, refused=ExitCode.BAD_DATA,
        told="expected a column 'user', found the columns # exported 2026-01-02",
    ),
    "rows that are delivered twice": Case(content=GOOD + GOOD.partition("\n")[2], accepted=2),
    "lines of blanks and commas": Case(content=GOOD + ",,,\n\n", accepted=2),
    "a suffix in capitals": Case(content=GOOD, name="LOG.CSV", accepted=2),
    "a zip": Case(
        content=b"PK\x03\x04", name="log.zip", refused=ExitCode.BAD_CONFIGURATION,
        told="expected files ending in .parquet, .csv",
    ),
}  # fmt: skip


def write(path: Path, content: Content) -> None:
    path.parent.mkdir(exist_ok=True)
    if isinstance(content, pa.Table):
        pq.write_table(content, path)
    elif isinstance(content, str):
        path.write_text(content)
    else:
        path.write_bytes(content)


def config_of(case: Case) -> str:
    settings = "".join(f"    {line}\n" for line in case.settings.splitlines())
    text = CONFIG % (case.name, case.more, settings)
    if case.name == "log.parquet" and case.content is NESTED:
        text = text.replace("user_id: user,", "user_id: user.id,").replace(
            "item,", "context.item.sku,"
        )
        text = text.replace("column: liked", "column: context.liked")
    if "ctx" in str(case.content):
        text = text.replace("user_id: user,", "user_id: user.id,").replace("item,", "ctx.item.sku,")
    return text


@pytest.mark.parametrize("name", CASES)
def test_a_log_of_this_form_has_its_right_outcome(deployment: Deployment, name: str) -> None:
    case = CASES[name]
    write(deployment.source / case.name, case.content)
    (deployment.root / "phoenix.yaml").write_text(config_of(case))
    code, outcome = deployment.run("ingest_events")
    if case.refused is not None:
        assert code == case.refused, outcome
        assert case.told in outcome["error"]
        return
    assert code == ExitCode.DONE, outcome
    code, facts = deployment.run("validate_events")
    assert code == ExitCode.DONE, facts
    assert (facts["accepted"], facts["quarantined_by_rule"]) == (case.accepted, dict(case.rules))
    assert facts["rows_in"] == facts["accepted"] + facts["duplicate"] + facts["quarantined"]
    accepted = deployment.table("validate_events", "accepted.parquet").to_pylist()
    assert case.check(sorted(accepted, key=lambda row: row["user_id"])), accepted
    quarantined = deployment.table("validate_events", "quarantined.parquet").to_pylist()
    assert not case.told or any(case.told in row["detail"] for row in quarantined), quarantined


def test_columns_may_come_in_another_order_and_later(deployment: Deployment) -> None:
    """Of files by day each has a header of its own."""
    write(deployment.source / f"{DAY}.csv", GOOD)
    other = rows(f"1,0,{SECOND + 86_400},1,x", header="liked,extra,ts,user,item").replace("x", "3")
    write(deployment.source / "2026-01-03.csv", other)
    case = Case(content="", name="{day}.csv")
    (deployment.root / "phoenix.yaml").write_text(config_of(case))
    for day in (DAY, "2026-01-03"):
        for step in ("ingest_events", "validate_events"):
            code, facts = deployment.run(step, day)
            assert code == ExitCode.DONE, facts
    (row,) = deployment.table("validate_events", "accepted.parquet", "2026-01-03").to_pylist()
    assert (row["user_id"], row["post_id"], row["actions"]) == (1, 3, 1)


def test_a_day_whose_file_has_a_header_alone_is_empty(deployment: Deployment) -> None:
    write(deployment.source / f"{DAY}.csv", HEADER + "\n")
    write(deployment.source / "2026-01-03.csv", rows(f"1,1,{SECOND + 86_400},1"))
    (deployment.root / "phoenix.yaml").write_text(config_of(Case(content="", name="{day}.csv")))
    code, facts = deployment.run("ingest_events")
    assert (code, facts["rows_in"]) == (ExitCode.DONE, 0)
