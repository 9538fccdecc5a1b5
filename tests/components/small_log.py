"""A small log in the layout of KuaiRand, and the data steps that run on it."""

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import contract
from components.store.artifacts import Artifact, Store

DAY = "2026-01-02"
START = 1_767_312_000_000  # its first millisecond
COLUMNS = ("user_id", "video_id", "time_ms", "is_like", "is_click", "play_time_ms", "tab")
VIDEOS = "video_id,author_id,upload_dt,video_duration,tag\n" + "".join(
    f"{post},{900 + post % 3},2025-12-{post:02d},15000.0,{post % 2}\n" for post in range(1, 10)
)
CONFIG = """
store: store
first_day: 2026-01-01
actions: [{name: favorite, column: is_like, is_positive: true}, {name: click, column: is_click}]
"""
KUAIRAND = "ingest_events: {source: {layout: kuairand, path: source}}\n"


def row(minute: float = 0, **values: object) -> dict[str, object]:
    """A good row, `minute` minutes into the day, with other values where they are given."""
    good = {"user_id": 7, "video_id": 3, "time_ms": START + round(minute * 60_000)}
    return good | {"is_like": 0, "is_click": 1, "play_time_ms": 5_000, "tab": 1} | values


_ORDERS = {
    "events.parquet": ("file", "line", "entry"),
    "late.parquet": ("file", "line", "entry"),
    "accepted.parquet": ("user_id", "shown_at", "event_id"),
    "labels.parquet": ("user_id", "shown_at", "post_id", "ingested_at"),
    "impressions.parquet": ("user_id", "shown_at", "ingested_at"),
    "windows.parquet": ("user_id", "starts_at"),
    "feeds.parquet": ("user_id", "rank"),
}


def in_plain_order(rows: pa.Table, file: str) -> pa.Table:
    """Rows of users, which lie in order of a hash, in an order that a test can write down."""
    keys = [name for name in _ORDERS.get(file, ()) if name in rows.column_names]
    return rows.sort_by([(key, "ascending") for key in keys]) if keys else rows


@dataclass
class Deployment:
    """A folder with a source, a configuration and a store."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def source(self) -> Path:
        """The folder of the source."""
        return self.root / "source"

    @property
    def store(self) -> Store:
        """The store."""
        return Store(str(self.root / "store"))

    def configure(self, text: str) -> None:
        """Writes the configuration: the common part and `text`."""
        (self.root / "phoenix.yaml").write_text(CONFIG + text)

    def log(self, rows: Sequence[Mapping[str, object]], name: str = "log_standard.csv") -> Path:
        """Writes a log file with the columns of its first row, and the videos."""
        self.source.mkdir(exist_ok=True)
        lines = [list(rows[0]), *(list(values.values()) for values in rows)]
        text = "".join(",".join(map(str, line)) + "\n" for line in lines)
        (self.source / name).write_text(text)
        (self.source / "video_features_basic.csv").write_text(VIDEOS)
        return self.source / name

    def run(self, name: str, day: str = DAY) -> tuple[int, dict]:
        """Runs the real main of a step; returns its exit code and its facts, or its outcome."""
        argv = ["--config", str(self.root / "phoenix.yaml"), "--day", day]
        code = importlib.import_module(f"components.{name}").main(argv)
        outcome = contract.parse_result(self.capsys.readouterr().out.splitlines()[-1])
        return code, outcome.get("facts", outcome)

    def artifact(self, name: str, day: str = DAY) -> Artifact:
        """The current artifact of a step."""
        ref = self.store.head(name, day)
        assert ref is not None
        return self.store.read(ref)

    def table(self, name: str, file: str, day: str = DAY) -> pa.Table:
        """A table of a step, in an order that a test can write down."""
        return in_plain_order(pq.read_table(self.artifact(name, day).paths(file)), file)

    def record(self, name: str, day: str = DAY) -> dict:
        """The record of a step's last run."""
        return json.loads(self.store.storage.read(f"records/{day}/{name}.json"))
