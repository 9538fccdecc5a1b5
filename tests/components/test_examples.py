"""Every example reads a small sample of its layout, from the files to windows of features."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from components.contract import ExitCode

EXAMPLES = Path(__file__).parents[2] / "examples"
STEPS = ("ingest_events", "validate_events", "build_features")


def movielens_csv(folder: Path) -> None:
    rows = "".join(
        f"{n % 7 + 1},{n % 11 + 1},{n % 5 + 1}.0,{956_620_800 + n * 60}\n" for n in range(60)
    )
    (folder / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}")
    movies = "".join(f'{n},"Movie, The ({1990 + n})",Drama|War\n' for n in range(1, 12))
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{movies}")


def movielens_dat(folder: Path) -> None:
    rows = "".join(
        f"{n % 7 + 1}::{n % 11 + 1}::{n % 5 + 1}::{956_620_800 + n * 60}\n" for n in range(60)
    )
    (folder / "ratings.dat").write_text(rows)
    movies = "".join(f"{n}::Caf\xe9 {n}::Drama|War\n" for n in range(1, 12))
    (folder / "movies.dat").write_bytes(movies.encode("latin-1"))


def movielens_tsv(folder: Path) -> None:
    rows = "".join(
        f"{n % 7 + 1}\t{n % 11 + 1}\t{n % 5 + 1}\t{956_620_800 + n * 60}\n" for n in range(60)
    )
    (folder / "u.data").write_text(rows)


def gharchive(folder: Path) -> None:
    chance = random.Random(0)
    for hour in (0, 9, 15):
        events = [
            {
                "id": f"{hour}{n:02}",
                "type": chance.choice(["WatchEvent", "PushEvent", "ForkEvent", "GollumEvent"]),
                "actor": {"id": n % 6 + 1, "login": f"user{n}"},
                "repo": {"id": n % 9 + 1, "name": f"owner{n % 3}/repo{n % 9}"},
                "payload": {"commits": [{"sha": "0" * 40}] * (n % 4)},
                "created_at": f"2026-01-01T{hour:02}:{n:02}:00Z",
            }
            for n in range(20)
        ]
        text = "".join(json.dumps(event) + "\n" for event in events)
        (folder / f"2026-01-01-{hour}.json.gz").write_bytes(gzip.compress(text.encode()))


def sequences(folder: Path) -> None:
    lines = (" ".join(str((user * 5 + n) % 12 + 1) for n in range(15)) for user in range(1, 5))
    text = "".join(f"{user} {items}\n" for user, items in enumerate(lines, 1))
    (folder / "log.txt").write_text(text)


def columns(folder: Path) -> None:
    (folder / "2026-01-01").mkdir()
    rows = [
        {
            "user": {"id": n % 5 + 1},
            "item": {"id": n % 8 + 1, "seller": f"shop {n % 3}"},
            "at": f"2026-01-01 {n % 20 + 2:02}:30:00",
            "received": f"2026-01-01 {n % 20 + 2:02}:30:05",
            "page": n % 3,
            "seconds": n / 2,
            "event_type": ("view", "click", "like", "buy")[n % 4],
        }
        for n in range(60)
    ]
    text = "".join(json.dumps(each) + "\n" for each in rows)
    (folder / "2026-01-01" / "part.jsonl.gz").write_bytes(gzip.compress(text.encode()))


SAMPLES: list[tuple[str, Callable[[Path], None], str, dict[str, object]]] = [
    ("movielens", movielens_csv, "2000-04-25", {"users": 7, "posts": 11, "author": "post"}),
    ("movielens", movielens_dat, "2000-04-25", {"users": 7, "posts": 11, "author": "post"}),
    ("movielens", movielens_tsv, "2000-04-25", {"users": 7, "posts": 11, "author": "post"}),
    ("gharchive", gharchive, "2026-01-01", {"users": 6, "posts": 9, "author": 3}),
    ("sequences", sequences, "2026-01-01", {"users": 4, "posts": 12, "author": "post"}),
    ("columns", columns, "2026-01-01", {"users": 5, "posts": 8, "author": 3}),
]


@pytest.mark.parametrize(
    ("name", "write", "day", "expected"), SAMPLES, ids=[each[1].__name__ for each in SAMPLES]
)
def test_an_example_reads_its_layout_into_features(
    deployment, tmp_path: Path, name: str, write: Callable, day: str, expected: dict
) -> None:
    deployment.source.mkdir()
    write(deployment.source)
    text = (EXAMPLES / f"{name}.yaml").read_text()
    text = text.replace(f"../var/{name}/", "")
    (tmp_path / "phoenix.yaml").write_text(text)
    for step in STEPS:
        code, facts = deployment.run(step, day)
        assert code == ExitCode.DONE, facts
    events = deployment.table("validate_events", "accepted.parquet", day)
    assert deployment.artifact("validate_events", day).facts["quarantined"] == 0
    assert len(set(events["user_id"].to_pylist())) == expected["users"]
    assert len(set(events["post_id"].to_pylist())) == expected["posts"]
    authors = events["author_id"].to_pylist()
    if expected["author"] == "post":
        assert authors == events["post_id"].to_pylist()
    else:
        assert len(set(authors)) == expected["author"]
    actions = events["actions"].to_pylist()
    assert any(bits & 1 for bits in actions)
    posts = deployment.table("validate_events", "posts.parquet", day)
    assert len(posts) == expected["posts"]


def test_what_values_ranges_and_zones_mean(deployment, tmp_path: Path) -> None:
    deployment.source.mkdir()
    columns(deployment.source)
    text = (EXAMPLES / "columns.yaml").read_text().replace("../var/columns/", "")
    (tmp_path / "phoenix.yaml").write_text(text)
    deployment.run("ingest_events", "2026-01-01")
    events = deployment.table("ingest_events", "events.parquet", "2026-01-01").to_pylist()
    assert [each["actions"] for each in events[:4]] == [0, 1, 2, 5]
    assert events[0]["shown_at"].hour == 1, "2:30 in Paris is 1:30 UTC in winter"
    movielens_csv(deployment.source)
    text = (EXAMPLES / "movielens.yaml").read_text().replace("../var/movielens/", "")
    (tmp_path / "phoenix.yaml").write_text(text)
    deployment.run("ingest_events", "2000-04-25")
    events = deployment.table("ingest_events", "events.parquet", "2000-04-25").to_pylist()
    assert [each["actions"] for each in events[:5]] == [2, 2, 0, 1, 1], "ratings 1 to 5"
