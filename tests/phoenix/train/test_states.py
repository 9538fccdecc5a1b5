"""The states of a run come back bit by bit, by name, and a bad disk costs the newest at most."""

import resource

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.embedding import initial_tables, with_decay
from phoenix.files.verified_files import CheckpointError
from phoenix.train.states import TrainStates, restore
from tests.phoenix.planted import SPEC

DENSE = {"params": {"m": {"w": jnp.arange(6.0).reshape(2, 3)}}, "count": jnp.array(7, jnp.int32)}


def save_state(directory, step, dense=DENSE, **progress):
    tables = initial_tables(SPEC, 4, seed=step)
    states = TrainStates(directory)
    states.save(step, dense=dense, tables=tables, progress={"step": step, **progress})
    states.wait()
    return tables


def test_training_state_comes_back_bit_by_bit(tmp_path):
    tables = save_state(tmp_path, 3, loss=3.1)
    state, progress = TrainStates(tmp_path).find()
    assert progress == {"step": 3, "loss": 3.1}
    dense, restored = restore(state, DENSE)
    jax.tree.map(np.testing.assert_array_equal, dense, DENSE)
    assert dense["count"].dtype == jnp.int32
    np.testing.assert_array_equal(restored.post.rows, tables.post.rows)


def test_newest_state_wins_and_old_ones_go(tmp_path):
    assert TrainStates(tmp_path / "none").find() is None
    for step in (5, 10, 100):
        save_state(tmp_path, step)
    assert TrainStates(tmp_path).find().progress["step"] == 100
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step_0000000010",
        "step_0000000100",
    ]


def test_damaged_state_is_passed_over_for_the_one_before(tmp_path, caplog):
    for step in (5, 10):
        save_state(tmp_path, step)
    data = next(path for path in (tmp_path / "step_0000000010/dense/d").iterdir() if path.is_file())
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    assert TrainStates(tmp_path).find().progress["step"] == 5
    assert data.name in caplog.text
    save_state(tmp_path, 10)
    assert TrainStates(tmp_path).find().progress["step"] == 10


def test_damage_of_all_states_is_an_error(tmp_path):
    save_state(tmp_path, 5)
    (tmp_path / "step_0000000005/state.json").unlink()
    with pytest.raises(CheckpointError, match="all 1 training states are damaged"):
        TrainStates(tmp_path).find()


def test_a_full_disk_leaves_the_last_good_state(tmp_path):
    save_state(tmp_path, 5)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_state(tmp_path, 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert TrainStates(tmp_path).find().progress["step"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["step_0000000005"]
    save_state(tmp_path, 10)
    assert TrainStates(tmp_path).find().progress["step"] == 10


def test_a_disk_that_is_full_when_the_dense_part_is_written_is_an_error_of_the_system(tmp_path):
    large = {"w": np.random.default_rng(0).random(100_000)}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_state(tmp_path, 5, dense=large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert TrainStates(tmp_path).find() is None


def test_states_are_found_by_name_and_the_best_and_the_epochs_stay(tmp_path):
    metrics = {1: 0.5, 2: 0.3, 3: None, 4: 0.4, 5: 0.6}
    for step, metric in metrics.items():
        save_state(tmp_path, step, metric=metric, finished_epoch=1 if step == 1 else None)
    states = TrainStates(tmp_path)
    found = {name: states.find(name).progress["step"] for name in ("last", "best", "epoch_1")}
    assert found == {"last": 5, "best": 2, "epoch_1": 1}
    assert len(list(tmp_path.iterdir())) == 4  # And the one before the last.
    with pytest.raises(CheckpointError, match="'epoch_7'; there are last, best, epoch_1"):
        states.find("epoch_7")


def test_a_save_keeps_what_was_there_when_it_began(tmp_path):
    states = TrainStates(tmp_path)
    weights = {"w": np.zeros(1 << 20, np.float32)}
    tables = with_decay(initial_tables(SPEC, 4, seed=0), is_decaying=True)
    states.save(1, dense=weights, tables=tables, progress={"step": 1})
    weights["w"] += 1
    states.save(2, dense=weights, tables=tables, progress={"step": 2})
    states.wait()
    for step, value in ((1, 0), (2, 1)):
        dense, restored = restore(tmp_path / f"step_{step:010d}", weights)
        assert np.all(np.asarray(dense["w"]) == value)
        np.testing.assert_array_equal(restored.user.updated_at, tables.user.updated_at)
