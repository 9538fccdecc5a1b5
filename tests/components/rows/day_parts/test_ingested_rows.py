import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.rows.day_parts import held_rows
from components.rows.day_parts.ingested_rows import IngestedRows
from components.settings.config import Config
from components.tables import bucket_files
from schemas.events import INGESTED, REJECTED

START = 1_767_312_000_000


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    path = tmp_path_factory.mktemp("list") / "erased.txt"
    path.write_text("3\n")
    return Config.model_validate(
        {
            "store": "store",
            "first_day": "2026-01-01",
            "actions": [{"name": "favorite", "is_positive": True}],
            "ingest_events": {"source": {"layout": "synthetic"}, "erased_users": str(path)},
        }
    )


def rows_of(number: int, seed: int, *, days_ago: int = 0) -> dict[str, np.ndarray]:
    """Rows of few users and posts in two seconds, so that some agree in all three."""
    generator = np.random.default_rng(seed)
    times = START - days_ago * 86_400_000 + generator.integers(0, 2, number) * 1_000
    return {
        "user_id": generator.integers(1, 5, number),
        "post_id": generator.integers(1, 4, number),
        "author_id": generator.integers(1, 3, number),
        "shown_at": times,
        "ingested_at": times + 5,
        "surface": np.zeros(number, np.int32),
        "dwell_seconds": generator.random(number).astype(np.float32),
        "actions": generator.integers(0, 2, number).astype(np.uint64),
        "position": generator.choice([0.0, 7.0, np.nan], number),
        "feed": generator.choice(np.array(["a", None], object), number),
        "file": generator.choice(np.array(["a.csv", "b.csv"], object), number),
        "line": np.arange(2, number + 2),
    }


def cut(rows: dict[str, np.ndarray], ends: list[int]) -> list[dict[str, np.ndarray]]:
    edges = [0, *sorted(ends), len(rows["line"])]
    return [{n: v[low:high] for n, v in rows.items()} for low, high in itertools.pairwise(edges)]


def written(config: Config, folder: Path, pieces: list) -> tuple[dict, dict, list]:
    """The facts, the tables and the erased places of rows that came in pieces."""
    rows = IngestedRows(config, folder)
    for events, late in pieces:
        rows.add(events, late)
    result = rows.write(REJECTED.schema().empty_table(), ["user_id"])
    names = ("events.parquet", "late.parquet")
    tables = {name: bucket_files.read(bucket_files.paths(folder, name), INGESTED) for name in names}
    assert all(path.suffix == ".parquet" for path in folder.iterdir()), "nothing else is left"
    users = np.unique(np.concatenate(result.ids["user_id"])).tolist()
    return json.loads(json.dumps(result.facts)) | {"users": users}, tables, rows.erased.to_pylist()


@settings(deadline=None, max_examples=40)
@given(
    numbers=st.tuples(st.integers(0, 40), st.integers(0, 9)),
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=5),
    num_buckets=st.sampled_from([1, 2, 8]),
    held_bytes=st.sampled_from([0, 1_000, 1 << 20]),
)
def test_a_day_is_the_same_in_any_pieces_and_any_number_of_files(
    config: Config,
    tmp_path_factory: pytest.TempPathFactory,
    numbers: tuple[int, int],
    seed: int,
    cuts: list[tuple[int, int]],
    num_buckets: int,
    held_bytes: int,
) -> None:
    events, late = rows_of(numbers[0], seed), rows_of(numbers[1], seed + 1, days_ago=1)
    ends = [[min(c[n], numbers[n]) for c in cuts] for n in (0, 1)]
    pieces = list(zip(cut(events, ends[0]), cut(late, ends[1]), strict=True))
    whole = written(config, tmp_path_factory.mktemp("whole"), [(events, late)])
    cut_up = config.model_copy(update={"user_buckets": num_buckets})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held_rows, "_HELD_BYTES", held_bytes)
        in_pieces = written(cut_up, tmp_path_factory.mktemp("pieces"), pieces)
    assert in_pieces == whole


def test_rows_of_forgotten_users_leave_their_place_and_nothing_else(
    config: Config, tmp_path: Path
) -> None:
    rows = rows_of(40, seed=0)
    facts, tables, erased = written(config, tmp_path, [(rows, {})])
    of_user = rows["user_id"] == 3
    assert facts["events"] == 40 - of_user.sum()
    assert [row["line"] for row in erased] == rows["line"][of_user].tolist()
    assert 3 not in tables["events.parquet"]["user_id"].to_pylist()
    assert facts["users"] == [1, 2, 4]


def test_equal_rows_of_two_pieces_have_two_ids(config: Config, tmp_path: Path) -> None:
    one = {name: values[:1] for name, values in rows_of(9, seed=1).items()}
    _, tables, _ = written(config, tmp_path, [(one, {}), (one, {})])
    assert len(set(tables["events.parquet"]["event_id"].to_pylist())) == 2
