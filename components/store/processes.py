"""Which processes of this machine are alive: the ground truth behind leases and drafts."""

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


def started(pid: int) -> str | None:
    """Returns when a process of this machine started; None if it is not alive.

    The number alone could have been given to another process since.
    """
    if not Path("/proc/self/stat").exists():
        return _started_by_ps(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def _started_by_ps(pid: int) -> str | None:
    """`started` for the systems without /proc; POSIX has `ps` everywhere."""
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603
    state, _, began = run.stdout.strip().partition(" ")
    return began.strip() if began and not state.startswith("Z") else None


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
