from pathlib import Path

import numpy as np
import pyarrow as pa

from components.source.by_day import overruns
from components.source.raw_rows import RawRows


def test_rows_come_back_with_their_files_lines_and_types(tmp_path: Path) -> None:
    text = RawRows("a.csv", np.array([3, 9]), {"line": pa.array(["x", "y"])})
    typed = RawRows("b.parquet", np.array([1]), {"line": pa.array([5])})
    overruns.save(tmp_path / "work" / "overrun-1", [text, typed])
    first, second = overruns.load(tmp_path / "work" / "overrun-1") or ()
    assert (first.file, first.lines.tolist()) == ("a.csv", [3, 9])
    assert first.cells["line"].to_pylist() == ["x", "y"]
    assert second.cells["line"].equals(pa.array([5]))


def test_no_rows_are_something_else_than_nothing_kept(tmp_path: Path) -> None:
    assert overruns.load(tmp_path / "overrun-1") is None
    overruns.save(tmp_path / "overrun-1", [])
    assert overruns.load(tmp_path / "overrun-1") == []
