"""MLflow as an onlooker: parameters, the curve and the artifacts of a training run.

Nothing is read back, so the numbers of a run do not depend on whether it was tracked.
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.errors import BadConfigurationError
from components.training_config import TrackingSection

_NAMES = {"loss": "train_loss", "validation_loss": "val_loss"}


class Tracker:
    """One run at MLflow."""

    def __init__(self, client: Any, run_id: str) -> None:  # noqa: ANN401 - imported late
        """Takes an `MlflowClient` and the run."""
        self._client, self._run_id = client, run_id

    def log_point(self, point: Mapping[str, float]) -> None:
        """Logs a point of the curve at its step: train_loss, val_loss, learning_rate, epoch..."""
        step = int(point["step"])
        for name, value in point.items():
            if name != "step":
                self._client.log_metric(
                    self._run_id, _NAMES.get(name, name), float(value), step=step
                )

    def log_files(self, folder: Path) -> None:
        """Logs the files directly in `folder`: the curve and its drawing."""
        for path in sorted(folder.iterdir()):
            if path.is_file():
                self._client.log_artifact(self._run_id, str(path))


@contextmanager
def tracked(
    section: TrackingSection | None, *, name: str, parameters: Mapping[str, Any]
) -> Iterator[Tracker | None]:
    """Yields the tracker of one run, or None where nothing is configured.

    Args:
      section: Where to track.
      name: Of the run.
      parameters: Nested mappings become dotted names.

    Raises:
      BadConfigurationError: If MLflow is not installed.
    """
    if section is None:
        yield None
        return
    try:
        mlflow = importlib.import_module("mlflow")  # An extra, and slow to import.
    except ImportError as error:
        raise BadConfigurationError(
            "`tracking`: MLflow is not installed; install the extra `tracking` or remove the "
            "setting."
        ) from error
    client = mlflow.MlflowClient(tracking_uri=section.uri)
    experiment = client.get_experiment_by_name(section.experiment)
    experiment_id = (
        client.create_experiment(section.experiment)
        if experiment is None
        else experiment.experiment_id
    )
    run_id = client.create_run(experiment_id, run_name=name).info.run_id
    for key, value in _flat(parameters).items():
        client.log_param(run_id, key, value)
    try:
        yield Tracker(client, run_id)
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id)


def _flat(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
