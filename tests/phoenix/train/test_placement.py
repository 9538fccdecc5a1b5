"""One device, eight devices and two processes train the same model."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from phoenix.config import ConfigError
from phoenix.train.config import ComputeConfig, DevicesConfig
from phoenix.train.placement import Placement, join_hosts
from phoenix.train.states import TrainStates
from tests.phoenix.sharded_training import flat, train

pytestmark = pytest.mark.slow  # whole trainings in processes with other devices

ROOT = Path(__file__).parents[3]
STEPS = 100


def start(*arguments: object, num_devices: int = 1, **environment: str) -> subprocess.Popen:
    flags = f"--xla_force_host_platform_device_count={num_devices}"
    return subprocess.Popen(
        [sys.executable, "-m", "tests.phoenix.sharded_training", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, **environment},
    )


@pytest.fixture(scope="module")
def alone():
    """The result and the losses of one device."""
    return train(1, 1, num_steps=STEPS, checkpoint_every_steps=STEPS // 2)


def assert_same_training(path, alone):
    found = dict(np.load(path))
    result, losses = alone
    # Every step is compared as long as rounding has had no time to grow.
    np.testing.assert_allclose(found["losses"][:5], losses[:5], rtol=1e-6)
    np.testing.assert_allclose(found.pop("losses"), losses, rtol=1e-4)
    expected = flat(result.model)
    assert found.keys() == expected.keys()
    for name, leaf in expected.items():
        difference = np.linalg.norm(found[name] - leaf)
        assert difference <= 1e-4 * max(np.linalg.norm(leaf), 1e-3), name


def test_eight_devices_train_what_one_trains_and_one_goes_on_from_their_state(alone, tmp_path):
    out, states = tmp_path / "eight.npz", tmp_path / "states"
    assert start(out, 4, 2, STEPS, states, num_devices=8).wait(300) == 0
    assert_same_training(out, alone)
    shutil.rmtree(TrainStates(states).find().path)  # The one before it is of the middle.
    assert TrainStates(states).find().progress["step"] == STEPS // 2
    resumed, _ = train(
        1, 1, num_steps=STEPS, checkpoint_directory=states, checkpoint_every_steps=50
    )
    expected = flat(alone[0].model)
    for name, leaf in flat(resumed.model).items():
        assert np.linalg.norm(leaf - expected[name]) <= 1e-4 * np.linalg.norm(leaf) + 1e-7, name


def test_two_processes_train_what_one_trains(alone, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    hosts = [
        start(
            tmp_path / "two.npz",
            1,
            2,
            STEPS,
            JAX_COORDINATOR_ADDRESS=address,
            JAX_NUM_PROCESSES="2",
            JOB_COMPLETION_INDEX=str(index),
        )
        for index in range(2)
    ]
    assert [host.wait(300) for host in hosts] == [0, 0]
    assert_same_training(tmp_path / "two.npz", alone)


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(ConfigError, match=r"expected one of \['cpu'\], got 'tpu'"):
        Placement.of(ComputeConfig(devices=DevicesConfig(device="tpu")))
    with pytest.raises(ConfigError, match=r"number of cpu devices, got 16 x 2"):
        Placement.of(ComputeConfig(devices=DevicesConfig(num_data_shards=16, num_table_shards=2)))


def test_a_coordinator_without_a_place_in_the_group_is_refused():
    join_hosts({})
    with pytest.raises(ConfigError, match=r"JAX_NUM_PROCESSES.*got None and '0'"):
        join_hosts({"JAX_COORDINATOR_ADDRESS": "a:1", "JOB_COMPLETION_INDEX": "0"})
