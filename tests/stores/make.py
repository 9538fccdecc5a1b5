"""Makes a small whole store with the code of one checkout, and packs it as one archive.

    .venv/bin/python tests/stores/make.py CHECKOUT ARCHIVE.tar.xz

`CHECKOUT` is a clone after `make setup`, at any commit: its interpreter runs its steps, by nothing
but the public command line. The archive holds a deployment with relative paths: the configuration,
the source with one day more than was run, and the store without its work, drafts and pages. What
may differ between two archives of one commit is the clock in pointers and records.
"""

import argparse
import datetime
import io
import logging
import os
import random
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)

CONFIG = """\
store: store
first_day: 2026-01-01
seed: 7
ingest_events:
  source:
    layout: columns
    events: source/logs/{day}/*.csv
    posts: source/posts.csv
    event_columns:
      user_id: user
      post_id: post
      shown_at: shown_at
      ingested_at: received_at
      surface: page
      dwell_seconds: seconds
    post_columns: {post_id: post, author_id: author, created_at: created_at}
    time_unit: iso
    dwell_unit: s
actions:
  - {name: favorite, column: event, values: [like, share], is_positive: true}
  - {name: click, column: event, values: [click, like, share]}
  - {name: share, column: event, values: [share], is_positive: true}
  - {name: not_interested, column: event, values: [hide]}
hashing: {user_rows: 64, post_rows: 64, author_rows: 16}
attributes:
  users: {files: source/users.csv, id: user}
  posts: {files: source/posts.csv, id: post}
  declared:
    - {name: country, side: user, kind: vocabulary, column: country, words: [de, fr, pl]}
    - {name: tenure, side: user, kind: bucketized, column: years, boundaries: [1, 3, 5]}
    - {name: topics, side: post, kind: sequence, column: topics, length: 2, num_rows: 16,
       separator: "+"}
    - {name: weekday, side: context, kind: vocabulary, column: weekday,
       words: ["0", "1", "2", "3", "4", "5", "6"]}
build_features: {history_length: 8, num_candidates: 4}
train_retrieval: &training
  model: &model {emb_size: 8, num_layers: 1, num_heads: 1, key_size: 4}
  min_windows: 10
  batch_size: 32
  epochs: 2
  validation: {fraction: 0.2}
train_ranker:
  <<: *training
  model: {<<: *model, reads_dwell: true, reads_post_age: true}
evaluate_models: {retrieval_k: 10}
materialize_feeds: {num_retrieved: 20, feed_length: 5, seen_days: 1, num_shards: 2}
publish_feeds: {min_coverage: 0.5}
"""
FIRST_DAY = datetime.datetime(2026, 1, 1)
NUM_DAYS = 4  # that are run; the source has one more
NUM_USERS, NUM_POSTS, NUM_TOPICS = 40, 60, 4
COUNTRIES = ("de", "fr", "pl", "nl")
EVENTS = ("like", "share", "click", "view", "hide")
EVENT_WEIGHTS_OF_OWN_TOPIC, EVENT_WEIGHTS_OF_OTHERS = (5, 2, 2, 1, 0), (0, 0, 2, 7, 1)
NUM_SHARDS = 2
CHAIN = (
    "ingest_events",
    "validate_events",
    "build_features",
    "train_retrieval",
    "train_ranker",
    "evaluate_models",
    "export_corpus",
    "publish_release",
    *["materialize_feeds"] * NUM_SHARDS,
    "publish_feeds",
)
NOT_PACKED = ("work", "tmp", "damaged", "pages", "docs")
# Leases and pointers name the host that moved them; a fixture names none.
RUN_WITHOUT_HOST = """
import runpy, socket, sys
socket.gethostname = lambda: "fixture"
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path, help="A clone after `make setup`.")
    parser.add_argument("archive", type=Path, help="The file to write, .tar.xz.")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_deployment(folder)
        run_days(options.checkout.absolute(), folder)
        pack(folder, options.archive)


def write_deployment(folder: Path) -> None:
    """Writes the configuration and the source: topics decide what users like."""
    rng = random.Random(20260101)
    (folder / "phoenix.yaml").write_text(CONFIG)
    source = folder / "source"
    write_lines(
        source / "users.csv",
        ["user,country,years"] + [f"{user},{COUNTRIES[user % 4]},{user % 7}" for user in users()],
    )
    write_lines(
        source / "posts.csv",
        ["post,author,created_at,topics"]
        + [
            f"{post},{post % 12 + 1},{FIRST_DAY - datetime.timedelta(days=2)},"
            f"{post % NUM_TOPICS + 1}+{post % 9 + 5}"
            for post in posts()
        ],
    )
    late: list[str] = []
    for number in range(NUM_DAYS + 1):
        day = FIRST_DAY + datetime.timedelta(days=number)
        rows = [row for user in users() for row in session(user, day, rng)]
        # What a real log holds, too: late rows, one twice, one that is no event, one without sense.
        broken = [f"none,1,{day},{day},0,1.0,click", f"0,1,{day},{day},0,1.0,click"]
        lines = [*late, *rows[3:], rows[3], *broken]
        late = rows[:3]
        path = source / f"logs/{day:%Y-%m-%d}/events.csv"
        write_lines(path, ["user,post,shown_at,received_at,page,seconds,event", *lines])


def users() -> range:
    return range(1, NUM_USERS + 1)


def posts() -> range:
    return range(1, NUM_POSTS + 1)


def session(user: int, day: datetime.datetime, rng: random.Random) -> Iterator[str]:
    """The rows of one user on one day."""
    at = day + datetime.timedelta(hours=7, minutes=rng.randrange(600))
    for post in rng.sample(posts(), 8):
        at += datetime.timedelta(seconds=rng.randrange(20, 90))
        is_own_topic = user % NUM_TOPICS == post % NUM_TOPICS
        weights = EVENT_WEIGHTS_OF_OWN_TOPIC if is_own_topic else EVENT_WEIGHTS_OF_OTHERS
        event = rng.choices(EVENTS, weights)[0]
        received_at = at + datetime.timedelta(seconds=5)
        yield f"{user},{post},{at},{received_at},{post % 3},{rng.randrange(1, 60)}.0,{event}"


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def run_days(checkout: Path, folder: Path) -> None:
    """Runs the days; the third is rolled back, so that the fourth continues with the second."""
    for number in range(NUM_DAYS):
        day = (FIRST_DAY + datetime.timedelta(days=number)).date().isoformat()
        run_day(checkout, folder, day, is_first=number == 0)
        if number == 2:
            rollback = ["releases", "rollback", "2026-01-02", "--reason", "a day to withdraw"]
            rollback += ["--actor", "fixture", "--config", str(folder / "phoenix.yaml")]
            run(checkout, [str(checkout / ".venv/bin/phoenix"), *rollback])


def run_day(checkout: Path, folder: Path, day: str, *, is_first: bool) -> None:
    for number, step in enumerate(CHAIN):
        argv = ["--config", str(folder / "phoenix.yaml"), "--day", day]
        if step == "materialize_feeds":
            argv += ["--shard", str(number - CHAIN.index(step))]
        if step in ("materialize_feeds", "publish_feeds"):
            argv += ["--num-shards", str(NUM_SHARDS)]
        if step == "evaluate_models" and not is_first:  # whatever so small a model has learned
            argv += ["--force", "promote", "--reason", "a store for tests holds trained models"]
        python = str(checkout / ".venv/bin/python")
        run(checkout, [python, "-c", RUN_WITHOUT_HOST, f"components.{step}", *argv])


def run(checkout: Path, command: list[str]) -> None:
    logger.info("%s", " ".join(command[-5:]))
    environment = {**os.environ, "LOGNAME": "fixture", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")


def pack(folder: Path, archive: Path) -> None:
    """Writes files in order of their names, without times and owners: equal files, equal bytes."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    left_out = [folder / "store" / name for name in NOT_PACKED]
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for path in paths:
            if not any(path.is_relative_to(each) for each in left_out):
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                data = path.read_bytes()
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main()
