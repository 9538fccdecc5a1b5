"""Rows of a day that were ingested with other lists of actions."""

import numpy as np
import pyarrow as pa

from components.rows import day_actions
from tests.components.tables.test_action_lists import CLICK, LIKE, config_of, list_of

SHARE = {"name": "share"}


def test_bits_are_those_of_the_configuration() -> None:
    rows = pa.table({"actions": pa.array([1, 2, 3], pa.uint64()), "post_id": [7, 8, 9]})
    today = config_of(LIKE, SHARE, CLICK)
    by_name = day_actions.by_name(rows, list_of(CLICK, LIKE), today)
    np.testing.assert_array_equal(by_name["actions"].to_numpy(), np.array([4, 1, 5], np.uint64))
    assert by_name.schema.equals(rows.schema)
    assert by_name["post_id"].to_pylist() == [7, 8, 9]
    same = config_of(CLICK, LIKE)
    assert day_actions.by_name(rows, list_of(CLICK, LIKE), same) is rows


def test_an_action_is_unknown_if_some_rows_could_not_know_it() -> None:
    lists = {"2026-01-01": list_of(CLICK, LIKE), "2026-01-02": list_of(LIKE)}
    assert day_actions.unknown(lists, config_of(LIKE, SHARE, CLICK)) == ["share", "click"]
