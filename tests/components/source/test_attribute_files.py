"""Attributes in files of the source; `test_known_values` holds what a day keeps to all of it."""

import datetime
from pathlib import Path

import numpy as np
import pytest

from components.errors import BadDataError
from components.features.known_values import KnownValues
from components.settings.config import Config
from components.source import attribute_files
from phoenix.data.attributes import Attribute
from phoenix.data.days import midnight_ms

AGE = Attribute(name="age", side="user", kind="raw", default=-1)
DAY = datetime.date(2026, 1, 2)
MIDNIGHT = midnight_ms(DAY)


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


def test_too_many_cells_that_cannot_be_read_are_refused_by_place(tmp_path: Path) -> None:
    lines = [(1, MIDNIGHT, 5), (2, MIDNIGHT, "old"), (0, MIDNIGHT, 6), (3, "soon", 7)]
    with pytest.raises(BadDataError, match=r"users.csv, line 4: user: expected an id above 0"):
        write(tmp_path, lines)
    with pytest.raises(BadDataError, match=r"users.csv, line 3: since: expected a time .*'soon'"):
        write(tmp_path, lines[::3])
    with pytest.raises(BadDataError, match=r"line 3: age: .*'old'; so are 1 of 2 cells, more than"):
        write(tmp_path, lines[:2])
    facts = write(tmp_path, lines, max_unreadable_share=0.25)
    assert facts["attributes"]["users"]["unreadable"] == {"user": 1, "since": 1, "age": 1}
    known = KnownValues.read(tmp_path, "user", [AGE])
    asked = known.as_of(np.array([1, 2, 3]), np.full(3, MIDNIGHT))
    assert asked.tolist() == [[5], [-1], [-1]]


def test_rows_with_other_columns_count_as_rows_whose_id_cannot_be_read(tmp_path: Path) -> None:
    lines = [(1, MIDNIGHT, 5), (2, MIDNIGHT, "4,5")]
    with pytest.raises(
        BadDataError, match=r"users.csv, line 3: expected 3 columns.*; so are 1 of 2"
    ):
        write(tmp_path, lines)
    facts = write(tmp_path, lines, max_unreadable_share=0.5)
    assert facts["attributes"]["users"] == {
        "rows": 1,
        "unreadable": {"user": 1, "since": 0, "age": 0},
    }


def test_forgotten_users_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "erased.txt").write_text("2\n")
    (tmp_path / "users.csv").write_text(f"user,since,age\n1,{MIDNIGHT},5\n2,{MIDNIGHT},6\n")
    config = config_of(tmp_path)
    ingest = config.ingest_events.model_copy(update={"erased_users": tmp_path / "erased.txt"})
    config = config.model_copy(update={"ingest_events": ingest})
    attribute_files.write(tmp_path, config, DAY, {})
    known = KnownValues.read(tmp_path, "user", [AGE])
    assert known.as_of(np.array([1, 2]), np.full(2, MIDNIGHT)).tolist() == [[5], [-1]]


def test_the_recipe_names_the_content_of_files_and_not_where_they_lie(tmp_path: Path) -> None:
    write(tmp_path, [(1, MIDNIGHT, 5)])
    config = config_of(tmp_path)
    (fingerprint,) = attribute_files.inputs(config)
    assert (fingerprint["name"], set(fingerprint)) == ("users.csv", {"name", "bytes", "sha256"})
    assert str(tmp_path) not in str(attribute_files.recipe(config))
    assert "files" not in attribute_files.recipe(config)["attributes"]["users"]


def test_a_vector_of_another_length_is_named_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text('post,text\n1,"3,4"\n2,"3,4,5"\n3,\n')
    declared = [{"name": "text", "side": "post", "column": "text", "kind": "vector", "length": 2}]
    posts = {"files": str(tmp_path / "posts.csv"), "id": "post"}
    words = r"posts.csv, line 3: text: expected 2 finite numbers, not all 0, got '3,4,5'; so are 1"
    with pytest.raises(BadDataError, match=words):
        attribute_files.write(
            tmp_path, config_of(tmp_path, posts=posts, declared=declared), DAY, {}
        )
    config = config_of(tmp_path, posts=posts, declared=declared, max_unreadable_share=0.5)
    facts = attribute_files.write(tmp_path, config, DAY, {})
    assert facts["attributes"]["posts"]["unreadable"] == {"post": 0, "text": 1}
    text = Attribute(name="text", side="post", kind="vector", length=2)
    known = KnownValues.read(tmp_path, "post", [text])
    values = known.as_of(np.array([1, 2, 3, 4]), np.full(4, MIDNIGHT))
    nothing = [np.nan, np.nan]
    np.testing.assert_allclose(values, [[0.6, 0.8], nothing, nothing, nothing], rtol=1e-6)
