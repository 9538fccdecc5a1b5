"""Cuts a day into windows, each with the history strictly before it, hashed.

Writes `windows.parquet`: what the models are trained and judged on, in fixed shapes.
"""

import sys
from collections.abc import Sequence

from components import contract, data_files, featurizer, row_account, step
from components.artifacts import Artifact
from components.step import Context


def run(context: Context) -> Artifact:
    """Writes the windows of the day.

    Raises:
      BadDataError: If the accepted events of the day or of a day before it are missing, or their
        account is wrong.
    """
    config = context.config
    partitions = featurizer.accepted_partitions(context)
    for validated in partitions:
        row_account.check_validated(validated)
    spec = featurizer.hash_spec(config.hashing)
    recipe = {"build_features": config.build_features.model_dump(), "hash_spec": spec.to_dict()}
    with context.write(inputs=[artifact.ref for artifact in partitions], config=recipe) as draft:
        files = featurizer.accepted_files(partitions)
        ids, windows = featurizer.day_windows(files, config, day=context.day)
        path = draft.folder / data_files.WINDOWS_FILE
        featurizer.write_windows(path, windows, ids=ids, spec=spec)
        history = windows.history_post_ids != 0
        draft.facts |= {
            "windows": len(ids),
            "impressions": int(windows.candidate_mask.sum()),
            "users": len(set(windows.user_ids.tolist())),
            "windows_with_history": int(history.any(axis=1).sum()),
            "mean_history_length": round(float(history.sum()) / max(len(ids), 1), 4),
            "history_first_day": partitions[0].ref.partition,
            "hash_spec_digest": spec.digest(),
            "shape": vars(featurizer.window_shape(config)),
        }
    return context.written()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line."""
    return step.main(contract.BUILD_FEATURES, run, argv)


if __name__ == "__main__":
    sys.exit(main())
