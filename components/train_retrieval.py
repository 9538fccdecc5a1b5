"""Train the two-tower retrieval model on the days before this one."""

import sys
from collections.abc import Sequence

from components import contract, step
from components.run.context import Context, Outcome
from components.training import auto, model_configs
from components.training import plan as training_plan
from components.training import run as training_run
from phoenix.memory import keep_freed_memory


def run(context: Context, *, retrain: str = "auto") -> Outcome:
    """Trains, or says why not; either way there is an artifact, so that the chain goes on.

    Args:
      context: The run.
      retrain: "auto" as configured, "always", or "never".

    Raises:
      BadDataError: If features are missing or damaged, or training cannot stay finite.
      Unchanged: If there is nothing new.
    """
    context, origin = auto.resolved(context, "retrieval")
    model_config = model_configs.retrieval(context.config)
    plan = training_plan.plan(context, "retrieval", retrain=retrain, model_config=model_config)
    return Outcome(training_run.run(context, plan, model_config, origin=origin))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.TRAIN_RETRIEVAL, run, argv)


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
