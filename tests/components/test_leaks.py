"""Nothing of a later day reaches an earlier one, from the raw log to the feeds.

Two deployments read the same log; that of the second goes on after the cut, with rows and posts
that can be recognised, and its steps of the last day before the cut run again when all of the day
after it is there. Every artifact up to the cut must be the same, to the bit.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.contract import ExitCode
from components.features import shapes
from components.features.windows_files import read_windows
from components.settings.steps import HashingConfig
from components.store.artifacts import Ref
from tests.components.conftest import CHAIN, World

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
DAY_MS = 86_400_000
START = 1_767_225_600_000  # of the first day
CUT = START + 2 * DAY_MS  # the first millisecond of the third day
GAP_MS = 5 * 60_000
SPEC = shapes.hash_spec(HashingConfig())
POISON = 1_000_000  # ids from here on are of the time after the cut
NEW = 500_000  # ids from here on are of posts that are first shown on the second day
MANY = 10**9  # windows, more than there are
LOG_COLUMNS = "user,post,author,shown,arrived,tab,seconds,favorite,click"
CONFIG = """
store: {folder}/store
first_day: 2026-01-01
ingest_events:
  source:
    layout: columns
    events: {folder}/log.csv
    event_columns: {{user_id: user, post_id: post, author_id: author, shown_at: shown,
      ingested_at: arrived, surface: tab, dwell_seconds: seconds}}
    time_unit: ms
actions: [{{name: favorite, is_positive: true}}, {{name: click}}]
hashing: {{user_rows: 200, post_rows: 200, author_rows: 100}}
validate_events:
  severities: {{contract: ignore, arrival_order: ignore}}
baseline: {{min_days: 2}}
build_features: {{history_length: 6, num_candidates: 4, gap_minutes: 5}}
train_retrieval: &training
  model: {{emb_size: 8, num_layers: 1, num_heads: 1, key_size: 8}}
  min_windows: {min_windows}
  batch_size: 32
