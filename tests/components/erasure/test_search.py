import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.contract import ExitCode
from components.erasure import search
from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.loading import load
from components.store.artifacts import Recipe

Row = Callable[..., dict]
SOURCE = "ingest_events: {source: {layout: kuairand, path: source}, erased_users: forget.txt}\n"


@pytest.fixture
def config_of(deployment) -> Callable[[str], Config]:
    """Makes the configuration with a list of users."""

    def config(users: str) -> Config:
        (deployment.root / "forget.txt").write_text(users)
        deployment.configure(SOURCE)
        return load(deployment.root / "phoenix.yaml")

    return config


def write(deployment, file: str, table: pa.Table, version: int = 1) -> None:
    """Writes an artifact of one table; a later version takes the place of an earlier one."""
    recipe = Recipe(
        kind="ingest_events",
        partition="2026-01-02",
        inputs=[],
        config={"version": version},
        code="code",
        libraries={},
    )
    with deployment.store.write(recipe) as draft:
        pq.write_table(table, draft.folder / file)


def test_tables_are_searched_by_their_users_and_rejected_rows_by_their_content(
    deployment, config_of
) -> None:
    raw = [json.dumps({"user_id": "7", "tab": "9"}), json.dumps({"user_id": "1"}), "cut off; 7, 9"]
    write(deployment, "rejected.parquet", pa.table({"raw": [*raw, None]}))
    write(deployment, "events.parquet", pa.table({"user_id": [7, 1, 9, 7, None]}), version=2)
    traces = search.traces(deployment.store, config_of("7\n9\n"))
    facts = {each.file: (each.rows, each.users, each.is_current) for each in traces}
    assert facts == {"rejected.parquet": (2, 1, False), "events.parquet": (3, 2, True)}
    assert {(each.kind, each.partition) for each in traces} == {("ingest_events", "2026-01-02")}


def test_a_file_without_a_listed_user_leaves_no_trace(deployment, config_of) -> None:
    write(deployment, "events.parquet", pa.table({"user_id": np.arange(1, 7)}))
    assert search.traces(deployment.store, config_of("7")) == []


def test_without_a_list_there_is_nobody_to_search_for(deployment, row: Row, config_of) -> None:
    deployment.log([row()])
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    with pytest.raises(BadConfigurationError, match="there is nobody to search for"):
        search.traces(deployment.store, config_of("# nobody yet\n"))
