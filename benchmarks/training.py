"""Training steps, input and checkpoints, at the sizes of the ranker's benchmark.

Ours is the trainer itself: windows from a source, prefetched, hashed rows, sparse updates. The peer
is a plain jitted step with a square mask, whose tables are parameters like any other.
"""

import dataclasses
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np

from benchmarks.measurement import Result, rates
from benchmarks.plain_training import plain_state, plain_step
from benchmarks.ranker import MODEL
from phoenix.data.hashing import HashSpec
from phoenix.data.window_source import InMemoryWindows
from phoenix.data.windows import Windows
from phoenix.memory import keep_freed_memory
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.train.batches import TrainBatch
from phoenix.train.config import RankerTrainConfig
from phoenix.train.loop import TrainLoop
from phoenix.train.next_item import NextItemBatch
from phoenix.train.run import Run
from phoenix.train.states import TrainStates

_NUM_USERS, _NUM_HISTORY, _NUM_CANDIDATES, _NUM_WINDOWS = 16, 128, 32, 1024
_ACTIONS = tuple(f"action_{number}" for number in range(MODEL.num_actions))
_SIZES = "D 128, 4 layers, S 128, C 32, B 16"


def results() -> Iterator[Result]:
    """Measures steps at three sizes of tables, the input alone, and checkpoints."""
    keep_freed_memory()  # as the steps that train, and for the peer as well
    for num_rows in (100_000, 1_000_000):
        yield _step_against_plain(num_rows)
    yield _step_by_size()
    yield _input_alone()
    yield from _checkpoint()


def _step_against_plain(num_rows: int) -> Result:
    steps = 4  # In a row: the first one after the peer's finds the caches full of other things.
    with _loop(num_rows) as loop:
        batches = [_of_ranker(batch) for batch in itertools.islice(loop.remaining_batches(), 4)]
        state = plain_state(loop.state.params, loop.state.tables)
        step = plain_step(MODEL)

        def plain() -> None:
            nonlocal state
            for number in range(steps):
                state, _ = step(state, batches[number % len(batches)])
            jax.block_until_ready(state)

        amount = steps * _NUM_USERS
        ours, peer = rates(lambda: _run(loop, steps), plain, amount=amount, repeats=4)
    note = f"peer: plain jitted step, square mask, dense AdamW, donated; {num_rows:,} rows x 3; "
    name = f"training_step_{num_rows // 1000}k_rows"
    return Result(name=name, ours=ours, peer=peer, unit="windows/s", note=note + _SIZES)


def _step_by_size() -> Result:
    """Width 32, so that three tables of 10 M rows fit; a step does little else, which is harder."""
    with _loop(10_000_000, 32) as large, _loop(100_000, 32) as small:
        amount = 8 * _NUM_USERS
        ours, peer = rates(lambda: _run(large, 8), lambda: _run(small, 8), amount=amount, repeats=6)
    note = "peer: the same with tables of 100,000 rows; ours 10,000,000 rows x 3, D 32, S 128, C 32"
    return Result(name="training_step_by_size", ours=ours, peer=peer, unit="windows/s", note=note)


def _input_alone() -> Result:
    with _loop(100_000) as loop:
        _run(loop, 2)
        steps = 4
        best = min(_seconds(lambda: _run(loop, steps)) for _ in range(4)) / steps
        assert loop.batches is not None
        loop.batches.close()
        count = 50
        alone = min(
            _seconds(lambda made=made: jax.block_until_ready(list(itertools.islice(made, count))))
            for made in (loop.remaining_batches() for _ in range(4))
        )
    return Result(
        name="training_input",
        ours=count * _NUM_USERS / alone,
        peer=_NUM_USERS / best,
        unit="windows/s",
        note=f"peer: what the training step uses; {_SIZES}",
    )