train_ranker: *training
evaluate_models: {{retrieval_k: 1}}
materialize_feeds: {{num_retrieved: 10, feed_length: 3, num_shards: 2}}
publish_feeds: {{min_coverage: 0.1}}
"""

Row = tuple[int, int, int, int, int, int, int]


def before_the_cut() -> list[Row]:
    """User, post, author, shown, arrived, favorite, click; on day 2, new posts alone are liked."""
    chance, rows = np.random.default_rng(1), []
    for day in range(2):
        for _ in range(150):
            post = int(chance.integers(1, 30)) + NEW * day * int(chance.integers(0, 2))
            # Few minutes, so that rows meet the very end of a history, shown or arrived.
            shown = START + day * DAY_MS + 60_000 * int(chance.integers(1, 120))
            liked = int(chance.integers(0, 2)) if day == 0 or post > NEW else 0
            delay = 60_000 * int(chance.choice([0, 0, 1, 4]))
            user = int(chance.integers(1, 25))
            rows.append((user, post, 1 + post % 7, shown, shown + delay, liked, 1))
    second = START + DAY_MS
    # What is popular on the second day by far was not there on the first.
    rows += [(user, NEW + 50, 1, *2 * (second + 200 * 60_000,), 1, 1) for user in range(5, 25)]
    # A row that arrives at the very end of the history of the next window.
    rows.append((2, 11, 5, second + 240 * 60_000, second + 302 * 60_000, 0, 1))
    rows.append((2, 12, 5, second + 307 * 60_000, second + 307 * 60_000, 0, 1))
    # The last moment of the day, and the first one of the next.
    rows.append((3, 7, 1, CUT - 1, CUT - 1, 0, 1))
    rows.append((3, 8, 2, START + DAY_MS, START + DAY_MS, 0, 1))
    return rows


def after_the_cut() -> list[Row]:
    """The first moments of the third day, by users and posts of before as well as by new ones."""
    rows = [
        (3, POISON + 1, 5, CUT, CUT, 1, 1),
        (3, POISON + 2, 5, CUT, CUT - 1, 1, 1),  # said to be known before it was shown
        (4, 7, 6, CUT, CUT, 1, 0),  # another author of a post of before
        (POISON, 9, 3, CUT + 1, CUT + 1, 1, 1),
    ]
    chance = np.random.default_rng(2)
    for user in range(1, 25):
        for _ in range(4):
            shown = CUT + int(chance.integers(0, DAY_MS))
            post = int(chance.choice([POISON + 3, 5, 6]))
            rows.append((user, post, 5, shown, shown, 1, 1))
    return rows


def write_log(folder: Path, rows: list[Row]) -> None:
    lines = [f"{u},{p},{a},{s},{k},1,3.5,{f},{c}" for u, p, a, s, k, f, c in rows]
    (folder / "log.csv").write_text("\n".join([LOG_COLUMNS, *lines]) + "\n")


def deployed(folder: Path, rows: list[Row], *, min_windows: int = MANY) -> World:
    """A deployment; with `MANY` it plans its training, names what it would read, and ends there."""
    folder.mkdir()
    write_log(folder, rows)
    (folder / "world.yaml").write_text(CONFIG.format(folder=folder, min_windows=min_windows))
    return World(folder / "world.yaml")


def run(world: World, day: str) -> None:
    for name in CHAIN:
        options = {}
        shards = (0, 1) if name == "materialize_feeds" else (None,)
        if name in ("materialize_feeds", "publish_feeds"):
            options["num_shards"] = 2
        for shard in shards:
            sharded = {"shard": shard} if shard is not None else {}
            code = world.run(name, day, **options, **sharded)
            assert code in (ExitCode.DONE, ExitCode.NOTHING_TO_DO), f"{name} of {day}"


def until(world: World, day: str) -> dict[str, str]:
    return {
        name: digest for name, digest in world.heads().items() if name.split("/")[1][:10] <= day
    }


@pytest.mark.parametrize("min_windows", [MANY, pytest.param(5, marks=pytest.mark.slow)])
def test_what_comes_after_the_cut_changes_nothing_before_it(
    tmp_path: Path, min_windows: int
) -> None:
    clean = deployed(tmp_path / "clean", before_the_cut(), min_windows=min_windows)
    for day in DAYS[:2]:
        run(clean, day)
    rows = [*before_the_cut(), *after_the_cut()]
    poisoned = deployed(tmp_path / "poisoned", rows, min_windows=min_windows)
    for day in DAYS:
        run(poisoned, day)
    for kind in CHAIN:
        for folder in (tmp_path / "poisoned" / "store" / kind).glob(f"{DAYS[1]}*"):
            shutil.rmtree(folder)
    run(poisoned, DAYS[1])
    expected = until(clean, DAYS[1])
    assert len(expected) == 2 * (len(CHAIN) + 1)
    assert until(poisoned, DAYS[1]) == expected

    metrics = clean.artifact("evaluate_models", DAYS[1]).path("metrics.json").read_text()
    recall = json.loads(metrics)["retrieval"]["most_popular"]["recall@1"]
    assert recall == 0, "what is popular on the day that is judged was known before it"
    check_borders(clean)
    check_histories(clean)
    again = [clean.run(name, DAYS[1]) for name in CHAIN[:-2]]
    assert set(again) == {ExitCode.NOTHING_TO_DO}, "a step reads what it wrote itself"


def check_borders(world: World) -> None:
    """Both ends of a day belong to it, and nothing that is first shown later is known on it."""
    for number, day in enumerate(DAYS[:2]):
        validated = world.artifact("validate_events", day)
        events = pq.read_table(validated.path("accepted.parquet"))
        shown = events["shown_at"].cast("int64").to_numpy() - START
        assert (shown // DAY_MS == number).all()
        known = pq.read_table(validated.path("posts.parquet"))["post_id"].to_numpy()
        assert known.max() < (NEW if number == 0 else POISON)
    of_borders = events["post_id"].to_numpy()[np.isin(shown, [DAY_MS, 2 * DAY_MS - 1])]
    assert sorted(of_borders.tolist()) == [7, 8]


def check_histories(world: World) -> None:
    """What a window knows was shown before its cutoff and had arrived by then: the latest six."""
    files = [world.artifact("validate_events", day).path("accepted.parquet") for day in DAYS[:2]]
    names = ("user_id", "post_id", "shown_at", "ingested_at")
    tables = [pq.read_table(file).select(names) for file in files]
    rows = [
        row
        for table in tables
        for row in zip(*(table[name].cast("int64").to_pylist() for name in names), strict=True)
    ]
    met = set()
    for number, day in enumerate(DAYS[:2]):
        folder = world.artifact("build_features", day).folder
        windows = read_windows(folder, spec=SPEC)
        for window, user in enumerate(windows.user_ids.tolist()):
            cutoff = int(windows.starts_at[window]) - GAP_MS
            own = [row[1:] for row in rows if row[0] == user]
            met |= {"shown" for _, shown, _ in own if shown == cutoff}
            met |= {"arrived" for _, shown, arrived in own if shown < arrived == cutoff}
            known = [post for post, shown, arrived in own if shown < cutoff and arrived <= cutoff]
            found = windows.history_post_ids[window]
            assert sorted(found[found > 0].tolist()) == sorted(known[-6:]), (number, window)
    assert met == {"shown", "arrived"}, "no row stands at a border"


def test_a_correction_that_arrives_later_changes_no_earlier_training_set(tmp_path: Path) -> None:
    world = deployed(tmp_path / "world", before_the_cut())
    for day in DAYS[:2]:
        run(world, day)
    # Rows of the second day that arrive on the third: new ones, and another version of an old one.
    second = START + DAY_MS
    old = next(r for r in before_the_cut() if second + 600_000 > r[3] >= second and not r[5])
    user, post, author, shown, _, liked, _ = old
    late = [
        (user, post, author, shown, CUT, 1, 1),  # a label
        (user, POISON, 5, shown, CUT, 1, 1),
        (user, POISON + 1, 5, CUT - 1, CUT + 5, 1, 1),
    ]
    write_log(tmp_path / "world", [*before_the_cut(), *after_the_cut(), *late])
    run(world, DAYS[2])
    trained = world.artifact("train_ranker", DAYS[2]).manifest["recipe"]["inputs"]
    sets = [Ref(**each) for each in trained if each["kind"] == "build_features"]
    assert [ref.partition for ref in sets] == list(DAYS[:2])
    before, of_models = world.heads(), [ref for ref in world.heads() if "train_" in ref]
    assert [world.run(name, DAYS[1]) for name in CHAIN[:3]] == [ExitCode.NOTHING_TO_DO, 0, 0]
    corrected = world.artifact("build_features", DAYS[1])
    assert corrected.ref not in sets, "the day has a new version"
    assert {name: world.heads()[name] for name in of_models} == {n: before[n] for n in of_models}
    for ref in sets:
        read_windows(world.store.read(ref).folder, spec=SPEC)  # verified, to the byte
    for name in ("train_retrieval", "train_ranker"):
        assert world.run(name, DAYS[1]) == ExitCode.NOTHING_TO_DO
    windows = read_windows(corrected.folder, spec=SPEC)
    assert (windows.candidate_post_ids >= POISON).sum() == 2, "the correction is in the new version"
    assert not (windows.history_post_ids >= POISON).any(), "no user had seen them arrive"
    is_changed = (windows.history_post_ids == post) & (windows.user_ids == user)[:, None]
    actions = windows.history_actions[is_changed & (windows.history_shown_at == shown)]
    assert set(actions.tolist()) == {2 + liked}, "it is in histories, as it was known then"
