"""Demonstration: rank eight candidates with an untrained ranker, `python -m phoenix.run_ranker`.

The inputs are random and the weights initial, so the probabilities mean nothing; the output shows
what a slate looks like.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from phoenix.grok import TransformerConfig
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.runners import (
    ACTIONS,
    ModelRunner,
    RankingOutput,
    RecsysInferenceRunner,
    create_example_batch,
)

EMB_SIZE = 128
HISTORY_LEN = 32
NUM_CANDIDATES = 8
BAR_WIDTH = 20


def demonstration_trunk() -> TransformerConfig:
    """A trunk that runs on any machine in seconds: two layers of width 128."""
    return TransformerConfig(
        emb_size=EMB_SIZE,
        key_size=64,
        num_q_heads=2,
        num_kv_heads=2,
        num_layers=2,
        widening_factor=2,
        attn_output_multiplier=0.125,
    )


def report(output: RankingOutput, user: int = 0) -> str:
    """The ranking of one user as text: per candidate, one bar of 20 characters per action."""
    scores = np.asarray(output.scores[user], np.float32)
    ranking = output.ranking(user)
    lines = [f"{len(ranking)} candidates, best first; probability of each action"]
    for rank, candidate in enumerate(ranking, start=1):
        lines += ["", f"Rank {rank}: candidate {candidate}"]
        for action, probability in zip(ACTIONS, scores[candidate], strict=True):
            num_filled = round(float(np.nan_to_num(probability)) * BAR_WIDTH)
            bar = "█" * num_filled + "░" * (BAR_WIDTH - num_filled)
            label = action.removesuffix("_score").replace("_", " ")
            lines.append(f"  {label:<20} {bar} {probability:6.1%}")
    return "\n".join(lines)


def main(arguments: Sequence[str] = ()) -> None:
    """Ranks one example slate and prints it."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    config = PhoenixModelConfig(
        model=demonstration_trunk(),
        emb_size=EMB_SIZE,
        num_actions=len(ACTIONS),
        history_seq_len=HISTORY_LEN,
        candidate_seq_len=NUM_CANDIDATES,
    )
    runner = RecsysInferenceRunner(ModelRunner(config, bs_per_device=0.125), name="run_ranker")
    runner.initialize()
    batch, embeddings = create_example_batch(1, EMB_SIZE, HISTORY_LEN, NUM_CANDIDATES, len(ACTIONS))
    sys.stdout.write(report(runner.rank(batch, embeddings)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
