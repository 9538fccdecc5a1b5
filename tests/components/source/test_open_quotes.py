from pathlib import Path

import pytest

from components.errors import BadDataError
from components.source import open_quotes, raw_files
from components.source.raw_rows import FileFormat

HEADER = "a,b,note\n"
ROWS = "".join(f"{n},2,x\n" for n in range(3, 30))  # lines 3 to 29


def num_rows(path: Path, text: str) -> int:
    path.write_text(text, newline="")
    return sum(len(r.lines) + len(r.malformed) for r in raw_files.read(path, ["a"]))


@pytest.mark.parametrize(
    ("bad", "end"),
    [
        ('2,"2,x\n', 29),  # the row gets other columns than the file
        ('2,2,"x\n', 29),  # it does not, and the cell is one that nobody reads
        ('"2,2,x\n', 29),
    ],
)
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_a_quote_that_is_never_closed_refuses_the_file_by_line(
    tmp_path: Path, bad: str, end: int, line_break: str
) -> None:
    text = (HEADER + bad + ROWS).replace("\n", line_break)
    with pytest.raises(BadDataError, match=rf"a\.csv: the row in line 2 .* up to line {end},"):
        num_rows(tmp_path / "a.csv", text)


def test_a_quote_that_another_cell_closes_refuses_the_file(tmp_path: Path) -> None:
    text = HEADER + '1,2,"x\n' + ROWS + '30,2,"fine"\n'
    with pytest.raises(BadDataError, match=r"the row in line 2 .* up to line 30,"):
        num_rows(tmp_path / "a.csv", text)


def test_a_file_without_a_last_line_break_loses_no_row_either(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="line 2"):
        num_rows(tmp_path / "a.csv", HEADER + '1,2,"x\n2,2,x')


def test_quotes_that_lose_nothing_are_read(tmp_path: Path) -> None:
    text = HEADER + '1,2,"x\ny"\n2,2,5" wide\n3,2,"The "best" one"\n4,2,""\n5,2,"a ""b""\r\n"\n'
    assert num_rows(tmp_path / "a.csv", text) == 5


def test_the_search_reads_what_the_reader_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a;b\n1;"x\n2;y\n', encoding="utf-16")
    with pytest.raises(BadDataError, match="line 2"):
        open_quotes.refuse(path, FileFormat(encoding="utf-16"), ";")
    path.write_text('a;b\n1;"x\n2;y"\n3;4\n', encoding="utf-16")
    open_quotes.refuse(path, FileFormat(encoding="utf-16"), ";")
