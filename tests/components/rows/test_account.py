import shutil
from collections.abc import Callable
from dataclasses import asdict

import pyarrow as pa
import pytest

from components.contract import ExitCode
from components.rows import account
from components.store.artifacts import Recipe
from phoenix.data.days import DAY_MS

Row = Callable[..., dict]


def rewritten(deployment, kind: str, change: Callable[[dict], None]) -> None:
    """Puts another artifact in the place of a step's, whole and sealed, with other facts."""
    made = deployment.artifact(kind)
    recipe = made.manifest["recipe"]
    other = Recipe(**{**recipe, "config": {**recipe["config"], "other": True}})
    with deployment.store.write(other) as draft:
        for name in made.manifest["files"]:
            shutil.copy(made.path(name), draft.folder / name)
        draft.facts |= made.facts
        change(draft.facts)
    assert asdict(deployment.artifact(kind).ref) != asdict(made.ref)


def lose(facts: dict) -> None:
    facts["rows_in"] += 1


def swap(facts: dict) -> None:
    first, second = facts["files"]
    first["file"], second["file"] = second["file"], first["file"]
    first["rows_in"] += 1
    second["rows_in"] -= 1


def hide(facts: dict) -> None:
    key = "events" if "events" in facts else "accepted"
    facts[key] -= 1
    facts["rows_in"] -= 1
    facts["files"][0][key] -= 1
    facts["files"][0]["rows_in"] -= 1


def forget(facts: dict) -> None:
    del facts["files"]


@pytest.fixture
def two_files(deployment, row: Row):
    deployment.log([row(0), row(1), row(1)], "log_a.csv")
    deployment.log([row(2), row(3), row(4, tab=4)], "log_b.csv")
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    return deployment


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lose, "7 rows in, but 6 events + 0 rejected + 0 late"),
        (swap, "log_b.csv: 4 rows in, but 3 events"),
        (hide, "5 rows in events.parquet, which has 6"),
        (forget, "6 events, but 0 by file"),
    ],
)
def test_a_wrong_account_of_ingest_is_refused(two_files, change, told: str) -> None:
    rewritten(two_files, "ingest_events", change)
    code, outcome = two_files.run("validate_events")
    assert code == ExitCode.BAD_DATA
    assert "The account of ingest_events of 2026-01-02" in outcome["error"]
    assert told in outcome["error"]
    assert "phoenix step ingest_events --day 2026-01-02" in outcome["error"]
    assert two_files.store.head("validate_events", "2026-01-02") is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lose, "7 rows in, but 5 accepted + 1 duplicate + 0 quarantined + 0 late"),
        (swap, "rows in, but"),
        (hide, "4 rows in accepted.parquet, which has 5"),
    ],
)
def test_a_wrong_account_of_validate_is_refused(two_files, change, told: str) -> None:
    text = (two_files.root / "phoenix.yaml").read_text()
    (two_files.root / "phoenix.yaml").write_text(text.replace("2026-01-01", "2026-01-02"))
    assert two_files.run("validate_events")[0] == ExitCode.DONE
    rewritten(two_files, "validate_events", change)
    code, outcome = two_files.run("build_features")
    assert code == ExitCode.BAD_DATA
    assert told in outcome["error"]
    assert two_files.store.head("build_features", "2026-01-02") is None


def test_rows_are_counted_by_file_and_by_day() -> None:
    times = pa.array([0, DAY_MS - 1, DAY_MS, 5 * DAY_MS]).cast(pa.timestamp("ms", tz="UTC"))
    table = pa.table({"file": ["b", "a", "b", None], "shown_at": times})
    assert account.by_day(table) == {"1970-01-01": 2, "1970-01-02": 1, "1970-01-06": 1}
    assert account.by_file({"events": table, "late": table.slice(0, 1)}) == [
        {"file": "(no file)", "rows_in": 1, "events": 1, "late": 0},
        {"file": "a", "rows_in": 1, "events": 1, "late": 0},
        {"file": "b", "rows_in": 3, "events": 2, "late": 1},
    ]
