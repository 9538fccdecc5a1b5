"""MLflow as an onlooker: parameters, the curve and the artifacts of a training run.

Nothing is read back, so the numbers of a run do not depend on whether it was tracked. And nothing
waits for MLflow, which asks an address where nobody listens again and again for minutes: a thread
talks to it, and once that fails, it is said, and the run goes on untracked.
"""

import importlib
import json
import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from components.drawings import charts
from components.errors import BadConfigurationError
from components.settings.training import TrackingSection

logger = logging.getLogger(__name__)

_NAMES = {"loss": "train_loss", "validation_loss": "val_loss"}
_NOT_IN_A_NAME = re.compile(r"[^\w/. -]")  # MLflow refuses it.
_PATIENCE_SECONDS = 20.0  # How long the end of a run waits for one answer.


class Tracker:
    """One run at MLflow; every method returns at once, but for `end`."""

    def __init__(
        self,
        mlflow: ModuleType,
        section: TrackingSection,
        *,
        name: str,
        parameters: Mapping[str, Any],
    ) -> None:
        """Begins a run.

        Args:
          mlflow: The module.
          section: Where to track.
          name: Of the run.
          parameters: Nested mappings become dotted names.
        """
        self._mlflow, self._section = mlflow, section
        self._client: Any = None
        self._run_id = ""
        self._calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._num_answers = 0
        self._is_given_up = False
        # A daemon: the process may end while MLflow is silent.
        self._thread = threading.Thread(target=self._run_calls, daemon=True)
        self._thread.start()
        self._calls.put(lambda: self._begin(name, _flatten(parameters)))

    def log_point(self, point: Mapping[str, float]) -> None:
        """Logs a point of the curve at its step: train_loss, val_loss, learning_rate, epoch..."""
        metric, now = self._mlflow.entities.Metric, int(time.time() * 1000)
        metrics = [
            metric(_allowed_name(_NAMES.get(name, name)), float(value), now, int(point["step"]))
            for name, value in point.items()
            if name != "step"
        ]
        self._calls.put(lambda: self._client.log_batch(self._run_id, metrics=metrics))

    def log_curve(self, file: Path, title: str) -> None:
        """Logs the file of the learning curve, and its drawing, until the end."""
        drawing = charts.learning_curve(json.loads(file.read_bytes()), title).decode()
        svg = f"{file.stem}.svg"
        self._calls.put(lambda: self._client.log_artifact(self._run_id, file))
        self._calls.put(lambda: self._client.log_text(self._run_id, drawing, svg))

    def end(self, status: str) -> None:
        """Ends the run, FINISHED or FAILED, and waits as long as MLflow answers."""
        self._calls.put(lambda: self._client.set_terminated(self._run_id, status=status))
        self._calls.put(None)
        # Patience begins anew with every answer: a long queue may take long, silence may not.
        num_answers = -1
        while self._thread.is_alive() and num_answers != self._num_answers:
            num_answers = self._num_answers
            self._thread.join(_PATIENCE_SECONDS)
        if self._thread.is_alive():
            self._give_up(f"no answer within {_PATIENCE_SECONDS:.0f} seconds")

    def _begin(self, name: str, parameters: Mapping[str, Any]) -> None:
        client = self._mlflow.MlflowClient(tracking_uri=self._section.uri)
        experiment = client.get_experiment_by_name(self._section.experiment)
        experiment_id = (
            client.create_experiment(self._section.experiment)
            if experiment is None
            else experiment.experiment_id
        )
        self._client = client
        self._run_id = client.create_run(experiment_id, run_name=name).info.run_id
        for key, value in parameters.items():
            client.log_param(self._run_id, _allowed_name(key), value)

    def _run_calls(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception as error:  # Whatever it is, an onlooker stops no training.
                self._give_up(str(error).partition("\n")[0] or type(error).__name__)
                return
            self._num_answers += 1

    def _give_up(self, reason: str) -> None:
        if not self._is_given_up:
            logger.warning(
                "`tracking`: MLflow at %s does not take this run, which goes on untracked: %s",
                self._section.uri,
                reason,
            )
        self._is_given_up = True


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
    tracker = Tracker(mlflow, section, name=name, parameters=parameters)
    try:
        yield tracker
    except BaseException:
        tracker.end("FAILED")
        raise
    tracker.end("FINISHED")


def _allowed_name(name: str) -> str:
    return _NOT_IN_A_NAME.sub("_", name)


def _flatten(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
