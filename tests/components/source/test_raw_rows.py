import numpy as np
import pyarrow as pa

from components.source.raw_rows import RawRows, as_text


def test_bytes_that_are_no_utf8_keep_their_place() -> None:
    values = pa.array([b"a", b"\xff", None, "é".encode()])
    assert as_text(values).to_pylist() == ["a", "�", None, "é"]


def test_some_of_the_rows_keep_their_lines() -> None:
    rows = RawRows("a.csv", np.array([2, 3, 5]), {"x": pa.array(["p", "q", "r"])}, [(4, "bad")])
    some_rows = rows.take(np.array([2, 0]))
    assert (some_rows.lines.tolist(), some_rows.cells["x"].to_pylist()) == ([5, 2], ["r", "p"])
    assert not some_rows.malformed
