"""Trains LightGBM per action; runs in an environment of its own and imports nothing of ours.

usage: python boosted_trees.py FOLDER

FOLDER holds `features.npy` `[T, E, F]`, `labels.npy` `[E, T]` and `part.npy` `[E]`: 0 is trained
on, 1 says after how many trees to stop and is then trained on, too, and 2 is predicted. Writes
`predicted.npy` `[E of part 2, T]`.
"""

import sys
from pathlib import Path

import lightgbm
import numpy as np

_MOST_TREES, _PATIENCE = 300, 20
_SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 15,  # few and large leaves, chosen on 29 April to 1 May: rates are noisy
    "min_data_in_leaf": 200,
    "num_threads": 1,
    "seed": 0,
    "deterministic": True,
    "verbosity": -1,
}


def main(folder: Path) -> None:
    """Chooses the number of trees on part 1, then trains on parts 0 and 1."""
    names = "features", "labels", "part"
    of_actions, labels, part = (np.load(folder / f"{name}.npy") for name in names)
    predicted = []
    for features, label in zip(of_actions, labels.T, strict=True):
        train = lightgbm.Dataset(features[part == 0], label[part == 0])
        held_out = lightgbm.Dataset(features[part == 1], label[part == 1], reference=train)
        stop = lightgbm.early_stopping(_PATIENCE, verbose=False)
        trial = lightgbm.train(_SETTINGS, train, _MOST_TREES, [held_out], callbacks=[stop])
        whole = lightgbm.Dataset(features[part < 2], label[part < 2])
        model = lightgbm.train(_SETTINGS, whole, trial.best_iteration)
        predicted.append(model.predict(features[part == 2]))
    np.save(folder / "predicted.npy", np.stack(predicted, axis=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
