"""Trains the planted world on a mesh and writes what came out, for tests in several processes.

`python -m tests.phoenix.sharded_training OUT DATA_SHARDS TABLE_SHARDS STEPS [STATES]`
"""

import sys
from pathlib import Path

import jax
import numpy as np

from phoenix.train.config import ComputeConfig, DevicesConfig
from phoenix.train.placement import is_writer, join_hosts
from tests.phoenix.planted import RANKER, runner, world

BATCH_SIZE = 40


def train(num_data_shards, num_table_shards, *, num_steps, config=RANKER, **options):
    """Returns the result of `num_steps` steps and the loss of each."""
    devices = DevicesConfig(num_data_shards=num_data_shards, num_table_shards=num_table_shards)
    result = runner(
        config,
        world(num_steps * BATCH_SIZE).windows,
        batch_size=BATCH_SIZE,
        curve={"every_steps": 1},
        # Gentle, so that rounding stays rounding: what learns by heart is chaotic.
        learning_rate=5e-4,
        table_learning_rate=0.01,
        compute=ComputeConfig(devices=devices),
        **options,
    ).run()
    return result, np.array([point["loss"] for point in result.curve])


def flat(model):
    """All weights as one vector per leaf, by name."""
    leaves = jax.tree_util.tree_flatten_with_path((model.params, model.tables._asdict()))[0]
    names = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
    return {name: leaf for name, leaf in names.items() if "slots" not in name}


def main(out: Path, shards: tuple[int, int], num_steps: int, states: Path | None) -> None:
    join_hosts()
    options = {"checkpoint_directory": states, "checkpoint_every_steps": num_steps // 2}
    result, losses = train(*shards, num_steps=num_steps, **options)
    if is_writer():
        np.savez(out, losses=losses, **flat(result.model))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        (int(sys.argv[2]), int(sys.argv[3])),
        int(sys.argv[4]),
        Path(sys.argv[5]) if len(sys.argv) > 5 else None,
    )
