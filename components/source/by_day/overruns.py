"""Rows in the files of a day that were shown after its end, kept below `work/` for the next day.

Without them the next day would have to read all of these files again.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from components.source.raw_rows import RawRows

_INDEX = "index.json"
_LINE = ""  # column of the line numbers


def save(folder: Path, parts: Sequence[RawRows]) -> None:
    """Writes rows, of one file each, whole or not at all."""
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for number, rows in enumerate(parts):
        batch = pa.record_batch([pa.array(rows.lines), *rows.cells.values()], [_LINE, *rows.cells])
        with pa.ipc.new_file(str(unfinished / f"{number}.arrow"), batch.schema) as writer:
            writer.write_batch(batch)
    names = json.dumps([rows.file for rows in parts])
    (unfinished / _INDEX).write_text(names, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def load(folder: Path) -> list[RawRows] | None:
    """Reads what `save` wrote; None if it is not there."""
    try:
        names = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        parts = []
        for number, name in enumerate(names):
            with pa.ipc.open_file(str(folder / f"{number}.arrow")) as reader:
                batch = reader.get_batch(0)
            cells = dict(zip(batch.schema.names[1:], batch.columns[1:], strict=True))
            parts.append(RawRows(name, batch.column(0).to_numpy(), cells))
    except FileNotFoundError:  # never made, or removed by a step of another day
        return None
    return parts
