"""Whatever is wrong with the input, the steps end as stated, and every row is accounted for.

A small real log is written and damaged in one way; the real mains of `ingest_events` and
`validate_events` run over it. A damaged row is in quarantine by its rule and the others are as they
were; a damaged file is refused by name, and the store holds what it held.
"""

import gzip
import json
import os
import random
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from components.contract import ExitCode

DAY = "2026-01-02"
START = 1_767_312_000_000
NUM_ROWS = 30
KUAIRAND = """
ingest_events: {source: {layout: kuairand, path: source}}
validate_events: {max_quarantined_share: 1}
"""
MAPPED = """
ingest_events:
  source:
    layout: columns
    events: source/%s
    posts: source/video_features_basic.csv
    time_unit: ms
    event_columns: {user_id: user_id, post_id: video_id, shown_at: time_ms, surface: tab}
    post_columns: {post_id: video_id, author_id: author_id}
validate_events: {max_quarantined_share: 1}
"""
Rows = list[dict[str, object]]
Cell = tuple[str, str, str]  # column, what stands there, rule


def good_rows(row: Callable[..., dict]) -> Rows:
    """A small day: every row another user, post and time."""
    return [row(n, user_id=n + 1, video_id=n % 9 + 1, is_like=n % 2) for n in range(NUM_ROWS)]


def csv_text(rows: Rows) -> str:
    return "".join(
        ",".join(map(str, line)) + "\n" for line in [list(rows[0]), *map(dict.values, rows)]
    )


def visible(deployment) -> dict[str, bytes]:
    """All that a reader of the store can see: artifacts and pointers."""
    root = deployment.root / "store"
    return {
        str(path.relative_to(root)): path.read_bytes()
        for folder in ("ingest_events", "validate_events", "pointers/heads", "pointers/live")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }


def account_is_whole(facts: Mapping[str, int], parts: Sequence[str]) -> bool:
    return facts["rows_in"] == sum(facts[name] for name in parts)


