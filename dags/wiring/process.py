"""The process runner: a step as a child process of the task. No container engine is needed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import IO, Any

from airflow.sdk import BaseOperator

from wiring import outcome
from wiring.operators import StepOperator, log_result

_NUM_LAST_LINES = 50  # of each stream, for the message of a failure


class ProcessStep(StepOperator, BaseOperator):
    """Runs `python -m <module> <arguments>` in its own process group and streams what it writes."""

    ARGUMENTS = "arguments"
    template_fields = ("arguments",)
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        module: str,
        arguments: Sequence[str],
        python: str = "",
        stop_seconds: float = 20.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.module = module
        self.arguments = arguments
        self.python = python
        self.stop_seconds = stop_seconds
        self._process: subprocess.Popen[str] | None = None
        self._is_killed = False

    def execute(self, context: Any) -> dict[str, Any]:
        """Runs the step to its end and returns the small part of its result."""
        # -P keeps the task's working folder out of the step's module path.
        command = [self.python or sys.executable, "-P", "-m", self.module, *self.arguments]
        self.log.info("Running %s", command)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(context),
            start_new_session=True,  # the group that `on_kill` ends, with all that the step starts
        )
        if self._is_killed:  # while it started, when `on_kill` had no process to end
            self._end()
        errors: deque[str] = deque(maxlen=_NUM_LAST_LINES)
        output: deque[str] = deque(maxlen=_NUM_LAST_LINES)
        # Both at once: a step that fills the pipe nobody reads would wait for ever.
        reader = threading.Thread(target=self._stream, args=(self._process.stderr, errors))
        reader.start()
        try:
            self._stream(self._process.stdout, output)
            exit_code = self._process.wait()
        finally:
            self._kill_group()  # whatever the step left behind, and the step if we are interrupted
            reader.join()
        outcome.check(self.module, exit_code, [*errors, *output])
        result = outcome.summary(list(output))
        log_result(self.log, result)
        return result

    def on_kill(self) -> None:
        """Ends the step's process group: SIGTERM first, SIGKILL when it does not go."""
        self._is_killed = True
        self._end()

    def _end(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + self.stop_seconds
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        self._kill_group()

    def _stream(self, stream: IO[str] | None, last_lines: deque[str]) -> None:
        """Passes what the step writes on to the task's log, line by line as it comes."""
        assert stream is not None
        with stream:
            for line in stream:
                last_lines.append(line.rstrip("\n"))
                self.log.info("%s", last_lines[-1])

    def _kill_group(self) -> None:
        if self._process is not None:
            _signal_group(self._process.pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:  # gone already
        return


def _environment(context: Any) -> dict[str, str]:
    """Returns the step's environment: ours without Airflow's secrets, with the name of the run."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    run = context["dag_run"]
    return ours | {"AIRFLOW_CTX_DAG_ID": run.dag_id, "AIRFLOW_CTX_DAG_RUN_ID": run.run_id}
