import json
from pathlib import Path

import pytest

from components.errors import BadDataError
from components.source import line_files, raw_files
from components.source.raw_rows import FileFormat, Pace, RawRows


def write(path: Path, *lines: str) -> Path:
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    return path


def cells(parts: list[RawRows], column: str) -> list[tuple[int, str | None]]:
    return [
        pair
        for rows in parts
        for pair in zip(rows.lines.tolist(), rows.cells[column].to_pylist(), strict=True)
    ]


def test_members_of_json_objects_are_cells_of_text(tmp_path: Path) -> None:
    rows = [{"a": {"b": 1}, "t": "x"}, {"t": True}, {"a": 5, "t": None}, {"a": {"b": 1.5}, "t": []}]
    path = write(tmp_path / "a.jsonl", *map(json.dumps, rows), "")
    parts = list(raw_files.read(path, ["a.b", "t"]))
    assert cells(parts, "a.b") == [(1, "1"), (2, None), (3, None), (4, "1.5")]
    assert cells(parts, "t") == [(1, "x"), (2, "true"), (3, None), (4, "[]")]


def test_lines_that_are_no_json_object_are_malformed_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_files, "_BLOCK_BYTES", 50)
    bad = ['{"a": 1', "[1]", "3", "[" * 5000, '{"a": "\udcff"', "\0"]
    lines = [text for n, each in enumerate(bad) for text in (f'{{"a": {n}}}', each, " ")]
    parts = list(raw_files.read(write(tmp_path / "a.json", *lines), ["a"]))
    assert cells(parts, "a") == [(3 * n + 1, str(n)) for n in range(len(bad))]
    malformed = [row for rows in parts for row in rows.malformed]
    assert [line for line, _ in malformed] == [3 * n + 2 for n in range(len(bad))]
    assert malformed[1][1] == "expected a JSON object, got: [1]"


def test_columns_between_longer_delimiters_are_read_by_name(tmp_path: Path) -> None:
    form = FileFormat(delimiter="::", names=("u", "p", "r"))
    path = write(tmp_path / "ratings.dat", "1::2::5", "1::2", "3::é::1\r", "1::2::3::4", "")
    parts = list(raw_files.read(path, ["p", "u"], form))
    assert cells(parts, "p") == [(1, "2"), (3, "é")]
    assert [line for rows in parts for line, _ in rows.malformed] == [2, 4]


def test_a_sequence_is_one_row_per_item_in_order(tmp_path: Path) -> None:
    form = FileFormat(pace=Pace(starts_at=1000, step=10))
    path = write(tmp_path / "a.txt", "\ufeff7 1 2 3", "", "8 4", "9", "10  5\t6 ")
    parts = list(raw_files.read(path, [], form))
    assert cells(parts, "user") == [(1, "7")] * 3 + [(3, "8")] + [(5, "10")] * 2
    assert [item for _, item in cells(parts, "item")] == list("123456")
    assert [time for _, time in cells(parts, "shown_at")] == [1000, 1010, 1020, 1000, 1000, 1010]
    assert [row for rows in parts for row in rows.malformed] == [
        (4, "expected a user and items, got: 9")
    ]


def test_a_line_without_an_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_files, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(line_files, "_MAX_LINE_BYTES", 1000)
    path = write(tmp_path / "a.jsonl", "{}", "x" * 2000)
    with pytest.raises(BadDataError, match="at most 1,000 bytes, line 2 has more"):
        list(raw_files.read(path, ["a"]))