CELLS: dict[str, Cell] = {
    "text in an id": ("user_id", "abc", "unreadable_number"),
    "a fraction in an id": ("user_id", "1.5", "unreadable_number"),
    "no id": ("user_id", "", "missing_value"),
    "blanks for an id": ("user_id", "  ", "missing_value"),
    "null in words": ("video_id", "null", "unreadable_number"),
    "NaN for an id": ("video_id", "NaN", "unreadable_number"),
    "an id beyond 64 bits": ("user_id", "9223372036854775808", "unreadable_number"),
    "an id of 400 digits": ("user_id", "9" * 400, "unreadable_number"),
    "a negative id": ("user_id", "-5", "negative_id"),
    "the id of padding": ("user_id", "0", "zero_id"),
    "a hexadecimal id": ("user_id", "0x1F", "unreadable_number"),
    "a grouped number": ("user_id", '"1,234"', "unreadable_number"),
    "digits of another script": ("user_id", "١٢", "unreadable_number"),
    "a zero byte": ("user_id", "1\0", "unreadable_number"),
    "no UTF-8": ("user_id", "\udcff\udcfe", "unreadable_number"),
    "an unknown post": ("video_id", "777", "unknown_author"),
    "a time in words": ("time_ms", "yesterday", "unreadable_time"),
    "no time": ("time_ms", "", "missing_value"),
    "1970": ("time_ms", "0", "unreadable_time"),
    "2262": ("time_ms", "9223372036854", "unreadable_time"),
    "seconds for milliseconds": ("time_ms", str(START // 1000), "unreadable_time"),
    "microseconds for milliseconds": ("time_ms", str(START * 1000), "unreadable_time"),
    "a flag that is none": ("is_like", "2", "unreadable_flag"),
    "a flag in other words": ("is_like", "maybe", "unreadable_flag"),
    "a surface beyond 32 bits": ("tab", "99999999999", "unreadable_number"),
    "a negative surface": ("tab", "-1", "bad_surface"),
    "an unknown surface": ("tab", "99", "bad_surface"),
    "an infinite dwell": ("play_time_ms", "inf", "unreadable_number"),
    "NaN for a dwell": ("play_time_ms", "nan", "unreadable_number"),
    "an absurd dwell": ("play_time_ms", "1e300", "bad_dwell"),
    "a negative dwell": ("play_time_ms", "-1", "bad_dwell"),
    "a dwell of weeks": ("play_time_ms", "9999999999", "bad_dwell"),
}


def ingest_and_account(deployment, rows_in: int, rules: Mapping[str, int]) -> None:
    """Runs both steps and holds the account against what was put in."""
    code, facts = deployment.run("ingest_events")
    assert code == ExitCode.DONE, facts
    assert facts["rows_in"] == rows_in
    assert account_is_whole(facts, ("events", "rejected", "late"))
    code, facts = deployment.run("validate_events")
    assert code == ExitCode.DONE, facts
    assert facts["rows_in"] == rows_in
    assert account_is_whole(facts, ("accepted", "duplicate", "quarantined", "late"))
    assert facts["quarantined_by_rule"] == rules


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 20))]
)
def test_a_damaged_cell_puts_its_row_and_no_other_into_quarantine(deployment, row, seed) -> None:
    """Every kind of damage at once, each in a row of its own, at random places."""
    chance = random.Random(seed)
    rows = [values for part in range(3) for values in good_rows(row)]
    for n, values in enumerate(rows):
        values["time_ms"] = START + n
    places = chance.sample(range(1, len(rows)), len(CELLS))
    for place, (column, text, _) in zip(places, CELLS.values(), strict=True):
        rows[place][column] = text
    log = deployment.log(good_rows(row))
    log.write_bytes(csv_text(rows).encode("utf-8", "surrogateescape"))
    deployment.configure(KUAIRAND)
    rules: dict[str, int] = {}
    for _, _, rule in CELLS.values():
        rules[rule] = rules.get(rule, 0) + 1
    ingest_and_account(deployment, len(rows), rules)
    quarantined = deployment.table("validate_events", "quarantined.parquet").to_pylist()
    found = {(each["file"], each["line"]): each for each in quarantined}
    for place, (kind, (_, _, rule)) in zip(places, CELLS.items(), strict=True):
        each = found[(log.name, place + 2)]
        assert each["rule"] == rule, kind
        assert ": expected " in each["detail"], kind


@dataclass(frozen=True)
class Text:
    """Another way to write the same log."""

    change: Callable[[str], bytes]
    rows_in: int = NUM_ROWS
    malformed: int = 0
    name: str = "log_standard.csv"


def with_lines(change: Callable[[list[str]], list[str]]) -> Callable[[str], bytes]:
    return lambda text: "".join(change(text.splitlines(keepends=True))).encode()


