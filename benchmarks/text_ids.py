"""Ids that are text: their dictionary on disk, a feed by a text, and days of nothing else.

A day is measured with a row per impression, and with a row per action, where the actions of a user
on a post are folded into impressions.
"""

import datetime
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from benchmarks import day as numbers_day
from benchmarks import features, pipeline
from benchmarks.measurement import Result
from components import contract
from components.run.context import Context
from components.serving import feed_files
from components.serving.feed_files import Feeds, Origin
from components.settings.loading import load
from components.store.artifacts import Store
from components.tables import cells, id_texts
from components.tables.id_texts import IdTexts
from schemas.feeds import TEXT_COLUMNS

_DAY = datetime.date(2026, 1, 1)
_FEED = 20  # posts in a feed
_LIMIT_GIGABYTES, _LIMIT_FEED_SECONDS = 1.0, 1.0
_LIMIT_DAY_SECONDS, _LIMIT_DAY_GIGABYTES = 40.0, 3.0
_TEXT_IDS = 'text_ids: {user_id: "", post_id: "", author_id: ""}'
_FOLDED = "rows: actions"  # within `build_features.window_minutes`


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    texts: int = 10_000_000  # in the dictionary: UUIDs, of which nothing can be left out
    feeds: int = 50_000  # published, of users of the dictionary
    users: int = 200_000  # of the day, 25 impressions each


def results(sizes: Sizes = Sizes()) -> Iterator[Result]:
    """Measures the dictionary, `phoenix feed TEXT`, and the second day of two logs of text."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _dictionary(Path(folder), sizes)
    for name, more in (
        ("text_ids_day", _TEXT_IDS),
        ("text_ids_folded_day", f"{_TEXT_IDS}\n    {_FOLDED}"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            yield _day(name, more, Path(folder), sizes.users)


def _dictionary(root: Path, sizes: Sizes) -> Iterator[Result]:
    texts = _uuids(sizes.texts)
    ids, _ = cells.parse_text_id(texts, "")
    started = time.perf_counter()
    dictionary = IdTexts.of("user_id", ids, texts)
    dictionary.write(root)
    wrote = time.perf_counter() - started
    gigabytes = (root / id_texts.file_name("user_id")).stat().st_size / 1e9
    yield Result(
        name="text_ids_on_disk",
        ours=sizes.texts / 1e6 / gigabytes,
        peer=sizes.texts / 1e6 / _LIMIT_GIGABYTES,
        unit="M texts/GB",
        note=f"{sizes.texts:,} UUIDs: {gigabytes:.3f} GB, sorted and written in {wrote:.1f} s; "
        f"peer: the limit, {_LIMIT_GIGABYTES:g} GB",
    )
    user = _publish(root, dictionary, sizes.feeds)
    taken = [_feed_seconds(root, user) for _ in range(4)]
    yield Result(
        name="text_ids_feed",
        ours=1 / min(taken),
        peer=1 / _LIMIT_FEED_SECONDS,
        unit="feeds/s",
        note=f"`phoenix feed {user}` among {sizes.feeds:,} feeds: {min(taken):.2f} s with the "
        "start of Python, the best of 4; peer: the limit",
    )


def _uuids(count: int) -> pa.Array:
    """Returns texts in the form of UUIDs, the same in every run."""
    digits = np.random.default_rng(0).bytes(16 * count).hex()
    parts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return pa.array(
        "-".join(digits[32 * row + start : 32 * row + end] for start, end in parts)
        for row in range(count)
    )


def _publish(root: Path, dictionary: IdTexts, count: int) -> str:
    """Publishes feeds of some users with their texts; returns one of the users."""
    path = numbers_day.configure(root, root / "logs", _TEXT_IDS)
    config = load(path)
    context = Context(contract.PUBLISH_FEEDS, config, _DAY, Store(config.store))
    users = np.sort(np.random.default_rng(1).choice(dictionary.ids, count, replace=False))
    shape = (count, _FEED)
    posts = np.random.default_rng(2).choice(dictionary.ids, shape)
    number = np.full(shape, 0.5, np.float32)
    feeds = Feeds(
        user_ids=users,
        post_ids=posts,
        author_ids=posts,
        scores=number,
        base_scores=number,
        multipliers=number,
        probabilities=number[..., None],
        retrieval_scores=number,
        is_unscored=np.zeros(count, bool),
        sources=np.zeros(shape, np.int64),
    )
    schema = feed_files.schema(config.action_names, "0" * 64)
    table = feed_files.to_table(feeds, Origin(_DAY), schema=schema)
    texts = dict.fromkeys(TEXT_COLUMNS, dictionary)
    with context.write(inputs=[], config={"benchmark": "feeds of texts"}) as draft:
        table = feed_files.with_texts(table, texts)
        with feed_files.writer(draft.folder, table.schema, num_buckets=1) as writer:
            writer.write_rows(table)
    return dictionary.names_of(users[count // 2 : count // 2 + 1])[0]


def _feed_seconds(root: Path, user: str) -> float:
    command = "import sys; from components.cli.app import app; sys.exit(app())"
    argv = ["feed", user, "--day", str(_DAY), "-c", str(root / "logs.yaml"), "--json"]
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", command, *argv], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _day(name: str, more: str, root: Path, users: int) -> Result:
    path = numbers_day.configure(root, root / "logs", more)
    steps: list[tuple[float, float]] = []
    last = _DAY + datetime.timedelta(days=1)
    for day in (_DAY, last):  # the second day has a state, and posts that were shown before
        _write_log(root / "logs", day, users=users)
        steps = [pipeline.in_a_process(path, step, day) for step in pipeline.DATA_STEPS]
    million, seconds = users * 25 / 1e6, sum(each for each, _ in steps)
    peak = max(each for _, each in steps)
    told = ", ".join(
        f"{step} {each:.1f} s {gigabytes:.2f} GB"
        for step, (each, gigabytes) in zip(pipeline.DATA_STEPS, steps, strict=True)
    )
    config = load(path)
    context = Context(contract.VALIDATE_EVENTS, config, last, Store(config.store))
    folded = context.read(contract.VALIDATE_EVENTS.name, last).facts["folded"]
    return Result(
        name=name,
        ours=million / seconds,
        peer=million / _LIMIT_DAY_SECONDS,
        unit="M rows/s",
        note=f"{million:g} M rows of CSV of {users:,} users, users, posts and authors as text, "
        f"{folded:,} rows folded into others: {seconds:.1f} s and {peak:.2f} GB ({told}); peer: "
        f"the limit, {_LIMIT_DAY_SECONDS:g} s (and {_LIMIT_DAY_GIGABYTES:g} GB) for 5 M",
    )


def _write_log(logs: Path, day: datetime.date, *, users: int) -> None:
    events = features.events(day, num_users=users, per_user=25)
    texts = {name: _texts_of(events[f"{name}_id"], name) for name in ("user", "post", "author")}
    numbers = {
        "time": events["shown_at"],
        "tab": events["surface"],
        "seconds": np.round(events["dwell_seconds"].astype(float), 3),
        "favorite": events["actions"],
    }
    csv.write_csv(pa.table({**texts, **numbers}), logs / f"{day}.csv")


def _texts_of(ids: np.ndarray, name: str) -> pa.Array:
    distinct, codes = np.unique(ids, return_inverse=True)
    texts = [
        f"{name}-{hashlib.blake2b(str(each).encode(), digest_size=8).hexdigest()}"
        for each in distinct.tolist()
    ]
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(texts)).cast(pa.string())
