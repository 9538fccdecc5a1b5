"""Memory of ranking a long slate for one user against a short one: a block, not a slate, counts."""

import ctypes
import gc
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.measurement import Result
from phoenix.data.hashing import HashSpec
from phoenix.data.windows import Windows

_SHORT, _LONG = 1_000, 10_000
_NUM_HISTORY, _EMB_SIZE, _NUM_ROWS = 128, 128, 20_000
_ACTIONS = tuple(f"action_{index}" for index in range(19))
_REPEATS = 5
# Freed memory goes back to the system at once, so that what is resident is what is used.
_ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
}


def results() -> Iterator[Result]:
    """Measures each slate in a process of its own, less the probabilities that are returned."""
    short, long = (_growth(size) - 4 * size * len(_ACTIONS) for size in (_SHORT, _LONG))
    note = (
        f"peer: {_SHORT:,} candidates, {short / 1e6:.1f} MB; ours {_LONG:,}, {long / 1e6:.1f} MB, "
        f"the output apart; D {_EMB_SIZE}, 4 layers, S {_NUM_HISTORY}; the goal is 1 / 1.2"
    )
    yield Result(
        name="ranking_memory", ours=1e9 / long, peer=1e9 / short, unit="users/GB", note=note
    )


def _growth(num_candidates: int) -> int:
    """Bytes by which a process grows while it ranks, the median of some runs."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(num_candidates)],
        env={**os.environ, **_ALLOCATOR},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(run.stdout)


def _rank(num_candidates: int) -> int:
    from phoenix.embedding import initial_tables
    from phoenix.grok import TransformerConfig
    from phoenix.recommend.trained import RankingTransformer
    from phoenix.recsys_model import PhoenixModelConfig
    from phoenix.runners import ModelRunner, RecsysInferenceRunner

    trunk = TransformerConfig(_EMB_SIZE, 32, 4, 4, 4, 2.0, 32**-0.5)
    config = PhoenixModelConfig(trunk, _EMB_SIZE, len(_ACTIONS), _NUM_HISTORY)
    runner = RecsysInferenceRunner(ModelRunner(config), "memory")
    runner.initialize()
    spec = HashSpec.documented(user_rows=_NUM_ROWS, post_rows=_NUM_ROWS, author_rows=_NUM_ROWS)
    ranker = RankingTransformer(
        params=runner.params,
        tables=initial_tables(spec, _EMB_SIZE, 0),
        actions=_ACTIONS,
        hash_spec=spec,
        seed=0,
        config=config,
    )
    windows = _one_user(spec, num_candidates)
    for _ in range(_REPEATS):  # The first compiles; some more fill caches that stay.
        ranker.predict(windows)
    return statistics.median_low(  # the median itself, for the number of repeats is odd
        _growth_while(lambda: ranker.predict(windows)) for _ in range(_REPEATS)
    )


def _growth_while(work: Callable[[], object]) -> int:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # Forgets the peak.
    before = _resident("VmRSS")
    work()
    return _resident("VmHWM") - before


def _one_user(spec: HashSpec, num_candidates: int) -> Windows:
    generator = np.random.default_rng(0)
    history, posts = (
        generator.integers(1, 2**62, (1, size)) for size in (_NUM_HISTORY, num_candidates)
    )
    user = np.array([1])

    def zeros(like: np.ndarray, dtype: type) -> np.ndarray:
        return np.zeros(like.shape, dtype)

    return Windows(
        user_ids=user,
        starts_at=user,
        user_hashes=spec.user.hash_ids(user),
        user_attributes=np.zeros((len(user), 0), np.float32),
        history_post_ids=history,
        history_author_ids=history,
        history_post_hashes=spec.post.hash_ids(history),
        history_author_hashes=spec.author.hash_ids(history),
        history_shown_at=history,
        history_actions=zeros(history, np.uint64),
        history_surfaces=zeros(history, np.int32),
        history_dwell_seconds=zeros(history, np.float32),
        history_created_at=zeros(history, np.int64),
        history_attributes=np.zeros((*history.shape, 0), np.float32),
        candidate_post_ids=posts,
        candidate_author_ids=posts,
        candidate_post_hashes=spec.post.hash_ids(posts),
        candidate_author_hashes=spec.author.hash_ids(posts),
        candidate_shown_at=posts,
        candidate_surfaces=zeros(posts, np.int32),
        candidate_created_at=zeros(posts, np.int64),
        candidate_attributes=np.zeros((*posts.shape, 0), np.float32),
        labels=zeros(posts, np.uint64),
        label_dwell_seconds=zeros(posts, np.float32),
    )


def _resident(field: str) -> int:
    """A line of /proc/self/status in bytes."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    sys.stdout.write(str(_rank(int(sys.argv[1]))))
