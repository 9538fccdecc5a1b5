import datetime
from pathlib import Path
from typing import get_args

import pytest

from components.settings.loading import load
from components.settings.source import FileSource
from components.source.layouts import Layout, layout

CONFIG = """
store: store
first_day: 2022-04-26
ingest_events: {source: {layout: kuairand, path: source}}
actions: [{name: favorite, column: is_like, is_positive: true}, {name: click}]
"""


def test_all_logs_and_videos_of_a_kuairand_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name in ("log_random.csv", "log_2.csv", "video_features_basic_1k.csv", "user_features.csv"):
        (tmp_path / "source" / name).touch()
    (tmp_path / "phoenix.yaml").write_text(CONFIG)
    config = load(tmp_path / "phoenix.yaml")
    found = layout(config.ingest_events.source, config)
    assert [path.name for path in found.event_files] == ["log_2.csv", "log_random.csv"]
    assert [path.name for path in found.post_files] == ["video_features_basic_1k.csv"]
    assert [rule.column for rule in found.actions] == ["is_like", "click"], (
        "the name of an action is its column"
    )


def by_day(folder: Path, pattern: str) -> Layout:
    """The layout of files with these columns, whose path says the day."""
    mapping = "{user_id: u, post_id: p, author_id: a, shown_at: t}"
    source = f"{{layout: columns, events: '{pattern}', event_columns: {mapping}}}"
    (folder / "phoenix.yaml").write_text(CONFIG.replace("{layout: kuairand, path: source}", source))
    config = load(folder / "phoenix.yaml")
    return layout(config.ingest_events.source, config)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{day}.csv", "2026-01-02.csv"),
        ("{day}/*.csv", "2026-01-02/part-0.csv"),
        ("logs/*/day={day}/e?.csv", "logs/x/day=2026-01-02/e1.csv"),
        ("**/{day}-*.csv", "a/b/2026-01-02-23.csv"),
        ("**/{day}-*.csv", "2026-01-02-23.csv"),
        ("{day}*.csv", "2026-01-02-23.csv"),
        ("*{day}*.csv", "log2026-01-02.csv"),
        ("{day}/{day}*.csv", "2026-01-02/2026-01-02.csv"),
        ("{day}[!a-c]?.csv", "2026-01-02d1.csv"),
        ("[l]og{day}.csv", "log2026-01-02.csv"),
        ("{day:%Y%m%d}/*.csv", "20260102/part-0.csv"),
        (
            "year={day:%Y}/month={day:%m}/day={day:%d}/hour=*/*.csv",
            "year=2026/month=01/day=02/hour=7/part-0.csv",
        ),
        ("year={day:%Y}/month={day:%-m}/day={day:%-d}/*.csv", "year=2026/month=1/day=2/a.csv"),
        ("{day:%Y/%m/%d/%H}/*.csv", "2026/01/02/23/a.csv"),
        ("{day:%Y.%j}.csv", "2026.002.csv"),
        ("{day:%d-%m-%Y}_*.csv", "02-01-2026_1.csv"),
    ],
)
def test_files_by_day_are_found_by_the_day_in_their_path(
    tmp_path: Path, pattern: str, name: str
) -> None:
    tomorrow = name.replace("02", "03") if "003" not in name else name
    for each in (name, tomorrow, name.replace("2026", "latest")):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).touch()
    found = by_day(tmp_path, pattern)
    assert len(found.event_files) == 2
    files = found.files_by_day[datetime.date(2026, 1, 2)]
    assert [str(path.relative_to(tmp_path)) for path in files] == [name]


def test_files_in_the_folder_of_another_day_are_of_no_day(tmp_path: Path) -> None:
    for day in ("2026-01-02", "2026-01-03"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "2026-01-02.csv").touch()
    found = by_day(tmp_path, "{day}/{day}.csv").event_files
    assert [str(path.relative_to(tmp_path)) for path in found] == ["2026-01-02/2026-01-02.csv"]


SOURCES = {
    "kuairand": ("path: .", ["log_1.csv", "video_features_basic.csv"]),
    "movielens": ("path: .", ["ratings.csv"]),
    "gharchive": ("path: .", ["2026-01-02-1.json.gz"]),
    "sequences": ("events: a.txt", ["a.txt"]),
    "columns": (
        "events: a.csv, delimiter: ';', text_ids: {user_id: '@'},"
        " event_columns: {user_id: u, post_id: p, author_id: a, shown_at: t}",
        ["a.csv"],
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_rule_of_erasure_knows_user_ids_as_the_layout_does(tmp_path: Path, name: str) -> None:
    settings, files = SOURCES[name]
    for file in files:
        (tmp_path / file).touch()
    source = f"{{layout: {name}, {settings}}}"
    text = CONFIG.replace("{layout: kuairand, path: source}", source).replace("is_like", "item")
    (tmp_path / "phoenix.yaml").write_text(text.replace("name: click", "name: click, column: item"))
    config = load(tmp_path / "phoenix.yaml")
    described = layout(config.ingest_events.source, config)  # type: ignore[arg-type]
    form = config.ingest_events.source.user_ids
    assert form.column in (None, described.event_columns["user_id"])
    assert form.text_end == described.text_ids.get("user_id")
    assert form.delimiter == described.event_format.delimiter


def test_the_rule_of_erasure_is_held_to_every_layout() -> None:
    assert len(SOURCES) == len(get_args(FileSource))
