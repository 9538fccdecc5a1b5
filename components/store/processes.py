"""The processes of this machine that are alive: the ground truth behind leases and drafts."""

import hashlib
import os
import socket
import subprocess
from pathlib import Path


def machine() -> str:
    """Returns a name for this boot of this machine, or of this container.

    Process numbers mean something only within it: not across reboots, hosts or PID namespaces.
    """
    identity = _boot() + _namespace()
    return f"{socket.gethostname()}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def start_time(pid: int) -> str | None:
    """Returns the time at which a process of this machine started; None if it is not alive.

    It is a text to compare, in the system's own unit. With the number it names a process: the
    number alone could have been given to another one since.
    """
    if not Path("/proc/self/stat").exists():
        return _start_time_by_ps(pid)
    try:
        # The name of the command, in parentheses, may hold blanks; fields are counted behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    is_zombie = fields[0] == "Z"  # dead, and not yet reaped by its parent
    return None if is_zombie else fields[19]


def _start_time_by_ps(pid: int) -> str | None:
    """Returns `start_time` for the systems without /proc; POSIX has `ps` everywhere."""
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    state, _, start = run.stdout.strip().partition(" ")
    return start.strip() if start and not state.startswith("Z") else None


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
