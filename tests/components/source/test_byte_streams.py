import gzip
import os
from pathlib import Path

import pyarrow as pa
import pytest

from components.errors import BadDataError
from components.source import byte_streams
from components.source.raw_rows import FileFormat

TEXT = "a,b\n1,é\n"


def read(path: Path, form: FileFormat) -> bytes:
    with byte_streams.open_text(path, form) as stream:
        return b"".join(iter(lambda: stream.read(1 << 20), b""))


@pytest.mark.parametrize(
    ("name", "content", "encoding"),
    [
        ("a.csv", TEXT.encode(), "utf-8"),
        ("a.csv.gz", gzip.compress(TEXT.encode(), mtime=0), "utf-8"),
        ("a.CSV.ZST", pa.compress(TEXT.encode(), "zstd", asbytes=True), "utf-8"),
        ("a.csv", TEXT.encode("utf-16"), "utf-16"),
        ("a.csv.gz", gzip.compress(TEXT.encode("latin-1"), mtime=0), "latin-1"),
    ],
)
def test_text_is_utf8_whatever_the_file_is(
    tmp_path: Path, name: str, content: bytes, encoding: str
) -> None:
    path, form = tmp_path / name, FileFormat(encoding=encoding)
    path.write_bytes(content)
    assert byte_streams.kind(path) == ".csv"
    assert read(path, form) == TEXT.encode()
    assert byte_streams.head(path, form) == TEXT.encode()


def test_a_file_that_expands_beyond_the_limit_is_refused_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(bytes(1 << 26)))
    with pytest.raises(BadDataError, match=r"bomb.csv.gz: holds more than .*max_expansion"):
        read(path, FileFormat(max_expansion=2))
    assert len(read(path, FileFormat(max_expansion=2000))) == 1 << 26


def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(BadDataError, match=r"pipe.csv: expected a file, got a pipe"):
        byte_streams.check_regular(tmp_path / "pipe.csv")
    with pytest.raises(BadDataError, match="got a folder"):
        byte_streams.check_regular(tmp_path)


@pytest.mark.parametrize(("text", "lines"), [("", 0), ("a", 1), ("a\n", 1), ("a\n\nb", 3)])
def test_lines_are_counted_while_they_are_read(tmp_path: Path, text: str, lines: int) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    counter = byte_streams.LineCounter(byte_streams.open_text(path, FileFormat()))
    assert b"".join(iter(lambda: counter.read(2), b"")) == text.encode()
    assert counter.num_lines == lines
