"""`phoenix serve` under load: requests for feeds, and how soon a new publication is served.

The server and the generator of load (`benchmarks.load`) are processes of their own on one machine.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.measurement import Result
from components import contract
from components.release import releases
from components.serving import feed_files
from components.serving.feed_files import Feeds, Origin
from components.store.artifacts import Recipe, Ref, Store

_USERS, _LENGTH = 100_000, 20
_SECONDS, _CONNECTIONS = 10, 16
_REQUESTS_PER_SECOND, _P99_MS, _FOLLOW_SECONDS = 3_000, 20, 1.0  # what is asked for
_DAYS = ("2026-01-01", "2026-01-02")
_CONFIG = """
store: {store}
first_day: 2026-01-01
ingest_events: {{source: {{layout: synthetic}}}}
actions: [{{name: click, is_positive: true}}]
"""


def results() -> Iterator[Result]:
    """Measures a server of 100,000 feeds of 20 posts."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"{folder}/store")
        published = [_publish(store, day) for day in _DAYS]
        config = Path(folder) / "config.yaml"
        config.write_text(_CONFIG.format(store=f"{folder}/store"))
        _move(store, published[0])
        code = "import sys; from components.cli.app import app; sys.exit(app())"
        command = [sys.executable, "-c", code, "serve", "-c", str(config), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            _load(url, 2)  # warms up
            before = _cpu_seconds(server.pid)
            load = _load(url, _SECONDS)
            cpu = _cpu_seconds(server.pid) - before
            follow = [_follow(store, url, published[number % 2]) for number in range(1, 11)]
        finally:
            server.terminate()
            server.wait()
    own = load["cpu_seconds"] / (cpu + load["cpu_seconds"])
    sizes = f"{_USERS:,} feeds of {_LENGTH}, {_CONNECTIONS} connections"
    shares = (
        f"{cpu / load['answers'] * 1e6:.0f} microseconds of the server's processor each; the "
        f"generator took {own:.0%} of both; {load['failures']:.0f} were no 200"
    )
    yield Result(
        name="serving_feeds",
        ours=load["answers"] / load["seconds"],
        peer=_REQUESTS_PER_SECOND,
        unit="requests/s",
        note=f"goal; {sizes}; {shares}",
    )
    yield Result(
        name="serving_feeds_p99",
        ours=1e3 / load["p99_ms"],
        peer=1e3 / _P99_MS,
        unit="1/s",
        note=f"goal 20 ms: {load['p99_ms']:.1f} ms, median {load['p50_ms']:.1f} ms; {sizes}",
    )
    yield Result(
        name="serving_follows",
        ours=1 / max(follow),
        peer=1 / _FOLLOW_SECONDS,
        unit="1/s",
        note=f"goal 1 s: from a move of the pointer to the first answer, longest of 10; {sizes}",
    )


def _publish(store: Store, day: str) -> tuple[Ref, Ref]:
    """Writes feeds of one day; returns a name for their release, which nobody reads, and theirs."""
    draw = np.random.default_rng(int(day[-2:]))
    shape = (_USERS, _LENGTH)
    scores = -np.sort(-draw.random(shape, np.float32), axis=1)
    release = Ref(releases.RELEASE, day, day, f"{int(day[-2:]):064x}")
    schema = feed_files.schema(["click"], release.digest)
    feeds = Feeds(
        user_ids=np.arange(1, _USERS + 1),
        post_ids=draw.integers(1, 1_000_000, shape),
        author_ids=draw.integers(1, 100_000, shape),
        scores=scores,
        base_scores=scores,
        multipliers=np.ones(shape, np.float32),
        probabilities=scores[:, :, None],
        retrieval_scores=scores,
        is_unscored=np.zeros(_USERS, bool),
        sources=np.zeros(shape, np.int64),
    )
    table = feed_files.to_table(feeds, Origin(contract.parse_day(day)), schema=schema)
    recipe = Recipe(kind=releases.FEEDS, partition=day, inputs=[], config={}, code="", libraries={})
    with store.write(recipe) as draft:
        with feed_files.writer(draft.folder, schema, num_buckets=1) as writer:
            writer.write_rows(table)
        default = table.slice(0, _LENGTH)
        nobody = np.full(_LENGTH, feed_files.NOBODY)
        feed_files.write_default(draft.folder, default.set_column(0, schema.field(0), [nobody]))
    ref = store.head(recipe.kind, day)
    assert ref is not None
    return release, ref


def _move(store: Store, published: tuple[Ref, Ref]) -> None:
    release, feeds = map(asdict, published)
    value = {"release": release, "feeds": feeds, "day": published[0].partition}
    target = releases.pointer(store)
    target.move(value, newest=target.read(), reason="benchmark")


def _follow(store: Store, url: str, published: tuple[Ref, Ref]) -> float:
    """Moves the pointer; returns the seconds until the server answers with what it names."""
    _move(store, published)
    began = time.perf_counter()
    while True:
        with urllib.request.urlopen(f"{url}/feeds/1") as answer:
            if json.load(answer)["live_release"] == published[0].digest:
                return time.perf_counter() - began
        time.sleep(0.005)


def _load(url: str, seconds: float) -> dict[str, float]:
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "benchmarks.load", port, str(seconds)]
    run = subprocess.run(
        [*command, str(_CONNECTIONS), str(_USERS)], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


def _cpu_seconds(process: int) -> float:
    """Returns the processor time of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
