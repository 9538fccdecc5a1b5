"""Which processes of this machine are alive: the ground truth behind leases and drafts."""

import hashlib
import socket
from pathlib import Path


def machine() -> str:
    """Returns a name for this boot of this machine, or of this container.

    Process numbers mean something only within it: not across reboots, hosts or PID namespaces.
    """
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    identity = f"{boot.read_text().strip()} {namespace.readlink()}" if boot.exists() else ""
    return f"{socket.gethostname()}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def started(pid: int) -> str | None:
    """Returns when a process of this machine started, in clock ticks; None if it is not alive.

    The number alone could have been given to another process since.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
