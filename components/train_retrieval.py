"""Train the two-tower retrieval model on the days before this one."""

import sys
from collections.abc import Sequence

from components import contract, step, training_window
from components.artifacts import Artifact
from components.step import Context
from phoenix.grok import TransformerConfig
from phoenix.inputs import HashConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig


def run(context: Context, *, retrain: str = "auto") -> Artifact:
    """Trains, or says why not; either way there is an artifact, so that the chain goes on.

    Args:
      context: The run.
      retrain: "auto" as configured, "always", or "never".

    Raises:
      BadDataError: If features are missing or damaged, or training cannot stay finite.
      Unchanged: If there is nothing new.
    """
    config = context.config
    sizes, hashing = config.train_retrieval.model, config.hashing
    model_config = PhoenixRetrievalModelConfig(
        model=TransformerConfig(
            emb_size=sizes.emb_size,
            key_size=sizes.key_size,
            num_q_heads=sizes.num_heads,
            num_kv_heads=sizes.num_heads,
            num_layers=sizes.num_layers,
            widening_factor=sizes.widening_factor,
            attn_output_multiplier=sizes.key_size**-0.5,
        ),
        emb_size=sizes.emb_size,
        history_seq_len=config.build_features.history_length,
        candidate_seq_len=config.build_features.num_candidates,
        hash_config=HashConfig(
            num_user_hashes=hashing.num_user_hashes,
            num_item_hashes=hashing.num_post_hashes,
            num_author_hashes=hashing.num_author_hashes,
        ),
        product_surface_vocab_size=config.validate_events.num_surfaces,
    )
    plan = training_window.plan(context, "retrieval", retrain=retrain, model_config=model_config)
    return training_window.run(context, plan, model_config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.TRAIN_RETRIEVAL, run, argv)


if __name__ == "__main__":
    sys.exit(main())
