"""Days of a log through the real steps, as an example configures them, in a folder of its own."""

import contextlib
import datetime
import importlib
import io
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measurement import peak_gigabytes

_EXAMPLES = Path(__file__).parents[1] / "examples"
DATA_STEPS = ("ingest_events", "validate_events", "build_features")


def configure(folder: Path, example: str, source: Mapping[str, Any]) -> Path:
    """Writes the configuration of an example with its store in `folder`; returns its path.

    Args:
      folder: Where the store will be.
      example: A file of `examples/`, without its ending.
      source: Settings of the source that differ from the example.
    """
    raw = yaml.safe_load((_EXAMPLES / f"{example}.yaml").read_text(encoding="utf-8"))
    raw["store"] = str(folder / "store")
    raw["ingest_events"]["source"].update(source)
    path = folder / "phoenix.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def run_step(config: Path, name: str, day: datetime.date) -> None:
    """Runs one step in this process.

    Raises:
      RuntimeError: If the step fails; with what it said.
    """
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        argv = ["--config", str(config), "--day", str(day)]
        code = importlib.import_module(f"components.{name}").main(argv)
    if code:
        raise RuntimeError(f"{name} of {day} ended with {code}: {said.getvalue()[-2000:]}")


def run_data_steps(config: Path, first: datetime.date, last: datetime.date) -> None:
    """Runs the data steps of all days from `first` to `last`."""
    for number in range((last - first).days + 1):
        for name in DATA_STEPS:
            run_step(config, name, first + datetime.timedelta(days=number))


def in_a_process(config: Path, name: str, day: datetime.date) -> tuple[float, float]:
    """Runs a step in a process of its own; returns its seconds and its peak memory in GB."""
    script = [sys.executable, "-m", "benchmarks.pipeline", str(config), name, str(day)]
    started = time.perf_counter()
    said = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    return time.perf_counter() - started, float(said)


def main(argv: Sequence[str]) -> None:
    """Runs one step and prints the peak memory of the process in GB.

    Like a step that is run alone, this module imports nothing that holds memory before the step.
    """
    config, name, day = argv
    run_step(Path(config), name, datetime.date.fromisoformat(day))
    print(peak_gigabytes())


if __name__ == "__main__":
    main(sys.argv[1:])
