"""The rules of rows on DuckDB; `test_engines` holds Spark against it."""

import datetime

import numpy as np
import pyarrow as pa

from components.rows import engine_rows
from components.rows import rules as row_rules
from components.settings.config import Config
from components.settings.source import ColumnsSource
from components.settings.steps import EngineConfig
from components.tables import data_files, engines
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.events import INGESTED

DAY = datetime.date(2026, 1, 2)
START = midnight_ms(DAY)
CONFIG = Config.model_validate(
    {
        "store": "store",
        "first_day": "2026-01-01",
        "ingest_events": {"source": {"layout": "synthetic"}},
        "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
        "validate_events": {"num_surfaces": 3, "max_dwell_seconds": 60, "max_future_minutes": 1},
    }
)
ENGINE = engines.open_engine(EngineConfig())


def columns(rows: list[tuple]) -> dict[str, np.ndarray]:
    """User, post, time, actions, dwell, surface, delay of arrival."""
    user, post, time, actions, dwell, surface, delay = np.array(rows, np.int64).reshape(-1, 7).T
    return {
        "event_id": np.arange(1, len(rows) + 1),
        "user_id": user,
        "post_id": post,
        "author_id": post + 10,
        "shown_at": START + time,
        "ingested_at": START + time + delay,
        "surface": surface.astype(np.int32),
        "actions": actions.astype(np.uint64),
        "dwell_seconds": dwell.astype(np.float32),
        "file": np.full(len(rows), "a", object),
        "line": np.arange(len(rows)),
    }


def arrow(values: dict[str, np.ndarray]) -> pa.Table:
    """The columns as an engine takes them."""
    return engine_rows.to_engine(data_files.arrow_table(INGESTED, values))[0]


def broken_by(**values: float) -> list[str]:
    good = columns([(1, 1, 0, 1, 1, 1, 0)])
    changed = {
        name: np.array([values[name]]).astype(array.dtype) if name in values else array
        for name, array in good.items()
    }
    table = ENGINE.table(arrow(changed))
    rules = row_rules.event_rules(table, CONFIG, DAY)
    flags = table.select(**{f"{n}": rule.is_broken for n, rule in enumerate(rules)})
    row = engines.rows(ENGINE, flags).to_pylist()[0]
    names = [rule.name for n, rule in enumerate(rules) if row[f"{n}"]]
    verdict = engines.rows(ENGINE, row_rules.add_verdicts(table, rules))["verdict"].to_pylist()
    assert (verdict == [0]) == (names == [])
    return names


def test_each_rule_breaks_where_it_says() -> None:
    late = START + 60_001
    cases = {
        "zero_id": [{"user_id": 0}, {"post_id": 0}, {"author_id": 0}],
        "negative_id": [{"user_id": -1}, {"post_id": -1}, {"author_id": -1}],
        "bad_surface": [{"surface": -1}, {"surface": 3}],
        "bad_dwell": [{"dwell_seconds": v} for v in (-0.5, 60.5, np.nan, np.inf)],
        "unknown_action": [{"actions": 4}, {"actions": 2**63}],
        "future_timestamp": [{"shown_at": late, "ingested_at": START}],
        "wrong_day": [
            {"shown_at": START - 1},
            {"shown_at": START + DAY_MS, "ingested_at": START + DAY_MS},
        ],
    }
    for rule, changes in cases.items():
        for change in changes:
            assert broken_by(**change) == [rule], change


def test_values_at_the_limits_keep_the_rules() -> None:
    limits = {
        "surface": (0, 2),
        "dwell_seconds": (0, 60),
        "actions": (0, 3),
        "user_id": (1, 2**62),
        "shown_at": (START, START + 60_000),
    }
    for name, values in limits.items():
        for value in values:
            assert broken_by(**{name: value}) == [], (name, value)
    assert broken_by() == []


def test_the_first_broken_rule_is_the_verdict() -> None:
    values = columns([(1, 1, 0, 1, 1, 1, 0)] * 2)
    values["surface"][1], values["user_id"][1] = 9, -4
    table = ENGINE.table(arrow(values))
    rules = row_rules.event_rules(table, CONFIG, DAY)
    verdict = engines.rows(ENGINE, row_rules.add_verdicts(table, rules))["verdict"].to_pylist()
    assert verdict[0] == 0
    assert rules[verdict[1] - 1].name == "negative_id"


def test_impossible_values_of_what_was_served_break_a_rule_and_absent_ones_none() -> None:
    values = columns([(1, 1, time, 0, 0, 0, 0) for time in range(5)])
    served = {
        "position": (np.array([0, -1, np.nan, 1, 1]), "bad_position"),
        "propensity": (np.array([1, 0.5, np.nan, 0, 1.5]), "bad_propensity"),
        "weight": (np.array([0.5, 1e6, 0, -1, 1e7]), "bad_weight"),
    }
    expected = {"position": [1], "propensity": [3, 4], "weight": [2, 3, 4]}
    for name, (numbers, rule_name) in served.items():
        table = ENGINE.table(arrow(values | {name: numbers}))
        rules = row_rules.event_rules(table, CONFIG, DAY)
        rows = engines.rows(ENGINE, row_rules.add_verdicts(table, rules).order_by("place"))
        verdicts = rows["verdict"].to_numpy()
        assert np.flatnonzero(verdicts).tolist() == expected[name]
        assert {rules[n - 1].name for n in verdicts if n} == {rule_name}


def test_a_weight_that_comes_of_a_rate_is_told_as_a_rate() -> None:
    table = ENGINE.table(arrow(columns([(1, 1, 0, 0, 0, 0, 0)]) | {"weight": np.array([1e7])}))
    columns_of_source = {
        "layout": "columns",
        "events": "log.csv",
        "event_columns": {"user_id": "u", "sampling_rate": "rate"},
    }
    source = ColumnsSource.model_validate(columns_of_source)
    ingest = CONFIG.ingest_events.model_copy(update={"source": source})
    for config, ending in (
        (CONFIG, "up to 1e+06 (`validate_events.max_weight`)"),
        (
            CONFIG.model_copy(update={"ingest_events": ingest}),
            "a `sampling_rate` of at least 1e-06",
        ),
    ):
        rules = row_rules.event_rules(table, config, DAY)
        assert rules[-1].expected.endswith(ending)


def test_a_label_may_be_of_an_earlier_day_and_keeps_every_other_rule() -> None:
    values = columns([(1, 1, 0, 1, 1, 1, 0)] * 3)
    values["shown_at"][:2] -= DAY_MS
    values["surface"][1], values["user_id"][2] = 9, -4
    table = ENGINE.table(arrow(values))
    rules = row_rules.label_rules(table, CONFIG, DAY)
    verdict = engines.rows(ENGINE, row_rules.add_verdicts(table, rules))["verdict"].to_pylist()
    assert [rules[each - 1].name if each else None for each in verdict] == [
        None,
        "bad_surface",
        "negative_id",
    ]