def _checkpoint() -> Iterator[Result]:
    """About 1 GB: three tables of 650,000 rows; a state every 100 steps."""
    num_rows, steps = 650_000, 100
    with _loop(num_rows) as loop, tempfile.TemporaryDirectory() as folder:
        kept = [(table.rows, table.accumulator) for table in loop.state.tables]
        gigabytes = sum(leaf.nbytes for leaf in jax.tree.leaves(kept)) / 1e9
        content = np.ones(int(gigabytes * 1e9) // 4, np.float32)
        del kept  # The step donates them.
        states = TrainStates(Path(folder) / "states", keep=1)

        def save() -> None:
            loop.save(states)
            states.wait()

        def limit() -> None:
            with (Path(folder) / "limit.npy").open("wb") as file:
                np.save(file, content)
                os.fsync(file.fileno())

        _run(loop, 2)
        save()
        loop.progress.step += 1
        best = min(_seconds(save) for _ in range(3))
        yield Result(
            name="checkpoint_write",
            ours=gigabytes / best,
            peer=gigabytes / min(_seconds(limit) for _ in range(3)),
            unit="GB/s",
            note=f"peer: numpy.save and fsync; {gigabytes:.2f} GB, hashed, synced",
        )
        shutil.rmtree(Path(folder) / "states")

        def train(is_saved: bool) -> None:
            if is_saved:
                loop.save(states)
            _run(loop, steps)
            states.wait()

        ours = min(_seconds(lambda: train(True)) for _ in range(2))
        peer = min(_seconds(lambda: train(False)) for _ in range(2))
    amount = steps * _NUM_USERS
    yield Result(
        name="training_while_saving",
        ours=amount / ours,
        peer=amount / peer,
        unit="windows/s",
        note=f"peer: the same without; one state of {gigabytes:.2f} GB in {steps} steps; {_SIZES}",
    )


def _of_ranker(batch: TrainBatch | NextItemBatch) -> TrainBatch:
    assert isinstance(batch, TrainBatch), type(batch)
    return batch


def _loop(num_rows: int, emb_size: int = 128) -> TrainLoop:
    spec = HashSpec.documented(user_rows=num_rows, post_rows=num_rows, author_rows=num_rows)
    model = MODEL if emb_size == MODEL.emb_size else _narrow(emb_size)
    return TrainLoop(
        Run(
            model_config=model,
            train_config=RankerTrainConfig(batch_size=_NUM_USERS, epochs=1000),
            hash_spec=spec,
            actions=_ACTIONS,
            source=InMemoryWindows(_windows(spec)),
        )
    )


def _narrow(emb_size: int) -> PhoenixModelConfig:
    trunk = dataclasses.replace(MODEL.model, emb_size=emb_size, key_size=emb_size // 4)
    return dataclasses.replace(MODEL, model=trunk, emb_size=emb_size)


def _windows(spec: HashSpec) -> Windows:
    """Impressions of random posts by random users: no row is read twice for a good reason."""
    draw = np.random.default_rng(0)

    def ids(*shape: int) -> np.ndarray:
        return draw.integers(1, 1 << 40, (_NUM_WINDOWS, *shape))

    def actions(*shape: int) -> np.ndarray:
        return draw.integers(0, 1 << len(_ACTIONS), (_NUM_WINDOWS, *shape)).astype(np.uint64)

    users, history, candidates = ids(), ids(_NUM_HISTORY), ids(_NUM_CANDIDATES)
    history_authors, authors = ids(_NUM_HISTORY), ids(_NUM_CANDIDATES)
    return Windows(
        user_ids=users,
        starts_at=np.full(_NUM_WINDOWS, 10, np.int64),
        user_hashes=spec.user.hash_ids(users),
        user_attributes=np.zeros((len(history), 0), np.float32),
        history_post_ids=history,
        history_author_ids=history_authors,
        history_post_hashes=spec.post.hash_ids(history),
        history_author_hashes=spec.author.hash_ids(history_authors),
        history_shown_at=np.ones_like(history),
        history_actions=actions(_NUM_HISTORY),
        history_surfaces=np.zeros(history.shape, np.int32),
        history_dwell_seconds=np.zeros(history.shape, np.float32),
        history_created_at=np.zeros_like(history),
        history_attributes=np.zeros((*history.shape, 0), np.float32),
        candidate_post_ids=candidates,
        candidate_author_ids=authors,
        candidate_post_hashes=spec.post.hash_ids(candidates),
        candidate_author_hashes=spec.author.hash_ids(authors),
        candidate_shown_at=np.ones_like(candidates),
        candidate_surfaces=np.zeros(candidates.shape, np.int32),
        candidate_created_at=np.zeros_like(candidates),
        candidate_attributes=np.zeros((*candidates.shape, 0), np.float32),
        labels=actions(_NUM_CANDIDATES),
        label_dwell_seconds=np.zeros(candidates.shape, np.float32),
    )


def _run(loop: TrainLoop, steps: int) -> None:
    for _ in range(steps):
        loop.run_step()
    jax.block_until_ready(loop.state.params)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
