"""Trains RecTools' SASRec; runs in an environment of its own and imports nothing of ours.

usage: python rectools_sasrec.py LOG EPOCHS MAX_LENGTH

The log has lines of `user post post ...`. Prints one JSON object: NDCG@10 of the last post of each
user, with posts that the user had before left out, and sequences per second.
"""

import json
import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def main(path: Path, epochs: int, max_length: int) -> None:
    """Trains on all but the last two posts of each user, tests on the last."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    frame = pd.DataFrame(
        [(line[0], post) for line in lines for post in line[1:]], columns=["user_id", "item_id"]
    )
    frame["weight"] = 1.0
    frame["datetime"] = pd.to_datetime(np.arange(len(frame)), unit="s")
    from_end = frame.groupby("user_id").cumcount(ascending=False)
    model = SASRecModel(
        n_factors=64,
        n_blocks=2,
        n_heads=2,
        session_max_len=max_length,
        loss="softmax",
        epochs=epochs,
        verbose=0,
    )
    started = time.monotonic()
    model.fit(Dataset.construct(frame[from_end >= 2]))
    seconds = time.monotonic() - started
    users = frame["user_id"].unique()
    found = model.recommend(
        users, Dataset.construct(frame[from_end >= 1]), k=10, filter_viewed=True
    )
    hits = found.merge(frame.loc[from_end == 0, ["user_id", "item_id"]])
    ndcg = float(np.sum(1 / np.log2(hits["rank"] + 1)) / len(users))
    rate = len(users) * epochs / seconds
    print(json.dumps({"ndcg_at_10": ndcg, "sequences_per_second": rate}))


if __name__ == "__main__":
    torch.set_num_threads(2)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
