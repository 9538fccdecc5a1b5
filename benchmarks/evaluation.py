"""What a decision costs on a day of many users and many posts.

The sample of users is what bounds it: the day has more users than the gate looks at by default, and
more posts than can be embedded in no time. Counted is CPU time, with that of the system.
"""

import datetime
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks import pipeline
from benchmarks.measurement import Result
from components.settings.loading import load
from components.store.artifacts import Store

_FIRST_DAY = datetime.date(2026, 1, 1)
_USERS, _POSTS, _ROWS = 47_000, 200_000, 400_000
_LIMIT_SECONDS = 20.0
_STEPS = ("train_retrieval", "train_ranker", "evaluate_models", "export_corpus", "publish_release")


def results() -> Iterator[Result]:
    """Yields the users of a day that a second of CPU time is enough for, beside the limit."""
    with tempfile.TemporaryDirectory() as folder:
        config = _configure(Path(folder))
        days = [_FIRST_DAY + datetime.timedelta(days=number) for number in range(3)]
        pipeline.run_data_steps(config, days[0], days[-1])
        for name in _STEPS:
            pipeline.run_step(config, name, days[1])
        for name in _STEPS[:2]:
            pipeline.run_step(config, name, days[2])
        seconds = _cpu_seconds(config, "evaluate_models", days[2])
        store = Store(load(config).store)
        ref = store.head("evaluate_models", str(days[2]))
        assert ref is not None, "the step has just run"
        metrics = store.manifest(ref)["facts"]["metrics"]
    asked = metrics["retrieval"]["random"]["users"]
    entrants = ", ".join(metrics["retrieval"])
    yield Result(
        name="evaluate_models",
        ours=_USERS / seconds,
        peer=_USERS / _LIMIT_SECONDS,
        unit="users/s of CPU time",
        note=f"{seconds:.1f} s of CPU time for {_USERS:,} users and {_POSTS:,} posts, the default "
        f"sample, {asked:,} with a positive, of retrieval {entrants}; peer: the limit of "
        f"{_LIMIT_SECONDS:.0f} s",
    )


def _configure(folder: Path) -> Path:
    source = {
        "num_users": _USERS,
        "num_posts": _POSTS,
        "num_authors": _POSTS // 20,
        "num_posts_per_day": _POSTS // 50,
        "impressions_per_day": _ROWS,
    }
    path = pipeline.configure(folder, "synthetic", source)
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name in ("train_retrieval", "train_ranker"):  # what they learn changes no cost
        raw[name].update(epochs=1, batch_size=512, window_days=1)
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def _cpu_seconds(config: Path, name: str, day: datetime.date) -> float:
    """Runs a step in a process of its own; returns its CPU time, with that of the system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pipeline.in_a_process(config, name, day)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