TEXTS = {
    "a byte order mark": Text(lambda text: b"\xef\xbb\xbf" + text.encode()),
    "line ends of Windows": Text(lambda text: text.replace("\n", "\r\n").encode()),
    "mixed line ends": Text(
        with_lines(lambda lines: [x[:-1] + "\r\n" if n % 2 else x for n, x in enumerate(lines)])
    ),
    "old line ends of the Mac": Text(lambda text: text.replace("\n", "\r").encode()),
    "no line end at the end": Text(lambda text: text.rstrip().encode()),
    "blank lines": Text(with_lines(lambda lines: [*lines[:5], "\n", "\n", *lines[5:], "\n"])),
    "everything in quotes": Text(
        with_lines(
            lambda lines: [",".join(f'"{x}"' for x in y.strip().split(",")) + "\n" for y in lines]
        )
    ),
    "reversed time": Text(with_lines(lambda lines: [lines[0], *reversed(lines[1:])])),
    "reordered columns": Text(
        with_lines(lambda lines: [",".join(reversed(x.strip().split(","))) + "\n" for x in lines])
    ),
    "gzip": Text(lambda text: gzip.compress(text.encode()), name="log_standard.csv.gz"),
    "a row with too few columns": Text(
        with_lines(lambda lines: [*lines[:9], "7,3\n", *lines[9:]]), NUM_ROWS + 1, 1
    ),
    "a row with too many columns": Text(
        with_lines(lambda lines: [*lines[:9], "1," * 20 + "1\n", *lines[9:]]), NUM_ROWS + 1, 1
    ),
    "a cut last line": Text(lambda text: text.encode()[:-25], NUM_ROWS, 1),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_log_that_is_written_in_another_way_holds_the_same_rows(deployment, row, kind) -> None:
    case = TEXTS[kind]
    log = deployment.log(good_rows(row))
    text = log.read_text()
    log.unlink()
    (log.parent / case.name.replace("log_standard.csv", "log_standard.csv")).write_bytes(
        case.change(text)
    )
    if "gz" in case.name:  # the layout of KuaiRand is not compressed
        deployment.configure(MAPPED % case.name)
    code, facts = deployment.run("ingest_events")
    assert code == ExitCode.DONE, facts
    assert account_is_whole(facts, ("events", "rejected", "late"))
    assert (facts["rows_in"], facts["rejected"]) == (case.rows_in, case.malformed)
    events = deployment.table("ingest_events", "events.parquet")
    users = set(range(1, NUM_ROWS + 1))
    assert set(events["user_id"].to_pylist()) == (users - {NUM_ROWS} if "cut" in kind else users)


Damage = Callable[[Path], object]


def link_to(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


UNREADABLE = "/sys/bus/platform/drivers_probe"  # by root, too

REFUSED_CSV: dict[str, tuple[Damage, str]] = {
    "an empty file": (lambda p: p.write_bytes(b""), "expected a CSV file, got an empty file"),
    "a header only": (
        lambda p: p.write_text(p.read_text().splitlines()[0] + "\n"),
        f"no rows for {DAY}",
    ),
    "no header": (
        lambda p: p.write_text("".join(p.read_text().splitlines(keepends=True)[1:])),
        "expected a column 'user_id'",
    ),
    "a header column that stands twice": (
        lambda p: p.write_text(p.read_text().replace("is_click", "user_id", 1)),
        "expected one column 'user_id'",
    ),
    "a column that is called otherwise": (
        lambda p: p.write_text(p.read_text().replace("time_ms", "time", 1)),
        "expected a column 'time_ms'",
    ),
    "another delimiter": (
        lambda p: p.write_text(p.read_text().replace(",", ";")),
        r"found the columns user_id;video_id.*`delimiter`",
    ),
    "UTF-16": (
        lambda p: p.write_text(p.read_text(), encoding="utf-16"),
        "expected UTF-8, got UTF-16. Convert",
    ),
    "UTF-16 without a mark": (
        lambda p: p.write_text(p.read_text(), encoding="utf-16-le"),
        "expected a column 'user_id'",
    ),
    "random bytes": (
        lambda p: p.write_bytes(random.Random(0).randbytes(5000)),
        r"log_standard.csv: expected a column",
    ),
    "zero bytes": (lambda p: p.write_bytes(bytes(5000)), "expected a column 'user_id'"),
    "all times in seconds": (
        lambda p: p.write_text(p.read_text().replace("000,", ",")),
        f"no rows for {DAY}",
    ),
    "a link to itself": (lambda p: link_to(p, p.name), "Too many levels of symbolic links"),
    "a link to nothing": (lambda p: link_to(p, "gone.csv"), "No such file"),
    "a file that the system cannot read": (lambda p: link_to(p, UNREADABLE), "Permission denied"),
    "a file of the system without a size": (
        lambda p: link_to(p, "/proc/self/mem"),
        "an empty file",
    ),
    "a folder in place of a file": (lambda p: (p.unlink(), p.mkdir()), "got a folder"),
    "a pipe in place of a file": (lambda p: (p.unlink(), os.mkfifo(p)), "got a pipe"),
    "a device in place of a file": (lambda p: link_to(p, "/dev/zero"), "got a pipe or a device"),
}


@pytest.mark.parametrize("kind", REFUSED_CSV)
def test_a_damaged_file_is_refused_by_name_and_changes_nothing(deployment, row, kind) -> None:
    damage, message = REFUSED_CSV[kind]
    if message == "Permission denied" and not Path(UNREADABLE).exists():
        pytest.skip(f"There is no {UNREADABLE} here.")
    log = deployment.log(good_rows(row))
    refuses(deployment, log, damage, message)


def refuses(deployment, log: Path, damage: Damage, message: str) -> None:
    """A good run, the damage, and a run that is refused and leaves what was there."""
    import re

    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    before = visible(deployment)
    assert before
    damage(log)
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_DATA, outcome
    assert re.search(message, outcome["error"]), outcome["error"]
    assert log.name in outcome["error"] or DAY in outcome["error"]
    assert visible(deployment) == before
    assert not list((deployment.root / "store" / "tmp").glob("*"))


def write_parquet(path: Path, rows: Rows, **changes: pa.Array) -> None:
    table = pa.Table.from_pylist(rows)
    for name, values in changes.items():
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, path, row_group_size=10)


def encrypt(path: Path) -> None:
    class Kms(pe.KmsClient):
        def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
            return key_bytes

        def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
            return wrapped_key

    table = pq.read_table(path)
    keys = pe.EncryptionConfiguration(footer_key="k", column_keys={"k": table.column_names})
    factory = pe.CryptoFactory(lambda _: Kms())
    secret = factory.file_encryption_properties(pe.KmsConnectionConfig(), keys)
    with pq.ParquetWriter(path, table.schema, encryption_properties=secret) as writer:
        writer.write_table(table)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    for n in range(40):
        data[place + n] ^= 0xFF
    path.write_bytes(bytes(data))


REFUSED_PARQUET: dict[str, tuple[Damage, str]] = {
    "a cut footer": (lambda p: p.write_bytes(p.read_bytes()[:-60]), "expected a whole Parquet"),
    "a cut file": (lambda p: p.write_bytes(p.read_bytes()[:600]), "expected a whole Parquet"),
    "a damaged footer": (lambda p: flip(p, p.stat().st_size - 300), "expected a whole Parquet"),
    "damaged pages": (lambda p: flip(p, 30), "expected a whole Parquet"),
    "CSV under the name of Parquet": (
        lambda p: p.write_text("user_id,video_id\n1,2\n" * 9),
        "expected a whole Parquet",
    ),
    "an encrypted file": (encrypt, "expected a whole Parquet"),
    "a missing column": (
        lambda p: pq.write_table(pq.read_table(p).drop_columns(["time_ms"]), p),
        "expected a column 'time_ms'",
    ),
    "a column that stands twice": (
        lambda p: pq.write_table(
            (t := pq.read_table(p)).append_column(t.field("user_id"), t["user_id"]), p
        ),
        "expected one column 'user_id'",
    ),
    "absurdly many rows": (
        lambda p: write_parquet_bomb(p),
        r"claims 1,000,000 rows in .*max_expansion",
    ),
}


def write_parquet_bomb(path: Path) -> None:
    ones = pa.repeat(pa.scalar(1, pa.int8()), 1_000_000)
    pq.write_table(pa.table(dict.fromkeys(pq.read_schema(path).names, ones)), path)


@pytest.mark.parametrize("kind", REFUSED_PARQUET)
def test_a_damaged_parquet_file_is_refused_by_name_and_changes_nothing(
    deployment, row, kind
) -> None:
    damage, message = REFUSED_PARQUET[kind]
    deployment.log(good_rows(row)).unlink()
    path = deployment.source / "log.parquet"
    write_parquet(path, good_rows(row))
    text = MAPPED % "log.parquet"
    deployment.configure(text.replace("  source:", "  max_expansion: 2\n  source:", 1))
    refuses(deployment, path, damage, message)


def nothing_of(kind: pa.DataType) -> pa.Array:
    return pa.nulls(NUM_ROWS, kind)


TYPES: dict[str, tuple[str, Callable[[], pa.Array], dict[str, int]]] = {
    "ids as text": ("user_id", lambda: pa.array([str(n + 1) for n in range(NUM_ROWS)]), {}),
    "ids as bytes": ("user_id", lambda: pa.array([b"%d" % (n + 1) for n in range(NUM_ROWS)]), {}),
    "ids as floats": ("user_id", lambda: pa.array([n + 1.0 for n in range(NUM_ROWS)]), {}),
    "ids as decimals": (
        "user_id",
        lambda: pa.array(range(1, NUM_ROWS + 1)).cast(pa.decimal128(20, 0)),
        {},
    ),
    "ids that are NaN": (
        "user_id",
        lambda: pa.array([float("nan"), *map(float, range(2, NUM_ROWS + 1))]),
        {"unreadable_number": 1},
    ),
    "unsigned ids beyond 63 bits": (
        "user_id",
        lambda: pa.array([2**64 - 1, *range(2, NUM_ROWS + 1)], pa.uint64()),
        {"unreadable_number": 1},
    ),
    "lists for ids": (
        "user_id",
        lambda: pa.array([[n] for n in range(NUM_ROWS)]),
        {"unreadable_number": NUM_ROWS},
    ),
    "nothing for ids": ("user_id", lambda: nothing_of(pa.int64()), {"missing_value": NUM_ROWS}),
    "nothing without a type": (
        "user_id",
        lambda: nothing_of(pa.null()),
        {"missing_value": NUM_ROWS},
    ),
    "times in nanoseconds": (
        "time_ms",
        lambda: pa.array([(START + n) * 10**6 for n in range(NUM_ROWS)]).cast(pa.timestamp("ns")),
        {},
    ),
    "flags as booleans": ("is_like", lambda: pa.array([n % 2 == 0 for n in range(NUM_ROWS)]), {}),
    "flags as floats": (
        "is_like",
        lambda: pa.array([0.5, *[1.0] * (NUM_ROWS - 1)]),
        {"unreadable_flag": 1},
    ),
}


@pytest.mark.parametrize("kind", TYPES)
def test_parquet_of_other_types_is_read_or_its_rows_are_quarantined(deployment, row, kind) -> None:
    column, values, rules = TYPES[kind]
    deployment.log(good_rows(row)).unlink()
    write_parquet(deployment.source / "log.parquet", good_rows(row), **{column: values()})
    deployment.configure(MAPPED % "log.parquet")
    code, facts = deployment.run("ingest_events")
    assert code == ExitCode.DONE, facts
    assert facts["rows_in"] == NUM_ROWS
    assert account_is_whole(facts, ("events", "rejected", "late"))
    assert facts["rejected_by_rule"] == rules


LINES: dict[str, tuple[str, str]] = {
    "a cut object": ('{"user_id": 1, "vid', "malformed_row"),
    "a list": ("[1, 2, 3]", "malformed_row"),
    "a bare number": ("3", "malformed_row"),
    "deep nesting": ('{"user_id": ' + "[" * 100_000 + "]" * 100_000 + "}", "unreadable_number"),
    "nesting that never ends": ("[" * 100_000, "malformed_row"),
    "two objects in a line": ("{} {}", "malformed_row"),
    "a single quote": ("{'user_id': 1}", "malformed_row"),
    "no UTF-8": ('{"user_id": "\udcff"}', "unreadable_number"),
    "a zero byte": ("\0", "malformed_row"),
    "an empty object": ("{}", "missing_value"),
    "a huge number": ('{"user_id": 1e999}', "unreadable_number"),
    "text in a number": ('{"user_id": "one"}', "unreadable_number"),
    "an object for a number": ('{"user_id": {"id": 1}}', "unreadable_number"),
}


def test_damaged_json_lines_are_quarantined_and_the_others_are_read(deployment, row) -> None:
    deployment.log(good_rows(row)).unlink()
    lines = [json.dumps(values) for values in good_rows(row)]
    places = {}
    for n, (kind, (text, rule)) in enumerate(LINES.items()):
        lines.insert(2 * n + 1, text)
        places[2 * n + 2] = (kind, rule)
    path = deployment.source / "log.jsonl"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    deployment.configure(MAPPED % path.name)
    rules: dict[str, int] = {}
    for _, rule in LINES.values():
        rules[rule] = rules.get(rule, 0) + 1
    ingest_and_account(deployment, NUM_ROWS + len(LINES), rules)
    quarantined = deployment.table("validate_events", "quarantined.parquet").to_pylist()
    assert {each["line"]: each["rule"] for each in quarantined} == {
        line: rule for line, (_, rule) in places.items()
    }


REFUSED_GZIP: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a cut archive": (lambda data: gzip.compress(data)[:-20], "cannot be read"),
    "an archive that is none": (lambda data: data, "cannot be read"),
    "a damaged archive": (
        lambda data: gzip.compress(data)[:40] + bytes(60) + gzip.compress(data)[100:],
        "cannot be read",
    ),
    "a bomb of zeros": (
        lambda data: gzip.compress(data.split(b"\n")[0] + b"\n" + bytes(1 << 26)),
        r"cannot be read|max_expansion",
    ),
    "a bomb of rows": (
        lambda data: gzip.compress(data + (b"x" * 1000 + b"\n") * 70_000),
        "max_expansion",
    ),
}


