"""The end of a step in terms of Airflow, whichever runner it ran in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from components import contract
from components.contract import ExitCode

_MEANING = {
    ExitCode.BAD_DATA: "bad data",
    ExitCode.BUG: "a bug",
    ExitCode.TRY_AGAIN: "try again",
    ExitCode.BAD_CONFIGURATION: "bad configuration",
}
_MAX_BYTES = 2_048  # of a fact that travels through XCom; the manifest has them all


def summary(lines: Sequence[str]) -> dict[str, Any]:
    """Returns the small part of a step's result that travels through XCom.

    Args:
      lines: The last lines of its standard output; the very last is the JSON object.

    Raises:
      AirflowFailException: If the step ended without its JSON object.
    """
    try:
        result = contract.parse_result(lines[-1] if lines else "")
    except ValueError as error:
        raise AirflowFailException(f"The step ended well but not as agreed: {error}") from error
    facts = result.get("facts")
    small = {"status": result["status"], "artifact": result.get("artifact")}
    if result.get("run_again"):
        small["run_again"] = result["run_again"]
    if isinstance(facts, Mapping):
        small["facts"] = {
            name: value for name, value in facts.items() if len(json.dumps(value)) <= _MAX_BYTES
        }
    return small


def check(step: str, exit_code: int, lines: Sequence[str]) -> None:
    """Raises the exception with which Airflow does, or does not, try a failed step again.

    Args:
      step: Its name, for the message.
      exit_code: Its exit status; negative if a signal ended it.
      lines: The last lines that it wrote.

    Raises:
      AirflowException: If another try may help: 75, or ended by a signal (137 is out of memory).
      AirflowFailException: If no retry can help.
    """
    if exit_code == ExitCode.DONE:
        return
    meaning = _MEANING.get(ExitCode(exit_code)) if exit_code in set(ExitCode) else None
    message = f"{step} ended with {exit_code} ({meaning or _signal(exit_code)}): {_error(lines)}"
    # Above 128 a shell or an engine speaks of a signal, where a process of ours has its negative.
    if exit_code == ExitCode.TRY_AGAIN or exit_code < 0 or exit_code > 128:
        raise AirflowException(message)
    raise AirflowFailException(message)


def _signal(exit_code: int) -> str:
    if exit_code < 0 or exit_code > 128:
        return f"signal {-exit_code if exit_code < 0 else exit_code - 128}"
    return "no exit code of a step"


def _error(lines: Sequence[str]) -> str:
    """Returns the error that the step wrote as JSON, or its last lines if it came to none."""
    for line in reversed(lines):
        try:
            return str(contract.parse_result(line)["error"])
        except (ValueError, KeyError):
            continue
    return "\n".join(lines[-5:]) or "it wrote nothing"
