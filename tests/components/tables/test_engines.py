"""DuckDB and Spark, a real one with two threads, come to the same rows, files and digests."""

import datetime
import gc
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.contract import ExitCode
from components.rows import settlement
from components.rows.day_parts.day_arrivals import Arrivals
from components.settings.config import Config
from components.settings.steps import EngineConfig
from components.store.artifacts import Store
from components.tables import data_files, engines
from phoenix.data.days import midnight_ms
from schemas.events import INGESTED, REJECTED
from tests.components.event_rows import config_of

Row = Callable[..., dict]
DUCKDB, SPARK = EngineConfig(), EngineConfig(name="spark", spark_master="local[2]")
STEPS = ("ingest_events", "validate_events", "build_features")
DAYS = ("2026-01-01", "2026-01-02")

pytestmark = pytest.mark.filterwarnings("ignore")  # of Spark's own Python


def test_rows_come_back_in_the_types_of_the_expression() -> None:
    engine = engines.open_engine(DUCKDB)
    rows = pa.table({"a": pa.array([3, 1, 2]), "b": pa.array([1, 2, 3], pa.int32())})
    table = engine.table(rows)
    result = engines.rows(engine, table.order_by("a").select("b", twice=table["a"].cast("int8")))
    assert result.to_pydict() == {"b": [2, 3, 1], "twice": [1, 2, 3]}
    assert result.schema.types == [pa.int32(), pa.int8()]
    none = engines.rows(engine, table.filter(table["b"] > 3))
    assert (len(none), none.schema.types) == (0, [pa.int64(), pa.int32()])


def test_with_little_memory_duckdb_goes_on_on_disk_and_leaves_nothing_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    values = np.random.default_rng(0).integers(0, 1 << 40, 2_000_000)
    rows = pa.table({"a": values, "place": np.arange(len(values)), "more": values, "most": values})
    expected = np.sort(values)
    for gigabytes in (0.05, None):
        engine = engines.open_engine(EngineConfig(memory_gb=gigabytes))
        table = engine.table(rows)
        batches = engine.batches(table.order_by("a", "place"))
        first = next(batches)
        assert any(tmp_path.iterdir()) == (gigabytes is not None), "rows are on disk"
        found = np.concatenate([first["a"], *(batch["a"] for batch in batches)])
        assert (found == expected).all()
        del engine, table, batches
        gc.collect()
        assert not any(tmp_path.iterdir())


def messy(config: Config, day: datetime.date) -> Arrivals:
    """A day of few users, posts and times, with rows that break every rule, and two zeros."""
    chance, count = np.random.default_rng(3), 600
    start = midnight_ms(day)
    shown_at = start + chance.integers(-1, 6, count)
    columns = {
        "event_id": chance.permutation(count) + 1,
        "user_id": chance.integers(-1, 6, count),
        "post_id": chance.integers(0, 3, count),
        "author_id": chance.integers(1, 3, count),
        "shown_at": shown_at,
        "ingested_at": shown_at + chance.integers(0, 4, count),
        "surface": chance.choice(np.array([0, 1, 16], np.int32), count),
        "actions": chance.choice(np.array([0, 1, 2, 2**63], np.uint64), count),
        "dwell_seconds": chance.choice(np.array([-0.0, 0.0, 1.5, np.nan], np.float32), count),
        "file": chance.choice(np.array(["a", "b", None], object), count),
        "line": np.arange(count),
        "position": chance.choice([-1, 0, 7, np.nan], count),
        "feed": chance.choice(np.array(["f", "", None], object), count),
        "propensity": chance.choice([0.0, 0.1, 1.0, np.nan], count),
        "weight": chance.choice([0.0, 1.0, 10.0], count),
    }
    events = data_files.arrow_table(INGESTED, columns)
    events = pa.concat_tables([events, events.slice(0, 200)])
    empty = REJECTED.schema().empty_table()
    return Arrivals(events=events, rejected=empty, late=events.slice(0, 0))


@pytest.mark.parametrize("num_actions", [1, 64])
def test_the_account_of_a_messy_day_is_the_same(
    require_spark: None, tmp_path: Path, num_actions: int
) -> None:
    actions = [{"name": f"a{n}", "weight": 1.0, "is_positive": True} for n in range(num_actions)]
    day = datetime.date(2026, 1, 3)
    found = []
    for engine in (DUCKDB, SPARK):
        config = Config.model_validate(
            {**config_of().model_dump(), "actions": actions, "engine": engine.model_dump()}
        )
        found.append(settlement.settle(messy(config, day), config, day))
    ours, theirs = found
    for name in ("accepted", "quarantined"):
        files = [tmp_path / "ours", tmp_path / "theirs"]
        for file, one in zip(files, found, strict=True):
            data_files.write(file, getattr(one, name))
        assert files[0].read_bytes() == files[1].read_bytes(), name
    assert (ours.files, ours.repetitions) == (theirs.files, theirs.repetitions)
    assert min(ours.repetitions.num_exact, ours.repetitions.num_conflicting) > 0


def test_both_engines_make_artifacts_of_the_same_digest(
    require_spark: None, deployment, row: Row
) -> None:
    rows = [row(n * 97, user_id=1 + n % 3, video_id=1 + n % 8) for n in range(-14, 28)]
    rows += [rows[3], rows[4] | {"is_like": 1}, row(5, user_id=0), row(6, tab=99), row(7, tab="x")]
    deployment.log(rows)
    found = []
    path = deployment.root / "phoenix.yaml"
    # Of the expectations, `test_suites` says that they are the same.
    severities = "{contract: ignore, arrival_order: ignore}"
    settings = f"validate_events: {{max_quarantined_share: 1, severities: {severities}}}\n"
    text = path.read_text() + settings
    for engine in (DUCKDB, SPARK):
        store, refs = Store(str(deployment.root / engine.name)), []
        path.write_text(
            text.replace("store: store", f"store: {engine.name}")
            + f"engine: {{name: {engine.name}, spark_master: '{engine.spark_master}'}}\n"
        )
        for day in DAYS:
            for step in STEPS:
                code, outcome = deployment.run(step, day)
                assert code == ExitCode.DONE, outcome
                refs.append(store.head(step, day))
        found.append(refs)
    assert found[0] == found[1]
