"""A training survives a kill and a stop, and says in the step's words what it cannot do."""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components import contract
from components.contract import ExitCode

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def test_tables_that_no_memory_holds_are_bad_configuration(world, capfd) -> None:
    world.edit("user_rows: 500,", "user_rows: 500000000,").edit("emb_size: 16", "emb_size: 1024")
    assert world.run("train_ranker", DAYS[2]) == ExitCode.BAD_CONFIGURATION
    assert "not enough memory; lower `batch_size`" in capfd.readouterr().out


def start_training(world, **environment: str) -> subprocess.Popen:
    argv = contract.TRAIN_RANKER.argv(config=str(world.path), day=DAYS[2])
    return subprocess.Popen(
        [sys.executable, "-m", "components.train_ranker", *argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, int(ExitCode.TRY_AGAIN))],
)
def test_a_killed_or_stopped_training_goes_on_and_ends_with_the_same_weights(
    number: signal.Signals, code: int, world
) -> None:
    # Only a kill needs a state on the way; who is asked to stop saves one.
    every = 5 if number == signal.SIGKILL else 100_000
    world.edit("epochs: 2", f"epochs: 20\n  checkpoint_every_steps: {every}")
    assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    undisturbed = world.artifact("train_ranker", DAYS[2]).ref.digest
    shutil.rmtree(Path(world.config.store) / "train_ranker" / DAYS[2])

    work = Path(world.config.store) / "work"
    with start_training(world) as process:
        assert process.stderr is not None
        for line in process.stderr:
            is_saved = number == signal.SIGTERM or list(work.glob("train_ranker-*/step_*"))
            if " of 640: loss" in line and is_saved:
                break
        process.send_signal(number)
        process.stderr.read()
        assert process.wait() == code, "the training was over before it could be stopped"
    assert list(work.glob("train_ranker-*/step_*"))

    assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    assert world.artifact("train_ranker", DAYS[2]).ref.digest == undisturbed
    assert not list(work.glob("train_ranker-*"))


def test_a_training_stopped_on_four_devices_goes_on_with_one(world, caplog) -> None:
    world.edit(
        "train_ranker:\n",
        "train_ranker:\n  devices: {num_data_shards: 2, num_table_shards: 2}\n  "
        "curve: {every_steps: 1}\n",
    )
    with start_training(
        world, XLA_FLAGS="--xla_force_host_platform_device_count=4", JAX_PLATFORMS="cpu"
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "Step 1 of 64: loss" in line)
        process.send_signal(signal.SIGTERM)
        (stopped,) = re.findall(r"Stopped after step (\d+) of 64", process.stderr.read())
        assert process.wait() == ExitCode.TRY_AGAIN
    world.edit("  devices: {num_data_shards: 2, num_table_shards: 2}\n", "")
    with caplog.at_level(logging.INFO, "components.training.trainer"):
        assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    assert re.findall(r"Step (\d+) of 64", caplog.text)[0] == str(int(stopped) + 1)
    done = world.artifact("train_ranker", DAYS[2]).ref
    world.edit("  curve: {every_steps: 1}\n", "  curve: {every_steps: 1}\n  input: {prefetch: 3}\n")
    assert world.run("train_ranker", DAYS[2]) == ExitCode.NOTHING_TO_DO
    assert world.artifact("train_ranker", DAYS[2]).ref == done
