"""Processes of an Airflow and how they end: groups by leader, strangers by their home."""

import contextlib
import os
import signal
import time
from pathlib import Path

from components.store import processes

_STOP_SECONDS = 30.0  # from SIGTERM to SIGKILL; a task saves what it has and reports its end


def is_alive(pid: int, started: str | None) -> bool:
    """Whether a process runs that started at this moment; the system reuses numbers.

    Args:
      pid: Its number.
      started: When it started, as `processes.start_time` says; None for one that never did.
    """
    return started is not None and processes.start_time(pid) == started


def end_groups(leaders: list[tuple[int, str | None]]) -> None:
    """Ends the process groups of `leaders`: SIGTERM, a while to go, SIGKILL.

    Args:
      leaders: Number and start of each group's first process, as for `is_alive`. One that does not
        run any more is left out, for its number may be another's by now.
    """
    living = [leader for leader in leaders if is_alive(*leader)]
    for pid, _ in living:
        send_signal(-pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while any(is_alive(*leader) for leader in living) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid, _ in living:
        # Also where the leader is gone: what it started may be left in its group.
        send_signal(-pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # not ours: another command started it
            os.waitpid(pid, 0)


def send_signal(target: int, number: signal.Signals) -> None:
    """Sends a signal to a process or, with a negative number, a group that may be gone."""
    try:
        os.kill(target, number)
    except (ProcessLookupError, PermissionError):
        return


def strangers(home: Path) -> list[int]:
    """Returns the processes whose environment names this AIRFLOW_HOME: tasks and their steps."""
    return [pid for pid, other in _homes().items() if other == str(home.resolve())]


def homes_in_use(root: Path) -> set[Path]:
    """Returns the AIRFLOW_HOMEs of the deployments below `root` that living processes name."""
    homes = map(Path, _homes().values())
    top = root.resolve()
    return {root / home.relative_to(top) for home in homes if home.parent.parent == top}


def _homes() -> dict[int, str]:
    """Returns the AIRFLOW_HOME of every other process of ours that has one, by its number."""
    homes = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # gone, or not ours to read
            continue
        for variable in variables:
            name, _, value = variable.partition(b"=")
            if name == b"AIRFLOW_HOME" and int(folder.name) != os.getpid():
                homes[int(folder.name)] = os.fsdecode(value)
    return homes
