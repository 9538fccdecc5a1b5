"""Several processes of one step train one model, of which the first one writes the artifact."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components import contract
from components.release import models
from components.run import hosts

LAST = "2026-01-03"


def start(world, **environment: str) -> subprocess.Popen:
    argv = contract.TRAIN_RANKER.argv(config=str(world.path), day=LAST)
    return subprocess.Popen(
        [sys.executable, "-m", "components.train_ranker", *argv],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, **environment},
        text=True,
    )


def test_one_process_leads_itself() -> None:
    hosts.join()
    assert hosts.is_leader()
    assert hosts.agree("text") == "text"


@pytest.mark.parametrize("text", ["x" * 65, "ä" * 33])
def test_a_text_that_would_be_cut_is_refused(text: str) -> None:
    assert hosts.agree("x" * 64) == "x" * 64
    with pytest.raises(ValueError, match=r"at most 64 bytes, got 6[56]\."):
        hosts.agree(text)


@pytest.mark.slow  # the step in two processes
def test_two_processes_of_the_step_train_what_one_trains(world) -> None:
    alone = models.load(world.artifact("train_ranker", LAST).path("model"))
    shutil.rmtree(Path(world.config.store) / "train_ranker" / LAST)
    world.edit("epochs: 2", "epochs: 2\n  devices: {num_table_shards: 2}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    group = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    both = [start(world, JOB_COMPLETION_INDEX=str(index), **group) for index in range(2)]
    said = [json.loads(process.communicate(timeout=300)[0].splitlines()[-1]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0]["artifact"] == said[1]["artifact"]
    together = models.load(world.artifact("train_ranker", LAST).path("model"))
    for kind in ("user", "post", "author"):
        ours, theirs = (np.asarray(getattr(m.tables, kind).rows) for m in (together, alone))
        assert np.linalg.norm(ours - theirs) <= 1e-4 * np.linalg.norm(theirs)
