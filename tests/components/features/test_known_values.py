import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import BadDataError
from components.features import known_values
from components.features.known_values import KnownValues
from components.settings.config import Config
from components.source import attribute_files
from phoenix.data.attributes import Attribute
from phoenix.data.days import DAY_MS, midnight_ms

AGE = Attribute(name="age", side="user", kind="raw", default=-1)
DAY = datetime.date(2026, 1, 2)
MIDNIGHT = midnight_ms(DAY)
rows = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6), st.integers(0, 99)), max_size=12)


def config_of(folder: Path, **changes: object) -> Config:
    declared = [{"name": "age", "side": "user", "column": "age", "kind": "raw", "default": -1}]
    users = {"files": str(folder / "users*.csv"), "id": "user", "known_at": "since"}
    values = {
        "store": "store",
        "first_day": "2026-01-01",
        "ingest_events": {"source": {"layout": "synthetic"}},
        "actions": [{"name": "favorite", "is_positive": True}],
        "attributes": {"users": users, "declared": declared} | changes,
    }
    return Config.model_validate(values)


def write(folder: Path, lines: list[tuple], **changes: object) -> dict:
    text = "user,since,age\n" + "".join(",".join(map(str, line)) + "\n" for line in lines)
    (folder / "users.csv").write_text(text)
    return attribute_files.write(folder, config_of(folder, **changes), DAY, {})


@settings(deadline=None)
@given(rows, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), min_size=1, max_size=9))
def test_what_was_known_last_counts(known: list[tuple], asked: list[tuple]) -> None:
    ids, times, values = (np.array([row[n] for row in known], np.int64) for n in range(3))
    table = KnownValues(ids, times, values[:, None].astype(np.float32), np.float32([-1]))
    expected = [
        [max(((t, place, v) for place, (i, t, v) in enumerate(known) if i == wanted and t <= at),
             default=(0, 0, -1))[2]]
        for wanted, at in asked
    ]  # fmt: skip
    found = table.as_of(*(np.array([pair[n] for pair in asked]) for n in range(2)))
    assert found.tolist() == expected


@settings(deadline=None, max_examples=40)
@given(known=rows)
def test_a_day_keeps_what_it_may_need_and_nothing_of_a_later_day(
    known: list[tuple], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("day")
    moments = [(i, MIDNIGHT + (step - 3) * DAY_MS // 3, v) for i, step, v in known]
    write(folder, moments)
    kept = KnownValues.read(folder, "user", [AGE])
    ids, times, values = (np.array([row[n] for row in moments], np.int64) for n in range(3))
    whole = KnownValues(ids, times, values[:, None].astype(np.float32), np.float32([-1]))
    for at in (MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + DAY_MS // 3, MIDNIGHT + DAY_MS - 1):
        asked = np.arange(6), np.full(6, at)
        np.testing.assert_array_equal(kept.as_of(*asked), whole.as_of(*asked))
    later = kept.as_of(np.arange(6), np.full(6, MIDNIGHT + 99 * DAY_MS))
    np.testing.assert_array_equal(
        later, whole.as_of(np.arange(6), np.full(6, MIDNIGHT + DAY_MS - 1))
    )


def test_without_a_time_a_row_is_always_known_and_the_last_one_counts(tmp_path: Path) -> None:
    files = {"files": str(tmp_path / "users*.csv"), "id": "user"}
    facts = write(tmp_path, [(1, "", 5), (2, "", 6), (1, "", 7)], users=files)
    known = KnownValues.read(tmp_path, "user", [AGE])
    assert known.as_of(np.array([1, 2, 3]), np.array([1, 1, 1])).tolist() == [[7], [6], [-1]]
    assert facts["attributes"]["users"] == {"rows": 2, "unreadable": {"user": 0, "age": 0}}
    assert facts["attributes"]["declared"][0]["name"] == "age"


def test_values_of_other_attributes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match=r"expected the attributes \['age'\], found no file"):
        KnownValues.read(tmp_path, "user", [AGE])
    write(tmp_path, [(1, MIDNIGHT, 5)])
    other = Attribute(name="age", side="user", kind="raw", default=-2)
    with pytest.raises(BadDataError, match=r"the configuration declares .*run ingest_events"):
        KnownValues.read(tmp_path, "user", [other])


def test_values_from_before_the_list_are_carried_without_forgotten_users(tmp_path: Path) -> None:
    write(tmp_path, [(1, MIDNIGHT - 1, 30), (2, MIDNIGHT - 1, 40)])
    target = tmp_path / "next"
    target.mkdir()
    known_values.carry(tmp_path, target, np.array([2]))
    found = KnownValues.read(target, "user", [AGE])
    at = np.full(2, MIDNIGHT)
    assert found.as_of(np.array([1, 2]), at).tolist() == [[30], [-1]]


def test_without_attributes_nothing_is_read_or_written(tmp_path: Path) -> None:
    config = config_of(tmp_path, users=None, declared=[])
    assert attribute_files.inputs(config) == []
    assert attribute_files.recipe(config) == {}
    assert attribute_files.write(tmp_path, config, DAY, {}) == {}
    nothing = KnownValues.read(tmp_path, "user", []).as_of(np.array([1]), np.array([1]))
    assert nothing.shape == (1, 0)
