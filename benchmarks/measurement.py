"""How everything here is measured, and what is said about it."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One comparison. All rates are "more is better"."""

    name: str
    ours: float
    peer: float
    unit: str
    note: str  # what the peer is, and the sizes

    @property
    def ratio(self) -> float:
        """Ours over the peer's: 1 is equal, above 1 is faster."""
        return self.ours / self.peer

    def to_dict(self) -> dict[str, str | float]:
        """The line that the runner prints, with four significant digits."""
        numbers = {"ours": self.ours, "peer": self.peer, "ratio": self.ratio}
        rounded = {name: float(f"{value:.4g}") for name, value in numbers.items()}
        return {"name": self.name, **rounded, "unit": self.unit, "note": self.note}


def rates(ours: Work, peer: Work, *, amount: float, repeats: int = 7) -> tuple[float, float]:
    """Returns `amount` per second of both, each at its median of `repeats` runs after a warm-up.

    The two take turns, so that what else the machine does meets both.
    """
    ours()
    peer()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for work, taken in zip((ours, peer), seconds, strict=True):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return amount / statistics.median(seconds[0]), amount / statistics.median(seconds[1])


def peak_gigabytes() -> float:
    """Returns the peak memory of this process in GB."""
    # Not `ru_maxrss`, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    return int(kilobytes) * 1024 / 1e9
