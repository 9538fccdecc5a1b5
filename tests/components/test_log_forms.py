"""Logs in the forms that companies have them, from the files through the first two steps."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.cli import app
from components.contract import ExitCode
from tests.components.small_log import DAY, START, Deployment

CONFIG = """
store: store
first_day: 2026-01-01
actions: [{name: favorite, column: liked, is_positive: true}, {name: click, column: clicked}]
validate_events: {max_quarantined_share: 1.0, min_accepted_rows: 0}
ingest_events:
  source:
    layout: columns
    events: source/%s
    time_unit: s
    event_columns: {user_id: user, post_id: item, shown_at: ts%s}
%s
"""
AUTHOR = ", author_id: author"
POSTS = """
    posts: source/posts.csv
    post_columns: {post_id: item, author_id: author, created_at: created}
"""
SECOND = START // 1000
Read = Callable[..., tuple[list[dict], list[dict]]]


@pytest.fixture
def read(deployment: Deployment) -> Read:
    """Reads a log; returns the accepted and the quarantined rows."""

    def steps(
        files: Mapping[str, str],
        *,
        columns: str = AUTHOR,
        settings: str = "",
        config: str = CONFIG,
    ) -> tuple[list[dict], list[dict]]:
        deployment.source.mkdir(exist_ok=True)
        for name, text in files.items():
            if text:
                (deployment.source / name).write_text(text)
        (deployment.root / "phoenix.yaml").write_text(
            config % (next(iter(files)), columns, settings)
        )
        for step in ("ingest_events", "validate_events"):
            code, outcome = deployment.run(step)
            assert code in (ExitCode.DONE, ExitCode.NOTHING_TO_DO), outcome
        return tuple(
            deployment.table("validate_events", f"{name}.parquet").to_pylist()
            for name in ("accepted", "quarantined")
        )

    return steps


def phoenix(deployment: Deployment, *words: str) -> tuple[int, str]:
    """Runs the command line about the day; returns the exit code and what it said."""
    argv = [*words, "--day", DAY, "--config", str(deployment.root / "phoenix.yaml")]
    return app.app(argv), deployment.capsys.readouterr().out


def csv_rows(*rows: str, header: str = "user,item,author,ts,liked,clicked") -> str:
    return "\n".join([header, *rows]) + "\n"


def json_rows(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def posts_of(accepted: list[dict]) -> list[int]:
    return sorted(row["post_id"] for row in accepted)


def test_whole_numbers_that_pandas_wrote_as_floats_are_ids(read: Read) -> None:
    rows = [f"1.0,2.0,3,{SECOND},1,0", f"2,2,3,{SECOND},0,1", f"2.5,2,3,{SECOND},0,1"]
    accepted, (broken,) = read({"log.csv": csv_rows(*rows)})
    assert [row["user_id"] for row in accepted] == [1, 2]
    assert "user: expected a whole number" in broken["detail"]


def test_decimals_of_38_digits_are_ids_to_the_last_digit(deployment, read: Read) -> None:
    user = 2**62 + 1  # more than a float holds
    names = ("user", "item", "author", "ts", "liked", "clicked")
    values = (user, 1, 1, SECOND, 1, 0)
    deployment.source.mkdir()
    columns = {
        name: pa.array([value], pa.decimal128(38, 0))
        for name, value in zip(names, values, strict=True)
    }
    pq.write_table(pa.table(columns), deployment.source / "log.parquet")
    accepted, _ = read({"log.parquet": ""})
    assert [row["user_id"] for row in accepted] == [user]


def test_ids_with_zeros_before_them_are_two_ids_as_text_and_told_as_numbers(read: Read) -> None:
    text = csv_rows(f"1,0001388703,1,{SECOND},1,0", f"1,1388703,1,{SECOND},1,0")
    accepted, (padded,) = read({"log.csv": text})
    assert posts_of(accepted) == [1388703]
    assert padded["detail"] == (
        "item: expected a whole number without zeros before it; where ids are text, name their "
        "column in `ingest_events.source.text_ids`, got '0001388703'"
    )
    accepted, _ = read({"log.csv": text}, settings='    text_ids: {post_id: ""}')
    assert len({row["post_id"] for row in accepted}) == 2


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "NULL", "null", r"\N", "<NA>", "undefined"])
def test_a_word_for_nothing_is_no_id(read: Read, word: str) -> None:
    text = csv_rows(f"{word},1,1,{SECOND},1,0", f"ann,1,1,{SECOND},1,0")
    accepted, (broken,) = read({"log.csv": text}, settings='    text_ids: {user_id: ""}')
    assert len(accepted) == 1
    assert broken["detail"] == (
        "user: expected an id, not a word for nothing (`ingest_events.source.null_words`), "
        f"got {word!r}"
    )


def test_a_user_may_be_called_null_where_the_configuration_says_so(read: Read) -> None:
    text = csv_rows(f"null,1,1,{SECOND},1,0")
    settings = '    text_ids: {user_id: ""}\n    null_words: []'
    assert len(read({"log.csv": text}, settings=settings)[0]) == 1


def test_an_id_0_says_that_text_ids_help_and_they_do(read: Read) -> None:
    text = csv_rows(f"0,1,1,{SECOND},1,0", f"1,1,1,{SECOND},1,0")
    accepted, (zero,) = read({"log.csv": text})
    assert len(accepted) == 1
    assert "of ids from 0 on, name the column in `ingest_events.source.text_ids`" in zero["detail"]
    accepted, broken = read({"log.csv": text}, settings='    text_ids: {user_id: ""}')
    assert (len(accepted), broken) == (2, [])


def test_a_uuid_has_one_id_in_every_kind_of_file(deployment, read: Read) -> None:
    user = uuid.UUID("3f2a4c1e-0000-4000-8000-00000000002a")
    settings = '    text_ids: {user_id: ""}'
    text = csv_rows(f"{user},1,1,{SECOND},1,0")
    ids = {read({"log.csv": text}, settings=settings)[0][0]["user_id"]}
    numbers = {name: [1] for name in ("item", "author", "liked", "clicked")}
    rows = pa.table({"user": pa.array([user.bytes], pa.binary(16)), "ts": [SECOND]} | numbers)
    pq.write_table(rows, deployment.source / "log.parquet")
    ids.add(read({"log.parquet": ""}, settings=settings)[0][0]["user_id"])
    assert len(ids) == 1


def test_a_flag_that_is_not_there_is_no(read: Read) -> None:
    seen = [{"user": n, "item": 1, "author": 1, "ts": SECOND} for n in (1, 2, 3, 4, 5)]
    seen[0]["liked"], seen[1]["clicked"], seen[2]["liked"] = 1, True, None
    accepted, broken = read({"log.jsonl": json_rows(*seen)})
    assert ([row["actions"] for row in accepted], broken) == ([1, 2, 0, 0, 0], [])
    rows = [f"{n},1,1,{SECOND},{flags}" for n, flags in ((1, "1,"), (2, "NULL,1"), (3, ",maybe"))]
    accepted, (broken,) = read({"log.csv": csv_rows(*rows)})
    assert [row["actions"] for row in accepted] == [1, 2]
    assert (
        "clicked: expected 0 or 1, no or yes; other words that mean yes go into `values` of the "
        "action, got 'maybe'" in broken["detail"]
    )


def test_a_flag_of_floats_with_nan_is_no_where_it_is_nan(deployment, read: Read) -> None:
    deployment.source.mkdir()
    columns = {name: [1, 1] for name in ("user", "item", "author", "ts", "clicked")}
    columns |= {"ts": [SECOND, SECOND + 1], "liked": pa.array([1.0, float("nan")])}
    pq.write_table(pa.table(columns), deployment.source / "log.parquet")
    accepted, _ = read({"log.parquet": ""})
    assert [row["actions"] for row in accepted] == [3, 2]


def test_a_flag_that_no_row_of_the_source_has_is_told(deployment, read: Read) -> None:
    rows = json_rows({"user": 1, "item": 1, "author": 1, "ts": SECOND, "liked": 1})
    deployment.source.mkdir()
    for name in ("log.jsonl", "2026-01-02.jsonl"):
        (deployment.source / name).write_text(rows)
    (deployment.root / "phoenix.yaml").write_text(CONFIG % ("log.jsonl", AUTHOR, ""))
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_DATA
    assert "log.jsonl: expected a column 'clicked' in at least one row" in outcome["error"]
    # Of a file by day the other days are not known: a day on which nobody clicked is one.
    (deployment.root / "phoenix.yaml").write_text(CONFIG % ("{day}.jsonl", AUTHOR, ""))
    code, facts = deployment.run("ingest_events")
    assert (code, facts["source"]["absent_columns"]) == (ExitCode.DONE, ["clicked"])


def test_a_post_is_as_old_as_its_first_impression_where_nobody_says(deployment, read: Read) -> None:
    log = csv_rows(
        f"1,4,{SECOND + 8},1,0", f"1,5,{SECOND + 9},1,0", header="user,item,ts,liked,clicked"
    )
    posts = f"item,author,created\n4,13,\n5,14,{SECOND - 1}\n6,15,NULL\n"
    accepted, broken = read({"log.csv": log, "posts.csv": posts}, columns="", settings=POSTS)
    assert ([row["author_id"] for row in accepted], broken) == ([13, 14], [])
    known = deployment.table("validate_events", "posts.parquet").to_pylist()
    times = {row["post_id"]: row["created_at"].timestamp() for row in known}
    assert times == {4: SECOND + 8, 5: SECOND - 1, 6: 0}, "of post 6 nothing is known at all"


def test_the_first_impression_may_be_of_an_earlier_day(deployment, read: Read) -> None:
    header, posts = "user,item,ts,liked,clicked", "item,author,created\n4,13,\n"
    log = csv_rows(f"1,4,{SECOND - 80_000},1,0", f"1,4,{SECOND + 9},1,0", header=header)
    read({"log.csv": log, "posts.csv": posts}, columns="", settings=POSTS)
    for day in ("2026-01-01", DAY):
        for step in ("ingest_events", "validate_events"):
            deployment.run(step, day=day)
    (post,) = deployment.table("validate_events", "posts.parquet").to_pylist()
    assert post["created_at"].timestamp() == SECOND - 80_000


def test_a_post_without_an_author_is_its_own(deployment, read: Read) -> None:
    log = csv_rows(f"1,4,{SECOND + 8},1,0", header="user,item,ts,liked,clicked")
    posts = f"item,author,created\n4,,{SECOND - 1}\n"
    accepted, _ = read({"log.csv": log, "posts.csv": posts}, columns="", settings=POSTS)
    assert [row["author_id"] for row in accepted] == [4]
    accepted, _ = read({"log.csv": csv_rows(f"1,7,,{SECOND},1,0")})
    assert [row["author_id"] for row in accepted] == [7]
    known = deployment.table("validate_events", "posts.parquet").to_pylist()
    assert [(row["post_id"], row["author_id"]) for row in known] == [(7, 7)]


def test_the_row_of_a_post_that_is_rejected_is_named_as_the_cause(deployment, read: Read) -> None:
    log = csv_rows(f"1,4,{SECOND + 8},1,0", header="user,item,ts,liked,clicked")
    posts = "item,author,created\n4,13,yesterday\n"
    accepted, (broken,) = read({"log.csv": log, "posts.csv": posts}, columns="", settings=POSTS)
    assert (accepted, broken["rule"]) == ([], "unknown_author")
    assert "its row is rejected (posts.csv:2, created: expected a time" in broken["detail"]
    code, text = phoenix(deployment, "quarantine", "list", "--json")
    (rule,) = json.loads(text)["rules_of_posts"]
    assert (code, rule["rule"], rule["for_example"]) == (0, "unreadable_time", ["posts.csv:2"])
    code, text = phoenix(deployment, "quarantine", "show", "--json")
    assert [row["place"] for row in json.loads(text)] == ["log.csv:2", "posts.csv:2"]


def stamped(*times: str) -> str:
    rows = [f"{n},1,1,{time},1,0" for n, time in enumerate(times, start=1)]
    return csv_rows(*rows)


def seconds_of(accepted: list[dict]) -> list[float]:
    rows = sorted(accepted, key=lambda row: row["user_id"])
    return [round(row["shown_at"].timestamp() - SECOND, 3) for row in rows]


def in_unit(settings: str) -> str:
    """Settings that take the place of `time_unit: s`."""
    return CONFIG.replace("    time_unit: s\n", f"    {settings}\n".replace("%", "%%"))


def test_iso_8601_is_read_in_every_form(read: Read) -> None:
    text = stamped(
        *("2026-01-02T10:00:00Z", "2026-01-02 10:00:00 UTC", "2026-01-02T10:00:00.123456789Z"),
        *("20260102T100000Z", "2026-01-02", "2026-01-01T24:00:00", "2026-W01-5"),
        *("2026-01-02 10:00:00+0000", "20260102", "01/02/2026 10:00", "1767348000"),
        "2026/01/02 10:00:00",
    )
    accepted, broken = read({"log.csv": text}, config=in_unit("time_unit: iso"))
    hour = 36_000
    assert seconds_of(accepted) == [hour, hour, hour + 0.123, hour, 0, 0, 0, hour, 0]
    details = [row["detail"] for row in broken]
    assert details[0] == (
        "ts: expected a time from 1990 to 2099 as ISO 8601; 01/02/2026 10:00 looks like the form "
        '`time_format: "%m/%d/%Y %H:%M"` or `time_format: "%d/%m/%Y %H:%M"`, got '
        "'01/02/2026 10:00'"
    )
    assert "1767348000 looks like seconds since 1970, `time_unit: s`" in details[1]
    assert '2026/01/02 10:00:00 looks like the form `time_format: "%Y/%m/%d' in details[2]


@pytest.mark.parametrize(
    ("form", "time", "seconds"),
    [
        ("%m/%d/%Y %I:%M:%S %p", "1/2/2026 2:14:46 PM", 51_286),
        ("%d/%m/%Y %H:%M", "02/01/2026 10:00", 36_000),
        ("%a %b %d %H:%M:%S %z %Y", "Fri Jan 02 10:00:00 +0000 2026", 36_000),
        ("%Y%m%d%H%M%S", "20260102100000", 36_000),
        ("%Y-%m-%d %H:%M:%S UTC", "2026-01-02 10:00:00 UTC", 36_000),
    ],
)
def test_a_form_of_times_can_be_described(read: Read, form: str, time: str, seconds: int) -> None:
    config = in_unit(f'time_format: "{form}"')
    accepted, broken = read({"log.csv": stamped(time, "soon")}, config=config)
    assert seconds_of(accepted) == [seconds]
    assert f"as {form}, got 'soon'" in broken[0]["detail"]


def test_columns_may_have_units_of_their_own(deployment, read: Read) -> None:
    header = "user,item,author,ts,seen,liked,clicked"
    log = csv_rows(f"1,4,9,1/2/2026 10:00,{SECOND + 36_001},1,0", header=header)
    posts = "item,author,created\n4,9,2026-01-01 23:59:59 UTC\n"
    config = in_unit(
        'time_units: {created_at: iso, ingested_at: s}\n    time_format: "%m/%d/%Y %H:%M"'
    )
    columns = ", author_id: author, ingested_at: seen"
    accepted, _ = read(
        {"log.csv": log, "posts.csv": posts}, columns=columns, settings=POSTS, config=config
    )
    assert seconds_of(accepted) == [36_000]
    assert accepted[0]["ingested_at"].timestamp() == SECOND + 36_001
    (post,) = deployment.table("validate_events", "posts.parquet").to_pylist()
    assert post["created_at"].timestamp() == SECOND - 1


def test_a_wrong_unit_is_told_with_value_file_and_line(deployment) -> None:
    deployment.source.mkdir()
    for name in ("log.csv", "2026-01-02.csv"):
        (deployment.source / name).write_text(stamped(f"{SECOND}123"))
    told = f"{SECOND}123 looks like milliseconds since 1970, `time_unit: ms`"
    (deployment.root / "phoenix.yaml").write_text(CONFIG % ("log.csv", AUTHOR, ""))
    for day in ("2026-01-01", "2026-01-02"):
        code, outcome = deployment.run("ingest_events", day)
        assert code == ExitCode.BAD_DATA
        assert "log.csv:2, ts: expected a time" in outcome["error"]
        assert told in outcome["error"]
    # Files by day say the day by themselves: its rows are in quarantine, and the day is refused.
    text = (CONFIG % ("{day}.csv", AUTHOR, "")).replace("min_accepted_rows: 0", "budgets: {}")
    (deployment.root / "phoenix.yaml").write_text(text)
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    code, outcome = deployment.run("validate_events")
    assert code == ExitCode.BAD_DATA
    assert told in outcome["error"]
    assert "2026-01-02.csv:2" in outcome["error"]


@pytest.mark.parametrize("form", ["%H:%M", "%Y-%m", "%Y-%m-%d %I:%M", "%Y-%m-%d %Z", "%Q", "%c"])
def test_a_form_that_is_none_of_times_is_refused(deployment, form: str) -> None:
    deployment.source.mkdir()
    (deployment.source / "log.csv").write_text(stamped("1"))
    config = in_unit(f'time_format: "{form}"') % ("log.csv", AUTHOR, "")
    (deployment.root / "phoenix.yaml").write_text(config)
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "time_format" in outcome["error"]


PAGES = ", author_id: author, surface: page"


def shown_on(*pages: str) -> str:
    rows = [f"{n},1,1,{SECOND},1,0,{page}" for n, page in enumerate(pages, start=1)]
    return csv_rows(*rows, header="user,item,author,ts,liked,clicked,page")


def surfaces_of(accepted: list[dict]) -> list[int]:
    return [row["surface"] for row in sorted(accepted, key=lambda row: row["user_id"])]


def test_a_surface_is_a_number_and_a_word_is_told_how_to_become_one(read: Read) -> None:
    accepted, broken = read({"log.csv": shown_on("0", "15", "16", "home")}, columns=PAGES)
    assert surfaces_of(accepted) == [0, 15]
    details = {row["detail"] for row in broken}
    assert details == {
        "surface: expected 0 to 15, got 16",
        "page: expected a whole number; words get numbers in `ingest_events.source.surfaces`, got "
        "'home'",
    }


def test_surfaces_may_be_words_with_numbers(read: Read) -> None:
    text = shown_on("home", "ads", " search", "Home", "")
    settings = "    surfaces: {home: 0, search: 1%s}"
    accepted, broken = read({"log.csv": text}, columns=PAGES, settings=settings % ', "*": 9')
    assert (surfaces_of(accepted), broken) == ([0, 9, 1, 9, 9], [])
    accepted, broken = read({"log.csv": text}, columns=PAGES, settings=settings % "")
    assert surfaces_of(accepted) == [0, 1]
    assert sorted(row["rule"] for row in broken) == ["bad_surface", "bad_surface", "missing_value"]
    assert "expected one of home, search (`ingest_events.source.surfaces`" in broken[0]["detail"]


def test_a_surface_keeps_the_number_of_its_word(deployment, read: Read) -> None:
    settings = "    surfaces: {home: 0, %s}"
    text = shown_on("home") + f"9,1,1,{SECOND - 80_000},1,0,home\n"
    (deployment.root / "source").mkdir()
    (deployment.source / "log.csv").write_text(text)
    path = deployment.root / "phoenix.yaml"
    path.write_text(CONFIG % ("log.csv", PAGES, settings % "search: 1"))
    assert deployment.run("ingest_events", "2026-01-01")[0] == ExitCode.DONE
    path.write_text(CONFIG % ("log.csv", PAGES, "    surfaces: {search: 0, home: 1}"))
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "'home' is 1, but was 0 on 2026-01-01" in outcome["error"]
    path.write_text(CONFIG % ("log.csv", PAGES, settings % "search: 1, ads: 2"))
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    path.write_text(CONFIG % ("log.csv", PAGES, settings % "search: 16"))
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "surfaces: expected numbers from 0 to 15, got 16" in outcome["error"]
