"""A log in files of any shape, written by a test, and the data steps that run on it."""

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import contract
from components.cli import app
from components.store.artifacts import Store
from tests.components.small_log import in_plain_order

HEADER = "user,item,author,ts,liked,clicked"
DATA_STEPS = ("ingest_events", "validate_events", "build_features")
CONFIG = """
store: store
first_day: 2026-03-01
actions:
  - {{name: favorite, column: liked, is_positive: true}}
  - {{name: click, column: clicked}}
ingest_events:
  source:
    layout: columns
    events: "{events}"
    event_columns: {{user_id: user, post_id: item, author_id: author, shown_at: ts}}
    time_unit: iso
{more}
"""


@dataclass
class DayLog:
    """A folder with a log, a configuration and a store."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def store(self) -> Store:
        """The store."""
        return Store(str(self.root / "store"))

    @property
    def config(self) -> Path:
        """The file of the configuration."""
        return self.root / "phoenix.yaml"

    def configure(self, events: str, *, source: str = "", more: str = "") -> None:
        """Writes the configuration.

        Args:
          events: Path or glob of the event files.
          source: Lines of the source, as `day_zone: Asia/Tokyo`.
          more: Whole sections.
        """
        lines = "".join(f"    {line}\n" for line in source.splitlines())
        self.config.write_text(CONFIG.format(events=events, more=lines + more))

    def write(self, name: str, rows: Sequence[str]) -> Path:
        """Writes a file of rows `user,item,time`; each was liked and its author is 1."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [HEADER]
        for row in rows:
            user, item, time = row.split(",")
            lines.append(f"{user},{item},1,{time},1,0")
        path.write_text("\n".join(lines) + "\n")
        return path

    def run(self, step: str, day: str) -> tuple[int, dict[str, Any]]:
        """Runs the real main of a step; returns its exit code and the result that it prints."""
        argv = ["--config", str(self.config), "--day", day]
        code = importlib.import_module(f"components.{step}").main(argv)
        return code, contract.parse_result(self.capsys.readouterr().out.splitlines()[-1])

    def run_days(self, *days: str, steps: Sequence[str] = DATA_STEPS) -> None:
        """Runs steps of days in order, which must end well."""
        for day in days:
            for step in steps:
                code, result = self.run(step, day)
                assert code in (0, 99), f"{step} of {day}: {result}"

    def facts(self, step: str, day: str) -> dict[str, Any]:
        """The facts of the current artifact of a step."""
        ref = self.store.head(step, day)
        assert ref is not None, f"no {step} of {day}"
        return dict(self.store.manifest(ref)["facts"])

    def table(self, step: str, day: str, file: str) -> pa.Table:
        """A table of the current artifact of a step."""
        ref = self.store.head(step, day)
        assert ref is not None, f"no {step} of {day}"
        return in_plain_order(pq.read_table(self.store.read_files(ref, file)), file)

    def accepted_posts(self, day: str) -> list[int]:
        """The posts of the accepted rows of a day."""
        return self.table("validate_events", day, "accepted.parquet")["post_id"].to_pylist()

    def files(self, step: str, day: str) -> dict[str, int]:
        """The files in the account of a day, each with its rows."""
        return {each["file"]: each["rows_in"] for each in self.facts(step, day)["files"]}

    def doctor(self) -> tuple[int, list[dict[str, str]]]:
        """The exit code and the findings of `phoenix doctor`."""
        code = app.app(["doctor", "--config", str(self.config), "--json"])
        return code, json.loads(self.capsys.readouterr().out)
