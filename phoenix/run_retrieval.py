"""Demonstration: retrieve ten posts for two users, `python -m phoenix.run_retrieval`.

The corpus is random and the weights initial, so the scores mean nothing; the output shows what
retrieval returns.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.run_ranker import EMB_SIZE, HISTORY_LEN, NUM_CANDIDATES, demonstration_trunk
from phoenix.runners import (
    ACTIONS,
    RecsysRetrievalInferenceRunner,
    RetrievalModelRunner,
    RetrievalOutput,
    create_example_batch,
    create_example_corpus,
)

NUM_USERS = 2
CORPUS_SIZE = 1000
CORPUS_SEED = 456
TOP_K = 10


def report(output: RetrievalOutput) -> str:
    """The retrieved posts of every user as text, best first."""
    assert output.top_k_post_ids is not None
    scores = np.asarray(output.top_k_scores)
    lines = []
    for user, post_ids in enumerate(output.top_k_post_ids):
        lines += [
            f"User {user}: {len(post_ids)} posts, best first",
            "  rank  post                   score",
        ]
        for rank, post_id in enumerate(post_ids, start=1):
            lines.append(f"  {rank:>4}  {post_id:<20} {scores[user, rank - 1]:+.4f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] = ()) -> None:
    """Retrieves from an example corpus and prints the result."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    config = PhoenixRetrievalModelConfig(
        model=demonstration_trunk(),
        emb_size=EMB_SIZE,
        history_seq_len=HISTORY_LEN,
        candidate_seq_len=NUM_CANDIDATES,
    )
    model_runner = RetrievalModelRunner(config, bs_per_device=0.125)
    runner = RecsysRetrievalInferenceRunner(model_runner, name="run_retrieval")
    runner.initialize()
    runner.set_corpus(*create_example_corpus(CORPUS_SIZE, EMB_SIZE, seed=CORPUS_SEED))
    batch, embeddings = create_example_batch(
        NUM_USERS, EMB_SIZE, HISTORY_LEN, NUM_CANDIDATES, len(ACTIONS)
    )
    sys.stdout.write(report(runner.retrieve(batch, embeddings, top_k=TOP_K)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