@pytest.mark.parametrize("kind", REFUSED_GZIP)
def test_a_damaged_archive_is_refused_by_name_and_changes_nothing(deployment, row, kind) -> None:
    pack, message = REFUSED_GZIP[kind]
    log = deployment.log(good_rows(row))
    data = log.read_bytes()
    path = log.with_name("log.csv.gz")
    path.write_bytes(gzip.compress(data))
    deployment.configure(MAPPED % path.name)
    refuses(deployment, path, lambda p: p.write_bytes(pack(data)), message)


def test_a_disk_that_takes_no_more_is_tried_again_and_nothing_half_written_stays(
    deployment, row
) -> None:
    deployment.log(good_rows(row))
    deployment.run("ingest_events")
    before = visible(deployment)
    deployment.log([values | {"tab": 2} for values in good_rows(row)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        code, outcome = deployment.run("ingest_events")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == ExitCode.TRY_AGAIN, outcome
    assert visible(deployment) == before
    assert deployment.run("ingest_events")[0] == ExitCode.DONE, "once there is room again"


@pytest.mark.parametrize("name", ["log.xlsx", "log.csv.zip", "log", "none.csv"])
def test_a_kind_of_file_that_is_not_read_is_a_wrong_configuration(deployment, row, name) -> None:
    log = deployment.log(good_rows(row))
    if name != "none.csv":
        log.rename(log.with_name(name))
    deployment.configure(MAPPED % name)
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_CONFIGURATION
    assert name in outcome["error"]


def test_rows_that_repeat_or_contradict_are_duplicates(deployment, row) -> None:
    rows = good_rows(row)
    deployment.log([*rows, *rows[:3], rows[5] | {"is_like": 0}, rows[5] | {"is_click": 0}])
    deployment.configure(KUAIRAND)
    ingest_and_account(deployment, NUM_ROWS + 5, {})
