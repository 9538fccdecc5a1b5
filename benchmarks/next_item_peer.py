"""Next-item training against RecTools' SASRec: length 200, width 64, two layers, 3,706 posts."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import environments, markov_log, next_item, sequence_files
from benchmarks.measurement import Result

# torch first: it must not be replaced by a larger build.
_PACKAGES = ("torch==2.13.0", "rectools[torch]==0.19.0")
_EPOCHS, _MAX_LENGTH = 4, 200


def results() -> Iterator[Result]:
    """Trains both for the same number of epochs on the same log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.txt"
        shape = markov_log.MOVIELENS
        markov_log.write(path, shape, seed=0)
        peer = _rectools(path)
        recipe = next_item.Recipe(max_length=_MAX_LENGTH, epochs=_EPOCHS, patience=_EPOCHS)
        ours = next_item.run(sequence_files.read(path, "sequences"), recipe)
    yield Result(
        name="next_item_training",
        ours=float(ours["sequences_per_second"]),
        peer=peer["sequences_per_second"],
        unit="sequences/s",
        note=f"peer: RecTools SASRec, full softmax; {_EPOCHS} epochs, {shape.num_users:,} users, "
        f"{shape.num_posts:,} posts, length {_MAX_LENGTH}, D 64, 2 layers; NDCG@10 ours "
        f"{ours['ndcg_at_10']:.4f}, peer {peer['ndcg_at_10']:.4f}",
    )


def _rectools(path: Path) -> dict[str, float]:
    """Runs the peer in its environment, which is made the first time."""
    python = environments.python_with("rectools", _PACKAGES)
    script = Path(__file__).with_name("rectools_sasrec.py")
    command = [python, script, path, str(_EPOCHS), str(_MAX_LENGTH)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])
